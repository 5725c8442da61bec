"""All messages are looked at, while others write. Whoever goes back has assignments as updates."""

from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations

MESSAGE, ENDPOINT = "notifications_message", "notifications_endpoint"
# Purpose: no place is left empty; an assignment that waits for one has an update beside it. A webhook that
# asked for assignments alone gets updates, since no types at all would mean all.
AS_UPDATES = f"""
    DELETE FROM {MESSAGE} WHERE type = 'alert.assigned' AND position IS NULL;
    UPDATE {MESSAGE} SET type = 'alert.updated' WHERE type = 'alert.assigned';
    UPDATE {ENDPOINT}
       SET types = CASE WHEN types = '["alert.assigned"]' THEN '["alert.updated"]'
                        ELSE types - 'alert.assigned' END
     WHERE types ? 'alert.assigned'
"""


class Migration(migrations.Migration):
    dependencies = [("notifications", "0008_alert_assigned")]

    operations = [
        ValidateConstraint("message", "message_type_known"),
        migrations.RunSQL(migrations.RunSQL.noop, AS_UPDATES),
    ]
