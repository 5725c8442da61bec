"""With when the first of what is owed happened is kept of how much that is known: others may add to it."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("rules", "0023_all_debt_of_one_kind")]

    operations = [
        migrations.AddField("debt", "earliest_last_id", models.BigIntegerField(null=True)),
        migrations.AddField("debt", "earliest_last_of_ids", models.BigIntegerField(null=True)),
    ]
