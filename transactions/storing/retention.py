"""Retention: old transactions are removed; their averages stay, and the books go on counting them.

A transaction is old when it happened, was accepted and was settled more than so many days ago. So a
client that sends one again within that time is recognised, whatever `created_at` it gave. After that
the id is a new one. PENDING transactions stay unless asked for: their SUCCESS or FAILED may still
come, and without the row would be stored as a transaction of its own. What rules have not judged yet stays
too, and as much before it as they look back.
"""

import logging
import time
from datetime import datetime
from typing import Any, NamedTuple

import psycopg2
from django.db import connection

from ..audit.actions import Action
from ..audit.entries import note
from ..rules import keeping
from ..stores.postgres_session import PRUNE_LOCK, Session
from ..tables import PRUNING_PLACE, TRANSACTIONS

log = logging.getLogger(__name__)

# Rows looked at in one transaction: it takes a few hundredths of a second, so nobody waits long for it.
CHUNK_ROWS = 5_000

# Purpose: the moment before which rows are old, by PostgreSQL's clock; days of 24 hours.
SELECT_BEFORE = "SELECT now() - make_interval(hours => 24 * %s)"
OLD = """
    created_at < %(before)s AND greatest(accepted_at, settled_at) < %(before)s
    AND (%(pending)s OR status <> 'PENDING')
"""
# Purpose: how many rows are old.
COUNT_OLD = f"SELECT count(*) FROM {TRANSACTIONS} WHERE {OLD}"
# Purpose: tells the triggers of migration 0002 to leave the averages as they are, in this transaction.
KEEP_ROLLUPS = "SELECT set_config('transactions.keep_rollups', 'on', true)"
# Purpose: removes the old ones among the next rows in the order of the index transaction_by_time, and
# tells how many went and which row was the last looked at, so that those that stay are not read again.
# A row that somebody holds is left for another day: pruning never waits for a row, so that no two
# transactions can wait for each other.
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

# Purpose: where the worker goes on, whichever worker that is.
SELECT_PLACE = f"SELECT moment, row_id FROM {PRUNING_PLACE}"
KEEP_PLACE = f"""
    INSERT INTO {PRUNING_PLACE} (moment, row_id) VALUES (%s, %s)
        ON CONFLICT (id) DO UPDATE SET moment = excluded.moment, row_id = excluded.row_id
"""
FORGET_PLACE = f"DELETE FROM {PRUNING_PLACE}"


class PruningUnderWay(Exception):
    """Another pruning is under way, and has not ended in the time that a lock is waited for."""


class TooShort(Exception):
    """A rule in force looks back further than transactions would be kept; names the rule."""


class Place(NamedTuple):
    """The last row, in the order of time, that was looked at."""

    moment: datetime | str
    id: int


# Before every row.
START = Place("-infinity", 0)


def count_old(days: int, *, pending: bool = False) -> int:
    """How many rows are more than `days` old. Raises django.db.Error."""
    with connection.cursor() as cursor:
        cursor.execute(SELECT_BEFORE, [days])
        cursor.execute(COUNT_OLD, {"before": cursor.fetchone()[0], "pending": pending})
        return int(cursor.fetchone()[0])


def prune(days: int, *, pending: bool = False) -> int:
    """Removes every row that is more than `days` old, and returns how many went.

    What is committed stays done whatever comes. Waits for a pruning under way, if not for long. Raises
    TooShort, PruningUnderWay, psycopg2.Error, django.db.Error.
    """
    _check(days)
    removed = 0
    place: Place | None = START
    with Session("transactions prune") as session:
        try:
            session.lock(PRUNE_LOCK)
        except psycopg2.errors.LockNotAvailable:
            raise PruningUnderWay from None
        before = _before(session, days)
        # Before anything goes: it goes chunk by chunk, and a crash must not hide what went.
        note(Action.TRANSACTION_PRUNED, f"older than {days} days", pending=pending)
        while place is not None:
            with session.transaction() as cursor:
                gone, place = _prune_chunk(cursor, before, place, pending=pending)
            removed += gone
    _tell(removed, before)
    return removed


def go_on_pruning(days: int, *, seconds_max: float) -> int:
    """Removes rows that are more than `days` old for `seconds_max`; returns how many went.

    PENDING ones stay. It begins where the last call stopped, in whatever process that was, and at the
    oldest row again after one that came to the end. 0 while another pruning is under way, too. What is
    committed stays done whatever comes. Raises TooShort, psycopg2.Error, django.db.Error.
    """
    _check(days)
    removed, deadline = 0, time.monotonic() + seconds_max
    with Session("transactions prune") as session:
        if not session.try_lock(PRUNE_LOCK):
            return 0
        before = _before(session, days)
        place: Place | None = _kept_place(session)
        while place is not None:
            # The place with the rows: whoever comes next neither leaves any out nor reads these again.
            with session.transaction() as cursor:
                gone, place = _prune_chunk(cursor, before, place, pending=False)
                _keep_place(cursor, place)
            removed += gone
            if time.monotonic() >= deadline:
                break
    _tell(removed, before)
    return removed


def _check(days: int) -> None:
    """Raises TooShort where a rule in force looks at what would be removed."""
    needed, rule = keeping.longest()
    if days < needed:
        raise TooShort(f"The rule {rule} needs transactions to be kept for {needed} days.")


def _before(session: Session, days: int) -> datetime:
    """The moment before which rows go: old, and needed for nothing that rules owe."""
    with session.transaction() as cursor:
        cursor.execute(SELECT_BEFORE, (days,))
        before: datetime = cursor.fetchone()[0]
        owed = keeping.owed_since(cursor)
    if owed is None or owed.since >= before:
        return before
    rule = f"the rule “{owed.rule}” owes" if owed.rule else "rules owe"
    log.warning("Transactions from %s on stay, which %s a judgement of, or need for one", owed.since, rule)
    return owed.since


def _prune_chunk(cursor: Any, before: datetime, after: Place, *, pending: bool) -> tuple[int, Place | None]:
    """How many of the next rows were removed, and the last looked at; None where there was none left."""
    cursor.execute(KEEP_ROLLUPS)
    chunk = {"before": before, "pending": pending, "rows": CHUNK_ROWS, **after._asdict()}
    cursor.execute(PRUNE_CHUNK, chunk)
    found = cursor.fetchone()
    return (0, None) if found is None else (found[0], Place(*found[1:]))


def _kept_place(session: Session) -> Place:
    with session.transaction() as cursor:
        cursor.execute(SELECT_PLACE)
        found = cursor.fetchone()
    return START if found is None else Place(*found)


def _keep_place(cursor: Any, place: Place | None) -> None:
    if place is None:
        cursor.execute(FORGET_PLACE)
    else:
        cursor.execute(KEEP_PLACE, place)


def _tell(removed: int, before: datetime) -> None:
    if removed:
        log.info("Removed %d transactions from before %s", removed, before)
