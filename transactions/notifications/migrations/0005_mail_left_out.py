"""A mail that the server refuses for what it says is left out after some attempts: how many, and when."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("notifications", "0004_mail_by_recipient")]

    operations = [
        migrations.AddField("mailplace", "refusals", models.IntegerField(db_default=0, default=0)),
        migrations.AddField("mailplace", "refused_at", models.DateTimeField(null=True)),
    ]
