"""Entries are found by list and user alone: an index of the list by itself was read whole for one user."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("rules", "0016_quiet_hits_by_alert")]

    operations = [
        migrations.AlterField(
            "listentry",
            "list",
            models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="entries",
                to="rules.userlist",
            ),
        ),
    ]
