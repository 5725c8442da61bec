"""What is not told yet, for how long, and which webhooks do not take it: figures of the outbox."""

from typing import NamedTuple

from ..stores.bounded_queries import bounded
from .models import Delivery, DeliveryState, Endpoint, Message

MESSAGE, ENDPOINT, DELIVERY = Message._meta.db_table, Endpoint._meta.db_table, Delivery._meta.db_table

# Whoever tells looks every 2 seconds; a message that waits so long for its place, in seconds, waits in vain.
OLD_S = 300
# So many are counted at most.
COUNTED_MAX = 10_000

# Purpose: messages that wait for their place, and the age of the oldest.
SELECT_WAITING = f"""
    SELECT count(*) AS messages, coalesce(extract(epoch FROM now() - min(not_before)), 0)::float AS oldest_s
      FROM (SELECT not_before FROM {MESSAGE}
             WHERE position IS NULL AND NOT is_private AND not_before <= now()
             ORDER BY id LIMIT {COUNTED_MAX}) m
"""
# Purpose: the same; deliveries that are due, and for how long the first of them; webhooks that failed the
# last time, and those that were switched off by it.
SELECT_UNTOLD = f"""
    SELECT w.messages, w.oldest_s, d.deliveries, coalesce(d.oldest_s, 0), e.failing, e.off
      FROM ({SELECT_WAITING}) w,
           (SELECT count(*) AS deliveries, extract(epoch FROM now() - min(due_at))::float AS oldest_s
              FROM (SELECT d.due_at FROM {DELIVERY} d JOIN {ENDPOINT} e ON e.id = d.endpoint_id AND e.off = ''
                     WHERE d.state = '{DeliveryState.WAITING}' AND d.due_at <= now()
                     LIMIT {COUNTED_MAX}) due) d,
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


def problems() -> list[str]:
    """What an operator has to know, in a line: nobody tells. Raises django.db.Error."""
    with bounded() as cursor:
        cursor.execute(SELECT_WAITING)
        _, waits_s = cursor.fetchone()
    if waits_s <= OLD_S:
        return []
    return [f"a message has waited {waits_s:.0f} s to be told: does a worker of notifications run?"]
