"""A receiver that says when to come again is sent nothing before."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notifications", "0010_test_mail")]

    operations = [
        migrations.AddField("endpoint", "not_before", models.DateTimeField(null=True)),
    ]
