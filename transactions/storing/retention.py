"""Retention: old transactions are removed; their averages stay, and the books know nothing of it.

A row is old when it happened, was accepted and was settled before the day in question: a client
that sends again within that time finds its transaction, whatever `created_at` it gave. Those that
are PENDING stay unless asked for: their second record may still come, and would be stored as a
transaction of its own. An id whose row is gone is new to whoever posts it.
"""

import logging
import time
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from ..stores.postgres_session import Session
from ..tables import TRANSACTIONS

log = logging.getLogger(__name__)

# The dashboard subtracts rows from rollups within the last two days.
DAYS_MIN = 3
DAYS_MAX = 36_500
# Rows looked at by one transaction: a few hundredths of a second, so that nobody waits for it.
CHUNK_ROWS = 5_000

# Purpose: the moment before which rows are old, by PostgreSQL's clock; days of 24 hours.
SELECT_BEFORE = "SELECT now() - make_interval(hours => 24 * %s)"
OLD = """
    created_at < %(before)s AND greatest(accepted_at, settled_at) < %(before)s
    AND (%(pending)s OR status <> 'PENDING')
"""
# Purpose: how many rows are old.
COUNT_OLD = f"SELECT count(*) FROM {TRANSACTIONS} WHERE {OLD}"
# Purpose: the averages stay; see the triggers of migration 0002.
KEEP_ROLLUPS = "SELECT set_config('transactions.keep_rollups', 'on', true)"
# Purpose: the old ones among the next rows along transaction_by_time are removed, and the place that
# was reached is told, so that rows that stay are not walked over again. A row that somebody holds is
# left for another day: nobody waits, and nobody is waited for in a circle.
PRUNE_CHUNK = f"""
    WITH slice AS MATERIALIZED (
        SELECT id, created_at FROM {TRANSACTIONS}
         WHERE created_at < %(before)s AND (created_at, id) > (%(moment)s::timestamptz, %(id)s)
         ORDER BY created_at, id LIMIT %(rows)s
    ), held AS (
        SELECT id FROM {TRANSACTIONS} WHERE id IN (SELECT id FROM slice) AND {OLD} FOR UPDATE SKIP LOCKED
    ), gone AS (
        DELETE FROM {TRANSACTIONS} old USING held WHERE old.id = held.id RETURNING old.id
    )
    SELECT (SELECT count(*) FROM gone), created_at, id FROM slice ORDER BY created_at DESC, id DESC LIMIT 1
"""


class Place(NamedTuple):
    """Up to which row, in the order of time, a run has come."""

    moment: datetime | str = "-infinity"
    id: int = 0


START = Place()


def count_old(days: int, *, pending: bool = False) -> int:
    """How many rows are more than `days` old. Raises django.db.Error."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT_BEFORE, [days])
        cursor.execute(COUNT_OLD, {"before": cursor.fetchone()[0], "pending": pending})
        return int(cursor.fetchone()[0])


def prune(
    days: int, *, pending: bool = False, after: Place = START, seconds_max: float = float("inf")
) -> tuple[int, Place]:
    """Removes the rows that are more than `days` old, those beyond `after`.

    Returns how many went, and where to go on if it stopped after `seconds_max`, else START. What is
    committed stays done whatever comes. Raises psycopg2.Error.
    """
    removed, deadline = 0, time.monotonic() + seconds_max
    with Session("transactions prune") as session:
        with session.transaction() as cursor:
            cursor.execute(SELECT_BEFORE, (days,))
            before = cursor.fetchone()[0]
        while True:
            chunk = {"before": before, "pending": pending, "rows": CHUNK_ROWS, **after._asdict()}
            with session.transaction() as cursor:
                cursor.execute(KEEP_ROLLUPS)
                cursor.execute(PRUNE_CHUNK, chunk)
                found = cursor.fetchone()
            if found is None:
                after = START
                break
            removed, after = removed + found[0], Place(*found[1:])
            if time.monotonic() >= deadline:
                break
    if removed:
        log.info("Removed %d transactions from before %s", removed, before)
    return removed, after
