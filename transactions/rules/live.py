"""Live: rules judge a chunk in its own transaction, or owe it; and what is left is done after the flush.

Storing waits for no rule for long: each statement of a chunk's judging is bounded by two seconds, no further
rule is begun after six, of each flush two chunks are judged, and what fails or is left is undone and owed. So
two things alone fail a chunk: a connection that is gone, and a table of debt that stays locked for as long as
a flush waits for any lock. Nothing may be stored without the row that says what is owed of it, or a hit would
be lost; the chunk is stored by the first tick after the lock is gone.
"""

import logging
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import psycopg2
from django.conf import settings

from ..alerts import announcing
from ..metrics.counters import tally
from ..models import Transaction
from ..queue.keys import QUEUE
from ..stores.crash_points import crash_point
from ..stores.postgres_session import Session, limits_again
from ..stores.redis_connection import connection
from . import clock, debts, evaluation, figures, gate
from .evaluation import Findings, Touched
from .locks import JUDGING_LOCK_MS_MAX, RULES_LOCK, impatient
from .models import Debt, Gate
from .versions import ANY_IN_FORCE, CLOCK_TO_LOOK_AT, LATEST_END, Judging, judging

log = logging.getLogger(__name__)

TABLE = Transaction._meta.db_table

# Chunks of a flush that are judged at once; what comes after them is stored first.
CHUNKS_AT_ONCE = 2
# With more chunks than this a flush stores a backlog, and judges none of it at once: each may take as long as
# dozens take to be stored.
BACKLOG_CHUNKS = 10
# A chunk with more old rows than this, and a larger share, is owed: the gate spares none of their users.
OLD_ROWS_MAX = 200
OLD_SHARE_MAX = 0.25
# What is left is done for so long after a flush, in intervals, at least a slice of it.
AFTERWARDS_INTERVALS = 0.6

# Purpose: the last key that was given to a row.
SELECT_LAST_ID = f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {TABLE}_id_seq"
# Purpose: a version that comes into force waits for this transaction, or this one does not look at
# rules: then whatever it stores is owed by all. Nothing here waits for long.
# Whether there is any version is another statement than the lock, with a look of its own at what is
# committed; one way to the server and back for all, since every chunk pays for it. Versions that have ended
# are no more than a moment to it: what happened before that may be theirs.
BEGIN = f"""
    SAVEPOINT rules; SET LOCAL lock_timeout = {JUDGING_LOCK_MS_MAX};
    SELECT set_config('rules.locked', pg_try_advisory_xact_lock_shared({RULES_LOCK})::text, true);
    SELECT current_setting('rules.locked')::boolean, {ANY_IN_FORCE}, {LATEST_END}, ({SELECT_LAST_ID})
"""
# Purpose: when the earliest row of a chunk happened. What was stored is a range of ids: without the fence the
# planner might walk along the times of all rows.
EARLIEST = f"""
    SELECT least(
        (SELECT min(created_at) FROM (SELECT created_at FROM {TABLE} WHERE id >= %(first)s OFFSET 0) stored),
        (SELECT min(created_at) FROM {TABLE} WHERE id = ANY(%(settled)s)))
"""
# Purpose: whether there is anything to do after a flush.
ANYTHING = f"""
    SELECT {ANY_IN_FORCE} OR {CLOCK_TO_LOOK_AT} OR EXISTS (SELECT FROM {Debt._meta.db_table})
        OR EXISTS (SELECT FROM {Gate._meta.db_table})
"""
END = "RELEASE SAVEPOINT rules"
BACK = "ROLLBACK TO SAVEPOINT rules; RELEASE SAVEPOINT rules"


class PutOff(Exception):
    """Much of a chunk is old."""


