"""Places: what is committed is given a number in the order of all, and goes to whoever wants it.

The key of a row will not do: keys are in the order in which transactions began to write, and one that
commits late would appear behind a reader who has passed by. So places are given afterwards, to rows that
are committed, by one at a time (who holds the row of `Numbering`): places have no gaps, and whoever has
read up to one finds everything later above it. Of those that are given places at once the gravest come
first: a burst of others does not stand before them.
"""

import time
from typing import Any

from django.db import connection, transaction
from django.db.models.functions import Now

from ..severity import Severity
from . import removing
from .models import Attempt, Delivery, DeliveryState, Endpoint, Message, MessageType, Numbering

MESSAGE, NUMBERING = Message._meta.db_table, Numbering._meta.db_table
ENDPOINT, DELIVERY = Endpoint._meta.db_table, Delivery._meta.db_table

# Messages that are given places at once, and rows that this may make: one for each message and endpoint. The
# next come a moment later, and others who wait for the row of places meanwhile have their turn.
AT_ONCE, ROWS_AT_ONCE = 1_000, 20_000
# Messages and what became of them are kept so long, and removed so many at once.
KEPT_DAYS, REMOVED_AT_ONCE = 30, 1_000

# Purpose: the row, made where there is none; who holds it is alone. One who was stopped meanwhile is thrown
# out, since flushes may wait for it.
HOLD = f"""
    SET LOCAL lock_timeout = '5s'; SET LOCAL idle_in_transaction_session_timeout = '10s';
    INSERT INTO {NUMBERING} (id) VALUES (1) ON CONFLICT DO NOTHING;
    SELECT last FROM {NUMBERING} WHERE id = 1 FOR UPDATE
"""
# What the system tells of itself is as grave as the gravest.
OF_THE_SYSTEM = f"type IN ('{MessageType.SYSTEM_ALARM}', '{MessageType.SYSTEM_RECOVERED}')"
# Purpose: the next places, the gravest first, and for each endpoint that is on what it asked for. What is
# told of one alert stays in its order, and is as grave as the gravest of it. An update that a flush is just
# adding to is left until that is committed.
GIVE = f"""
    WITH waiting AS (
        SELECT id, row_number() OVER (ORDER BY grave DESC, id) AS place FROM (
            SELECT id, max(grave) OVER (PARTITION BY coalesce(alert, -id)) AS grave FROM (
            SELECT id, alert, CASE WHEN {OF_THE_SYSTEM} THEN {len(Severity)}
                            ELSE coalesce(array_position(%(severities)s::varchar[], severity), 0) END AS grave
              FROM {MESSAGE}
             WHERE position IS NULL AND NOT is_private AND not_before <= now() ORDER BY id
             LIMIT (SELECT greatest(1, least({AT_ONCE}, %(rows)s / greatest(1, count(*))))
                      FROM {ENDPOINT} WHERE off = '')
               FOR UPDATE SKIP LOCKED) w) by_alert),
    placed AS (
        UPDATE {MESSAGE} m SET position = %(last)s + w.place, told_at = clock_timestamp()
          FROM waiting w WHERE m.id = w.id RETURNING m.id, m.type, m.position),
    sent AS (
        INSERT INTO {DELIVERY} (endpoint_id, message_id, state)
        SELECT e.id, p.id, '{DeliveryState.WAITING}' FROM placed p JOIN {ENDPOINT} e
            ON e.off = '' AND (e.types = '[]' OR e.types ? p.type)
         ORDER BY p.position),
    counted AS (SELECT count(*) AS places FROM placed),
    noted AS (
        UPDATE {NUMBERING} n SET last = n.last + c.places FROM counted c WHERE n.id = 1 AND c.places > 0)
    SELECT places FROM counted
"""
# Purpose: the last place among the oldest messages; 0 where none of those that are old has one.
OLD_PLACE = f"""
    SELECT coalesce(max(position), 0) FROM (
        SELECT position FROM {MESSAGE}
         WHERE made_at < now() - interval '{KEPT_DAYS} days' AND position IS NOT NULL
         ORDER BY made_at LIMIT {REMOVED_AT_ONCE}) old
"""
# Purpose: messages that go: up to the place that readers were told, and old ones for one endpoint alone. One
# that waits for its place, in whatever state the system was for that long, is not removed.
OLD = f"""
    (SELECT m.id FROM {MESSAGE} m JOIN {NUMBERING} n ON m.position <= n.removed_to
      ORDER BY m.position LIMIT {REMOVED_AT_ONCE})
    UNION ALL
    (SELECT id FROM {MESSAGE} WHERE is_private AND made_at < now() - interval '{KEPT_DAYS} days'
      ORDER BY made_at LIMIT {REMOVED_AT_ONCE})
"""
REMOVE = f"DELETE FROM {MESSAGE} WHERE id = ANY(%s)"
# Purpose: no message is left, and no place is given twice.
EMPTIED = f"{MESSAGE}, {DELIVERY}, {Attempt._meta.db_table}"
EMPTY = f"""
    TRUNCATE {EMPTIED}; UPDATE {NUMBERING} SET removed_to = last
"""
# What whoever empties them holds: who gives places has the row, and waits for messages.
TABLES = f"{EMPTIED}, {NUMBERING}"


def number() -> int:
    """Gives places to what is committed and due, to some of it; how many it were. Raises django.db.Error.

    It is asked every few seconds: where nothing waits nothing is held and nothing written.
    """
    if not Message.objects.filter(position=None, is_private=False, not_before__lte=Now()).exists():
        return 0
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(HOLD)
        (last,) = cursor.fetchone()
        cursor.execute(GIVE, {"last": last, "rows": ROWS_AT_ONCE, "severities": Severity.values})
        return int(cursor.fetchone()[0])


def prune() -> int:
    """Removes messages older than KEPT_DAYS, some at a time; how many it were. Raises django.db.Error.

    It is done in short transactions, and goes on where it was ended: only while the places are noted up to
    which all goes, nobody gets one.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(HOLD)
        cursor.execute(OLD_PLACE)
        (removed_to,) = cursor.fetchone()
        # Readers are told up to where: a place among those that is not removed yet would be skipped else.
        Numbering.objects.filter(pk=1, removed_to__lt=removed_to).update(removed_to=removed_to)
    with connection.cursor() as cursor:
        cursor.execute(OLD)
        gone = [message for (message,) in cursor.fetchall()]
    removing.of_messages(gone)
    with connection.cursor() as cursor:
        cursor.execute(REMOVE, [gone])
    return len(gone)


def go_on_pruning(*, seconds_max: float) -> int:
    """Removes messages that are old until none is, or for so long; how many it were.

    What is removed stays so whatever comes. Raises django.db.Error.
    """
    removed, deadline = 0, time.monotonic() + seconds_max
    while gone := prune():
        removed += gone
        if time.monotonic() >= deadline:
            break
    return removed


def empty(cursor: Any) -> None:
    """Deletes all messages. By the one who deletes what they tell. Raises psycopg2.Error."""
    cursor.execute(EMPTY)
