"""Whoever goes back loses the channels: the release before signs what it posts, and has no URL of them."""

from django.db import migrations

ENDPOINT, DELIVERY, ATTEMPT = (
    "notifications_endpoint",
    "notifications_delivery",
    "notifications_attempt",
)
# Purpose: channels with their logs. A cut URL is none to post to, and an encrypted one is no secret.
REMOVE = f"""
    DELETE FROM {ATTEMPT} WHERE delivery_id IN (
        SELECT d.id FROM {DELIVERY} d JOIN {ENDPOINT} e ON e.id = d.endpoint_id WHERE e.format <> 'standard');
    DELETE FROM {DELIVERY} WHERE endpoint_id IN (SELECT id FROM {ENDPOINT} WHERE format <> 'standard');
    DELETE FROM {ENDPOINT} WHERE format <> 'standard'
"""


class Migration(migrations.Migration):
    # By itself: its deferred keys must have been looked at before a column goes.
    dependencies = [("notifications", "0002_formats")]

    operations = [migrations.RunSQL(migrations.RunSQL.noop, REMOVE)]
