"""A backtest keeps whose days its hits are counted by; those that are there were counted by days of UTC."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("rules", "0024_of_how_much_the_first_is_known")]

    operations = [
        migrations.AddField(
            "backtest", "timezone", models.CharField(max_length=64, default="UTC", db_default="UTC")
        ),
    ]
