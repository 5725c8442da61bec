"""Indexes for the hits of an alert, and for those that a snooze kept away; hits are raised meanwhile."""

import django.db.models.deletion
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("rules", "0014_lists_of_users"), ("alerts", "0002_triage")]

    operations = [
        AddIndexConcurrently("hit", models.Index(fields=["alert", "id"], name="hit_by_alert")),
        AddIndexConcurrently(
            "hit",
            models.Index(
                fields=["user", "version", "id"],
                name="hit_snoozed",
                condition=models.Q(suppressed="SNOOZED"),
            ),
        ),
        # The index on the alert alone is in the new one.
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
        ),
    ]
