"""A worker that sends a test mail has it for itself. There are few recipients."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notifications", "0011_receivers_that_ask_for_a_pause")]

    operations = [
        migrations.AddField(
            "recipient", "test_leased_until", models.DateTimeField(editable=False, null=True)
        ),
    ]
