"""The flush: reserve, store, commit, release. Run by every tick, and harmless however often.

- One flusher at a time, by an advisory lock of PostgreSQL. It is held by the very connection that
  writes, so a flusher that has lost its connection has lost the lock, and can commit nothing.
- Reserve: the queue in Redis is renamed to a batch with a random name. PostgreSQL is told the name
  first, by a row that is called a promise here, so that after a crash the next flush looks for it.
- Store: chunk by chunk, each one transaction of PostgreSQL. Redis is left as it is meanwhile.
- Release: once all of a batch is committed, Redis lets go of it. Nothing in it is needed any more,
  so it does no harm if a flusher that was stopped for a while does this late, or once more.
- Committed means: on the disk of a standby too, where PostgreSQL waits for one (stores/postgres_commits.py).
"""

import logging
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Self, cast

import psycopg2
import redis
from django.conf import settings

from ..books import epochs
from ..metrics import counters
from ..queue.keys import BATCH, BOOKS, INDEX, QUEUE, index_of
from ..rules.live import FlushRules
from ..rules.locks import impatient
from ..stores.confirmation import confirmed, run_confirmed
from ..stores.crash_points import crash_point
from ..stores.postgres_session import FLUSH_LOCK, Session
from ..stores.redis_connection import connection
from ..stores.scripts import lua
from ..tables import BATCHES, TRANSACTIONS
from . import bulk_insert

log = logging.getLogger(__name__)

# Seconds after which a flush leaves the rest to the next tick: a long backlog does not keep the worker
# from its other tasks for good.
FLUSH_S_MAX = 120.0

# A smaller chunk is stored with care at once: nothing is gained that would be worth an error in a log.
STRAIGHT_RECORDS_MIN = 1000
# With fewer rows there is nothing that a plan could miss.
LOOKED_AT_FROM = 1000
# Records that are read from Redis at once. Meanwhile it serves nobody else: ten thousand are several ms.
READ_RECORDS_MAX = 1000

RESERVE = lua(__file__, "reserve")
RELEASE = lua(__file__, "release")
NOTE_STORED = lua(__file__, "note_stored")

# Purpose: what earlier flushes promised, began, or stored and did not release.
SELECT_OPEN = f"SELECT id, name, length, done FROM {BATCHES} WHERE NOT released ORDER BY id"
# Purpose: promises a batch, before Redis learns its name.
PROMISE = f"INSERT INTO {BATCHES} (name, epoch_id) VALUES (%s, %s) RETURNING id"
# Purpose: notes that a promised batch has come to be, and gives it a new id. A flusher that was stopped
# may rename the queue long after its promise; by the new id batches are in the order in which they came
# to be, in which they are released too. So the highest id released is the batch that Redis must name as
# the last one it let go of, or its data went back in time (IS_LATEST in books/epochs.py).
SET_LENGTH = f"""
    UPDATE {BATCHES} SET length = %s, id = nextval(pg_get_serial_sequence('{BATCHES}', 'id'))
     WHERE id = %s RETURNING id
"""
# Purpose: forgets promises of which nothing came. Not before a day has passed: whoever made one may have
# been stopped, and rename the queue when it wakes.
DROP_OLD_PROMISES = f"""
    DELETE FROM {BATCHES} WHERE NOT released AND length IS NULL AND reserved_at < now() - interval '1 day'
"""
# Purpose: whether all of a batch was new so far, and of the three before: what comes next is likely the same.
# Each chunk that is stored straight in vain leaves an error in PostgreSQL's log, and dead rows.
SELECT_ALL_NEW = f"""
    SELECT coalesce(bool_and(stored = done), true)
      FROM (SELECT stored, done FROM {BATCHES} WHERE id <= %s AND length IS NOT NULL
             ORDER BY id DESC LIMIT 4) latest
"""
# Purpose: whether PostgreSQL has never looked what is in the table, as after a first import or a restore. By
# itself it looks within a minute; until then rules are judged by plans for a table of a few rows.
SELECT_UNKNOWN = f"SELECT reltuples < 0 FROM pg_class WHERE oid = '{TRANSACTIONS}'::regclass"
# Purpose: ends a batch from which records have vanished. The books do not balance from then on, by as
# many as are gone.
END_SHORT = f"UPDATE {BATCHES} SET length = done, stored_at = now() WHERE id = %s"
SET_RELEASED = f"UPDATE {BATCHES} SET released = true WHERE id = %s"


@dataclass(slots=True)
class Batch:
    """A reserved batch: `length` is None while it is only promised, `done` of its records are committed."""

    id: int
    name: str
    length: int | None
    done: int


