"""A range that is owed is paid user by user, and what one version owes of what all owe is known as that."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("rules", "0017_entries_by_list_and_user")]

    operations = [
        migrations.AddField("debt", "after_id", models.BigIntegerField(null=True)),
        migrations.AddField("debt", "split_from", models.BigIntegerField(null=True)),
    ]
