"""A test mail may be asked for: since when, until when, and what it failed by. There are few recipients."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notifications", "0009_assigned_goes_back")]

    operations = [
        migrations.AddField("recipient", "test_asked_at", models.DateTimeField(editable=False, null=True)),
        migrations.AddField("recipient", "test_ended_at", models.DateTimeField(editable=False, null=True)),
        migrations.AddField(
            "recipient",
            "test_failure",
            models.CharField(blank=True, db_default="", default="", editable=False, max_length=300),
        ),
    ]