@dataclass(slots=True)
class FlushReport(bulk_insert.Counts):
    """What one flush did; `busy` when another flusher holds the lock, and this one did nothing."""

    busy: bool = False


def flush() -> FlushReport:
    """Stores all that waits.

    Raises psycopg2.Error, redis.RedisError and bulk_insert.Superseded; the next tick starts over.
    """
    report = FlushReport()
    began = time.monotonic()
    deadline = began + FLUSH_S_MAX
    up_to = datetime.now(UTC)
    with Session() as session:
        if not session.try_lock(FLUSH_LOCK):
            report.busy = True
            return report
        epoch = epochs.reconcile(session)
        with session.transaction() as cursor:
            cursor.execute(SELECT_OPEN)
            batches = [Batch(*row) for row in cursor.fetchall()]
        left = sum(batch.length - batch.done for batch in batches if batch.length is not None)
        rules = FlushRules(left + connection().llen(QUEUE))
        prepared = False  # A tick that finds nothing makes no temporary tables.
        for batch in _with_new(session, batches, epoch):
            if not prepared:
                # Even where nothing is left to store: what an earlier flush committed may stand on one
                # machine alone, and this commit is confirmed, with all before it, or fails.
                with session.transaction() as cursor:
                    bulk_insert.prepare(cursor)
                prepared = True
            if _store(session, batch, report, deadline, rules):
                _release(session, batch)
        epochs.note_flush(session, epoch)
        note_stored(session)
        if report.stored >= LOOKED_AT_FROM:
            _look_at_first(session)
        rules.afterwards(session, up_to if time.monotonic() < deadline else None)
    counters.flushed(report.total, time.monotonic() - began)
    return report


def _look_at_first(session: Session) -> None:
    """Has PostgreSQL look at the table, if it never has: a tenth of a second, once."""
    try:
        with impatient(session) as cursor:
            cursor.execute(SELECT_UNKNOWN)
            if cursor.fetchone()[0]:
                cursor.execute(f"ANALYZE {TRANSACTIONS}")
    except (psycopg2.errors.LockNotAvailable, psycopg2.errors.QueryCanceled) as error:
        log.info("The table is not looked at now: %s", type(error).__name__)


def _with_new(session: Session, batches: list[Batch], epoch: str) -> Iterator[Batch]:
    """The `batches` that earlier flushes left, then what is in the queue by then, as a new one.

    Of the promised ones those that have come to be since; the others are left out.
    """
    for batch in batches:
        if batch.length is None:
            _measure(session, batch)
    yield from sorted((batch for batch in batches if batch.length is not None), key=lambda batch: batch.id)
    if connection().llen(QUEUE):
        batch = _reserve(session, epoch)
        if batch.length is not None:
            yield batch


def _reserve(session: Session, epoch: str) -> Batch:
    name = BATCH + secrets.token_hex(8)
    with session.transaction() as cursor:
        cursor.execute(DROP_OLD_PROMISES)
        cursor.execute(PROMISE, (name, epoch))
        batch = Batch(cursor.fetchone()[0], name, None, 0)
    crash_point("flush.after_promise")
    take_queue(name)
    crash_point("flush.after_reserve")
    _measure(session, batch)
    epochs.note_accepted(session, epoch)
    return batch


def take_queue(name: str) -> None:
    """Renames the queue and its index to the batch `name`, unless nothing waits or that batch is there."""
    connection().register_script(RESERVE)([QUEUE, name, INDEX, index_of(name), BOOKS])


def _measure(session: Session, batch: Batch) -> None:
    """Notes the length of a promised batch, where the queue has been renamed to it.

    That is confirmed first: with a primary that is lost the batch would go, and its length stay.
    """
    length = int(confirmed(lambda pipeline: pipeline.llen(batch.name))[0])
    if length:
        with session.transaction() as cursor:
            cursor.execute(SET_LENGTH, (length, batch.id))
            batch.id = cursor.fetchone()[0]
        batch.length = length


