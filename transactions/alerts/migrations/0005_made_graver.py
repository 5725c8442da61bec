"""Events of one more step: an alert was made graver. That all others are known is looked at afterwards."""

from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models

STEPS = [
    ("CLAIMED", "Claimed"),
    ("ASSIGNED", "Assigned"),
    ("RELEASED", "Released"),
    ("NOTED", "Noted"),
    ("CLOSED", "Closed"),
    ("REOPENED", "Reopened"),
    ("SNOOZED", "Snoozed"),
    ("WOKEN", "Snooze ended"),
    ("UNDONE", "Undone"),
    ("GRAVER", "Made graver"),
]


class Migration(migrations.Migration):
    dependencies = [("alerts", "0004_by_user")]

    operations = [
        migrations.AlterField("alertevent", "step", models.CharField(choices=STEPS, max_length=10)),
        migrations.RemoveConstraint("alertevent", "alert_event_step_known"),
        AddConstraintNotValid(
            "alertevent",
            models.CheckConstraint(
                condition=models.Q(step__in=[name for name, _ in STEPS]), name="alert_event_step_known"
            ),
        ),
    ]
