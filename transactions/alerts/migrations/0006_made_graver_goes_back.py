"""All events are looked at, while others write. Whoever goes back has none of this step."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations

FORGET = "DELETE FROM alerts_alertevent WHERE step = 'GRAVER'"


class Migration(migrations.Migration):
    dependencies = [("alerts", "0005_made_graver")]

    operations = [
        ValidateConstraint("alertevent", "alert_event_step_known"),
        migrations.RunSQL(migrations.RunSQL.noop, FORGET),
    ]