def _store(session: Session, batch: Batch, report: FlushReport, deadline: float, rules: FlushRules) -> bool:
    """Stores what is left of a batch, chunk by chunk; True when all of it is committed.

    False where time ran out first. A chunk that PostgreSQL refuses is tried again by half, down to the
    one record that it will not take (the poison), which is kept as a rejected one. After each success
    the next chunk is twice as large, up to the usual size.
    """
    size, poison = settings.FLUSH_CHUNK_RECORDS, ""
    all_new = _are_all_new(session, batch)
    with BatchReader(batch) as reader:
        while batch.done < reader.length:
            if time.monotonic() > deadline:
                return False
            chunk = reader.read(batch.done, size)
            if not chunk.lines:
                log.error("Batch %s lost records: %s of %s are there", batch.name, batch.done, batch.length)
                with session.transaction() as cursor:
                    cursor.execute(END_SHORT, (batch.id,))
                return True
            straight = all_new and len(chunk.lines) >= STRAIGHT_RECORDS_MIN
            store = partial(bulk_insert.store, chunk=chunk, meanwhile=reader.go_ahead, rules=rules)
            try:
                counts = _all_or_none(session, store) if straight else None
                if counts is None:
                    with session.transaction() as cursor:
                        counts = store(cursor, poison=poison)
            except (psycopg2.DataError, psycopg2.IntegrityError) as error:
                if len(chunk.lines) == 1:
                    poison = str(error).partition("\n")[0]
                size, all_new = max(1, len(chunk.lines) // 2), False
                continue
            crash_point("flush.after_commit")
            rules.committed()
            batch.done += len(chunk.lines)
            report.add(counts)
            size, poison = min(size * 2, settings.FLUSH_CHUNK_RECORDS), ""
            all_new = all_new and counts.stored == len(chunk.lines)
    return True


def _are_all_new(session: Session, batch: Batch) -> bool:
    """Whether the records of a batch are likely to be new transactions, all of them."""
    with session.transaction() as cursor:
        cursor.execute(SELECT_ALL_NEW, (batch.id,))
        return bool(cursor.fetchone()[0])


def _all_or_none(session: Session, store: Callable[..., bulk_insert.Counts]) -> bulk_insert.Counts | None:
    """Stores a chunk straight; None, and nothing is stored, where something in it is no new transaction."""
    try:
        with session.transaction() as cursor:
            return store(cursor, straight=True)
    except (psycopg2.DataError, psycopg2.IntegrityError) as error:
        log.info("A chunk is not all new, and is stored with care (%s)", type(error).__name__)
        return None


class BatchReader:
    """Reads a batch from Redis chunk by chunk: the next one while PostgreSQL stores the one before.

    The chunk read ahead is for the usual case. If the one before has to be tried by half, or the caller
    asks for anything else, it is not used.
    """

    def __init__(self, batch: Batch) -> None:
        assert batch.length is not None
        self.length = batch.length
        self._batch = batch
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="reader")
        # Offset and size: of what will be asked for next, if all goes well; of what was read ahead.
        self._next = (0, 0)
        self._ahead: dict[tuple[int, int], Future[bulk_insert.Chunk]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._thread.shutdown(cancel_futures=True)

    def read(self, offset: int, size: int) -> bulk_insert.Chunk:
        """Up to `size` records from `offset` on. Raises redis.RedisError."""
        ahead = self._ahead.pop((offset, size), None)
        self._next = (offset + size, size)
        return self._read(offset, size) if ahead is None else ahead.result()

    def go_ahead(self) -> None:
        """Begins to read the chunk after the last one that was asked for, in a thread."""
        if self._next[0] < self.length and self._next not in self._ahead:
            self._ahead = {self._next: self._thread.submit(self._read, *self._next)}

    def _read(self, offset: int, size: int) -> bulk_insert.Chunk:
        lines: list[bytes] = []
        end = min(offset + size, self.length)
        for at in range(offset, end, READ_RECORDS_MAX):
            last = min(at + READ_RECORDS_MAX, end) - 1
            lines += cast("list[bytes]", connection().lrange(self._batch.name, at, last))
        return bulk_insert.Chunk(self._batch.id, offset, lines)


def _release(session: Session, batch: Batch) -> None:
    """Lets go of a stored batch in Redis, then, once replicas have confirmed that, notes that it is gone."""
    run_confirmed(RELEASE, [batch.name, index_of(batch.name), BOOKS])
    crash_point("flush.before_released")
    with session.transaction() as cursor:
        cursor.execute(SET_RELEASED, (batch.id,))


def note_stored(session: Session) -> None:
    """Tells dashboards up to which record everything is stored.

    Where a store does not take part, the next flush tells; this one has not failed.
    """
    try:
        # Read anew: a flusher that woke up may have made its promised batch meanwhile.
        with session.transaction() as cursor:
            cursor.execute(SELECT_OPEN)
            names = [row[1] for row in cursor.fetchall()]
        connection().register_script(NOTE_STORED)([BOOKS, QUEUE, *names])
    except (psycopg2.Error, redis.RedisError) as error:
        # Redis over its memory limit, say.
        log.warning("Dashboards were not told what is stored (%s)", type(error).__name__)
