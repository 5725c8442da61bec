"""Webhooks have a format. The few rows there are get the default by a change of the catalogue alone."""

from django.db import migrations, models

FORMATS = [("standard", "Standard Webhooks"), ("slack", "Slack"), ("teams", "Teams")]


class Migration(migrations.Migration):
    dependencies = [("notifications", "0001_initial")]

    operations = [
        migrations.AlterModelOptions(name="endpoint", options={"verbose_name": "webhook"}),
        migrations.AlterModelOptions(
            name="recipient",
            options={"verbose_name": "recipient of mail", "verbose_name_plural": "recipients of mail"},
        ),
        migrations.AddField(
            model_name="endpoint",
            name="format",
            field=models.CharField(choices=FORMATS, db_default="standard", default="standard", max_length=10),
        ),
        migrations.AddConstraint(
            model_name="endpoint",
            constraint=models.CheckConstraint(
                condition=models.Q(("format__in", ["standard", "slack", "teams"])),
                name="endpoint_format_known",
            ),
        ),
    ]