class FlushRules:
    """The rules in one flush: what they look at of each chunk, and what they owe.

    `waiting` is how many records wait for it, as far as is known.
    """

    def __init__(self, waiting: int = 0) -> None:
        backlog = waiting > BACKLOG_CHUNKS * settings.FLUSH_CHUNK_RECORDS
        self._chunks_left = 0 if backlog else CHUNKS_AT_ONCE
        # None where they cannot be known; those that have ended alone are looked for when they may judge.
        self._versions: list[Judging] | None = []
        self._latest_end: datetime | None = None
        self._last_id = 0
        # Debts of this flush by version, which its next chunks join; None is all of them.
        self._owed: dict[int | None, int] = {}
        self._failed: set[int] = set()
        self._findings = Findings()

    def begin(self, cursor: Any) -> None:
        """Before a chunk's rows are inserted: which versions judge it."""
        self._findings = Findings()
        try:
            cursor.execute(BEGIN)
            locked, in_force, self._latest_end, self._last_id = cursor.fetchone()
            self._versions = None if not locked else judging(cursor) if in_force else []
            cursor.execute(f"{limits_again('lock_timeout')}; {END}")
        except Exception as error:
            self._undo(cursor, error)
            self._versions = None
            cursor.execute(SELECT_LAST_ID)
            self._last_id = cursor.fetchone()[0]

    def conclude(self, cursor: Any, stored: int, settled: Sequence[int]) -> None:
        """After a chunk's rows are inserted and settled (their ids): judges them, or owes it.

        Raises psycopg2.errors.LockNotAvailable where it cannot write what it owes: see above.
        """
        if not (stored or settled) or not self._may_be_judged(cursor, settled):
            return
        self._chunks_left -= 1
        if self._versions is None or self._chunks_left < 0:
            self._owe(cursor, None, stored, settled)
            return
        try:
            cursor.execute(f"SAVEPOINT rules; {evaluation.limit()}")
            self._versions = self._versions or judging(cursor)
            self._judge(cursor, stored, settled)
            cursor.execute(f"{evaluation.no_limit()}; {END}")
        except PutOff:
            cursor.execute(BACK)
            self._owe(cursor, None, stored, settled)
        except Exception as error:
            self._undo(cursor, error)
            self._findings = Findings()
            self._owe(cursor, None, stored, settled)
        crash_point("flush.after_rules")

    def committed(self) -> None:
        """After a chunk's commit: tells what came of it."""
        self._failed |= self._findings.failed.keys()
        tell(self._versions or [], self._findings)
        self._findings = Findings()

    def afterwards(self, session: Session, began: datetime | None) -> None:
        """After a flush: debt, states, and the clock, if all that was accepted before `began` is stored."""
        deadline = time.monotonic() + AFTERWARDS_INTERVALS * settings.FLUSH_INTERVAL_SECONDS

        def go_on() -> bool:
            waiting = int(connection().llen(QUEUE))
            return time.monotonic() < deadline and waiting < settings.FLUSH_CHUNK_RECORDS

        try:
            with impatient(session) as cursor:
                cursor.execute(ANYTHING)
                if not cursor.fetchone()[0]:
                    return
                versions = judging(cursor)
            more = True
            while more:
                more = _keep_gate(session, versions) and go_on()
            debts.pay(session, go_on, lambda findings: tell(versions, findings))
            if began is not None:
                tell(versions, clock.look(session, versions, began, go_on))
        except Exception as error:
            # All is stored, and the next tick goes on.
            figures.tell_left(error)
            log.error(
                "Rules were left after a flush: %r", error, exc_info=not isinstance(error, psycopg2.Error)
            )

    def _may_be_judged(self, cursor: Any, settled: Sequence[int]) -> bool:
        """Whether there is a version that may judge a chunk: in force, or in the time before it ended."""
        if self._versions is None or any(v.end is None for v in self._row_versions()):
            return True
        if self._latest_end is None:
            return False
        earliest = self._earliest(cursor, settled)
        return earliest is not None and earliest < self._latest_end

    def _earliest(self, cursor: Any, settled: Sequence[int]) -> datetime | None:
        """When the first of what the chunk has stored or settled happened."""
        cursor.execute(EARLIEST, {"first": self._last_id + 1, "settled": list(settled)})
        earliest: datetime | None = cursor.fetchone()[0]
        return earliest

    def _row_versions(self) -> list[Judging]:
        return [version for version in self._versions or [] if not version.is_clock]

    def _judge(self, cursor: Any, stored: int, settled: Sequence[int]) -> None:
        evaluation.prepare(cursor)
        first = self._last_id + 1
        if stored:
            values = {"first": first, "last": 2**63 - 1, "is_new": True}
            cursor.execute(evaluation.TOUCH_RANGE, values)
        older = [id for id in settled if id < first]
        if older:
            cursor.execute(evaluation.TOUCH_IDS, {"ids": older, "is_new": False})
        touched = evaluation.describe(cursor)
        if touched is None:
            return
        if touched.old > max(OLD_ROWS_MAX, OLD_SHARE_MAX * touched.rows):
            raise PutOff
        if gate.is_kept(cursor):
            gate.count_touched(cursor, newest=True)
        trying = [v for v in self._row_versions() if not v.stuck and v.id not in self._failed]
        hits_max = evaluation.PLACED_AT_ONCE
        self._findings = evaluation.evaluate(cursor, trying, touched, hits_max=hits_max)
        self._owe_rest(cursor, touched, trying, stored, older)

    def _owe_rest(
        self, cursor: Any, touched: Touched, tried: list[Judging], stored: int, settled: list[int]
    ) -> None:
        """What was not tried, what failed, and what is still to come."""
        for version in evaluation.concerned(self._row_versions(), touched):
            error = self._findings.failed.get(version.id, "")
            if error or version not in tried or version.id in self._findings.put_off:
                self._owe(cursor, version.id, stored, settled, error=error, earliest=touched.lo)
        if touched.future:
            debts.owe_future(cursor, None, touched)

    def _owe(
        self,
        cursor: Any,
        version: int | None,
        stored: int,
        settled: Sequence[int],
        *,
        error: str = "",
        earliest: datetime | None = None,
    ) -> None:
        """Writes down that a chunk, whose first row happened at `earliest` where that is known, is owed."""
        if error:
            log.error("Version %s of a rule failed, and owes %s records: %s", version, stored, error)
        cursor.execute(SELECT_LAST_ID)
        first, last = self._last_id + 1, int(cursor.fetchone()[0])
        older = [id for id in settled if id < first]
        earliest = earliest or self._earliest(cursor, settled)
        debt = self._owed.get(version)
        if debt is None and version is not None and not error:
            # A version that goes on failing owes one long range, not one for each flush.
            debt = debts.open_debt(cursor, version)
        owed: dict[str, Any] = {
            "first": first,
            "last": last,
            "ids": older,
            "records": stored + len(older),
            "earliest": earliest,
        }
        if debt is not None and debts.extend(cursor, debt, **owed):
            return
        self._owed[version] = debts.owe(
            cursor, version=version, count_in_gate=version is None, error=error, **owed
        )

    def _undo(self, cursor: Any, error: Exception) -> None:
        if cursor.connection.closed:
            raise error
        cursor.execute(BACK)
        # A fault of ours deserves its traceback.
        log.error("Rules were put off: %r", error, exc_info=not isinstance(error, psycopg2.Error))


def _keep_gate(session: Session, versions: list[Judging]) -> bool:
    with impatient(session) as cursor:
        return gate.keep(cursor, needed=any(version.needs_gate for version in versions))


def tell(versions: Sequence[Judging], findings: Findings) -> None:
    """After the commit of what came of versions: counts it for the metrics, and lets dashboards know."""
    if findings.hits:
        announcing.changed()
    known = {version.id: version for version in versions}
    for id, seconds in findings.seconds.items():
        tally.add(f"rule_microseconds|{_label(known, id)}", round(seconds * 1_000_000))
    for id, hits in findings.hits.items():
        tally.add(f"rule_hits|{_label(known, id)}", hits)
    for id in findings.failed:
        tally.add(f"rule_failures|{_label(known, id)}")


def _label(known: dict[int, Judging], id: int) -> str:
    """Rule and version: their numbers, as names may hold anything."""
    version = known.get(id)
    return f"{version.rule}|{version.number}" if version is not None else f"?|{id}"
