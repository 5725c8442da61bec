"""What is not told yet, for how long, and which webhooks do not take it: figures of the outbox."""

from typing import NamedTuple

from ..stores.bounded_queries import bounded
from .models import Delivery, DeliveryState, Endpoint, Message

MESSAGE, ENDPOINT, DELIVERY = Message._meta.db_table, Endpoint._meta.db_table, Delivery._meta.db_table

# Whoever tells looks every 2 seconds; a message that waits so long for its place, in seconds, waits in vain.
OLD_S = 300
# So many are counted at most.
COUNTED_MAX = 10_000

# Purpose: for how long the first of those has waited that have waited too long for their place.
SELECT_IN_VAIN = f"""
    SELECT extract(epoch FROM now() - not_before)::float FROM {MESSAGE}
     WHERE position IS NULL AND NOT is_private AND not_before < now() - %s * interval '1 second'
     ORDER BY id LIMIT 1
"""
# Webhooks to which anything is sent now, and what is due to one of them.
SENT_TO = f"(SELECT id FROM {ENDPOINT} WHERE off = '' AND (not_before IS NULL OR not_before <= now())) e"
DUE = f"d.state = '{DeliveryState.WAITING}' AND d.due_at <= now()"
# Purpose: messages that wait for their place, and the age of the oldest; deliveries that are due, but those
# whose receiver asked for a pause, and for how long the first of them; webhooks that failed the last time,
# and those that were switched off by it.
SELECT_UNTOLD = f"""
    SELECT w.messages, coalesce(w.oldest_s, 0), d.deliveries, coalesce(o.oldest_s, 0), e.failing, e.off
      FROM (SELECT count(*) AS messages, extract(epoch FROM now() - min(not_before))::float AS oldest_s
              FROM (SELECT not_before FROM {MESSAGE}
                     WHERE position IS NULL AND NOT is_private AND not_before <= now()
                     ORDER BY id LIMIT {COUNTED_MAX}) m) w,
           (SELECT count(*) AS deliveries
              FROM (SELECT FROM {SENT_TO} JOIN {DELIVERY} d ON d.endpoint_id = e.id AND {DUE}
                     LIMIT {COUNTED_MAX}) due) d,
           (SELECT extract(epoch FROM now() - min(first.due_at))::float AS oldest_s
              FROM {SENT_TO} CROSS JOIN LATERAL (
                   SELECT d.due_at FROM {DELIVERY} d WHERE d.endpoint_id = e.id AND {DUE}
                    ORDER BY d.due_at LIMIT 1) first) o,
           (SELECT count(*) FILTER (WHERE failures > 0 AND off = '') AS failing,
                   count(*) FILTER (WHERE off IN ('{Endpoint.Off.GONE}', '{Endpoint.Off.FAILING}')) AS off
              FROM {ENDPOINT}) e
"""


class Untold(NamedTuple):
    """Counts are up to COUNTED_MAX; ages are in seconds, 0 where nothing waits."""

    messages: int
    oldest_message_s: float
    deliveries: int
    oldest_delivery_s: float
    webhooks_failing: int
    webhooks_off: int


def read() -> Untold:
    """Raises django.db.Error."""
    with bounded() as cursor:
        cursor.execute(SELECT_UNTOLD)
        return Untold(*cursor.fetchone())


def waits_in_vain_s(longer_s: float = OLD_S) -> float | None:
    """For how many seconds a message has waited for its place, if it is longer than that: nobody tells.

    None where none has. Raises django.db.Error.
    """
    with bounded() as cursor:
        cursor.execute(SELECT_IN_VAIN, [longer_s])
        found = cursor.fetchone()
    return None if found is None else float(found[0])


def problems() -> list[str]:
    """What an operator has to know, in a line: nobody tells. Raises django.db.Error."""
    waits_s = waits_in_vain_s()
    if waits_s is None:
        return []
    return [f"a message has waited {waits_s:.0f} s to be told: does a worker of notifications run?"]
