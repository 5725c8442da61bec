"""Indexes for the queue by severity, rule and disposition, and for snoozes; alerts are opened meanwhile."""

from django.db import migrations, models

from ...stores.concurrent_indexes import AddIndexResumably


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("alerts", "0002_triage")]

    operations = [
        AddIndexResumably(
            "alert",
            models.Index(
                fields=["severity", "opened_at", "id"],
                name="alert_by_severity",
                condition=~models.Q(state="CLOSED"),
            ),
        ),
        AddIndexResumably("alert", models.Index(fields=["rule", "opened_at", "id"], name="alert_by_rule")),
        AddIndexResumably(
            "alert",
            models.Index(
                fields=["disposition", "opened_at", "id"],
                name="alert_by_disposition",
                condition=models.Q(state="CLOSED"),
            ),
        ),
        AddIndexResumably("snooze", models.Index(fields=["ends_at", "id"], name="snooze_by_end")),
    ]
