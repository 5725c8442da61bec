"""Indexes for the hits of an alert, and for those that a snooze kept away; hits are raised meanwhile."""

import django.db.models.deletion
from django.db import migrations, models

from ...stores.concurrent_indexes import AddIndexResumably, IndexBesideModels

# As Django has named it.
OF_ALERT = "rules_hit_alert_id_3abb5431"


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("rules", "0014_lists_of_users"), ("alerts", "0002_triage")]

    operations = [
        AddIndexResumably("hit", models.Index(fields=["alert", "id"], name="hit_by_alert")),
        AddIndexResumably(
            "hit",
            models.Index(
                fields=["user", "version", "id"],
                name="hit_snoozed",
                condition=models.Q(suppressed="SNOOZED"),
            ),
        ),
        # The index on the alert alone is in the new one. No more is done: an AlterField would take the
        # foreign key away and check it anew against all hits.
        migrations.SeparateDatabaseAndState(
            database_operations=[IndexBesideModels(OF_ALERT, "rules_hit", "(alert_id)", goes=True)],
            state_operations=[
                migrations.AlterField(
                    model_name="hit",
                    name="alert",
                    field=models.ForeignKey(
                        null=True,
                        db_index=False,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="raised_by",
                        to="alerts.alert",
                    ),
                )
            ],
        ),
    ]
