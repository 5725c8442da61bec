"""The clock: versions whose hits are facts of a moment, looked at after a flush.

Each goes on from where it was: along the rows, by id, which are in the order of their acceptance, or
along the buckets of a quarter of an hour. What was looked at once is not looked at again, and a version
that has ended is not once all of its time was. What fails is tried again later and later, from where it
was, with fewer rows or buckets and more time.
"""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import psycopg2

from ..models import Transaction
from ..stores.postgres_session import Session
from . import evaluation, retrying
from .evaluation import Findings
from .kinds.clock import BUCKET_S, ROLLUP, ClockKind, PendingTooLong
from .locks import share
from .models import ClockCursor, Hit
from .versions import Judging, judging

log = logging.getLogger(__name__)

TABLE, HIT, CURSOR = Transaction._meta.db_table, Hit._meta.db_table, ClockCursor._meta.db_table

# Rows that one version walks over in one transaction.
ROWS_MAX = 50_000
ROWS_MIN = 500
# Quarters of an hour likewise: a week of them.
BUCKETS_MAX = 7 * 86_400 // BUCKET_S
# How far ahead of its acceptance a transaction may happen.
AHEAD = timedelta(minutes=5)

# Purpose: how far a version has come, how often it failed since, and whether it is left alone for that.
SELECT_CURSOR = f"""
    SELECT "row", moment, attempts, coalesce(due_at > now(), false) FROM {CURSOR} WHERE version_id = %s
"""
# Purpose: a version has come so far. After failures each step is twice as large as the one before.
SET_CURSOR = f"""
    INSERT INTO {CURSOR} AS kept (version_id, "row", moment, done)
    VALUES (%(version)s, %(row)s, %(moment)s, %(done)s)
        ON CONFLICT (version_id) DO UPDATE
       SET "row" = excluded."row", moment = excluded.moment, done = excluded.done, error = '', due_at = NULL,
           attempts = CASE WHEN %(more)s THEN {retrying.sql_one_less("kept.attempts")} ELSE 0 END
"""
# Purpose: a version failed, and is tried again later.
SET_ERROR = f"""
    INSERT INTO {CURSOR} AS kept (version_id, error, attempts, due_at)
    VALUES (%(version)s, %(error)s, 1, clock_timestamp() + make_interval(secs => {retrying.wait_s(0)}))
        ON CONFLICT (version_id) DO UPDATE
       SET error = excluded.error, attempts = kept.attempts + 1,
           due_at = clock_timestamp() + make_interval(secs => {retrying.sql_wait_s("kept.attempts")})
"""
# Purpose: the end of the next rows; before the first that was accepted too lately.
SELECT_STEP = f"""
    SELECT coalesce(min(id) FILTER (WHERE accepted_at > %(latest)s) - 1, max(id)), count(*),
           max(accepted_at) FILTER (WHERE accepted_at <= %(latest)s)
      FROM (SELECT id, accepted_at FROM {TABLE} WHERE id > %(row)s ORDER BY id LIMIT %(rows)s) step
"""
# Purpose: the last row of all.
SELECT_LAST_ROW = f"SELECT coalesce(max(id), 0) FROM {TABLE}"
# Purpose: the first quarter of an hour of which anything is known.
SELECT_FIRST_BUCKET = f"SELECT min(bucket) FROM {ROLLUP}"
# Purpose: the first row after one.
SELECT_AT = f"SELECT id, accepted_at FROM {TABLE} WHERE id > %s ORDER BY id LIMIT 1"
# Purpose: hits of moments, each once, and which of them are new.
INSERT_MOMENTS = f"""
    INSERT INTO {HIT} (version_id, bucket, happened_at, figures)
    SELECT %(version)s, f.bucket, f.happened_at, f.figures FROM ({{text}}) f ORDER BY f.bucket
        ON CONFLICT (version_id, bucket) DO NOTHING
    RETURNING id, "user", happened_at, bucket
"""


def look(
    session: Session, versions: Sequence[Judging], moment: datetime, go_on: Callable[[], bool]
) -> Findings:
    """Looks at what is so at `moment`, up to which everything accepted is stored. By the one who stores.

    Stops early when not to `go_on`, and while somebody changes what is judged by; the next call goes on
    from there. Whatever one version meets is its own failure, and the next one looks all the same. Raises
    psycopg2.Error where not even that can be noted.
    """
    findings = Findings()
    for version in versions:
        while version.is_clock:
            began = time.monotonic()
            try:
                with session.transaction() as cursor:
                    if not share(cursor):
                        return findings
                    # As it is by now: since `versions` were read it may have ended, or raise alerts.
                    now = next((each for each in judging(cursor) if each.id == version.id), None)
                    more = now is not None and _step(cursor, now, moment, findings)
            except psycopg2.InterfaceError:
                raise
            except Exception as error:
                # A fault of ours deserves its traceback. Where the connection is gone, what follows fails.
                is_ours = not isinstance(error, psycopg2.Error)
                log.error("The clock of version %s failed: %r", version.id, error, exc_info=is_ours)
                with session.transaction() as cursor:
                    _fail(cursor, version, str(error).partition("\n")[0] or repr(error), findings)
                more = False
            findings.seconds[version.id] = findings.seconds.get(version.id, 0) + time.monotonic() - began
            if not more or not go_on():
                break
    return findings


def _step(cursor: Any, version: Judging, moment: datetime, findings: Findings) -> bool:
    """One version and its next rows or buckets; whether there are more."""
    row, since, attempts, is_left = _cursor(cursor, version)
    if is_left:
        return False
    kind = version.kind
    if version.unreadable:
        _fail(cursor, version, version.unreadable, findings)
        return False
    assert isinstance(kind, ClockKind)
    cursor.execute(evaluation.limit(times=retrying.times(attempts)))
    if kind.walks == "buckets":
        assert since is not None
        size = retrying.rows(BUCKETS_MAX, 1, attempts)
        until = min(moment, since + timedelta(seconds=(size + 1) * BUCKET_S))
        values: dict[str, Any] = {"after": since, "moment": until}
        reached, more = _last_bucket(until), until < moment
        step: dict[str, Any] = {"row": 0, "moment": reached}
    else:
        is_pending = isinstance(kind, PendingTooLong)
        reached = latest = moment - timedelta(seconds=kind.memory_s) if is_pending else moment
        size = retrying.rows(ROWS_MAX, min(ROWS_MIN, ROWS_MAX), attempts)
        cursor.execute(SELECT_STEP, {"row": row, "latest": latest, "rows": size})
        to, rows, accepted = cursor.fetchone()
        to = row if to is None else to
        more = rows == size and to > row
        known = max((each for each in (since, accepted) if each is not None), default=None)
        # Of silence it is the end of a step that tells of the time since; what is pending is so by now.
        now = known if more and known is not None and not is_pending else moment
        values = {"after": row, "to": to, "moment": now, "latest": since}
        step = {"row": to, "moment": known}
    text, bound = version.text(moment + AHEAD)
    statement = evaluation.INSERT_HITS if kind.of_transaction else INSERT_MOMENTS
    found = evaluation.attempt(cursor, statement.format(scope="WITH", text=text), {**bound, **values})
    if isinstance(found, str):
        _fail(cursor, version, found, findings)
        return False
    done = not more and version.end is not None and reached >= version.end + kind.late
    cursor.execute(SET_CURSOR, {"version": version.id, **step, "done": done, "more": more})
    if found:
        findings.hits[version.id] = findings.hits.get(version.id, 0) + len(found)
        evaluation.place(cursor, [(version, found)])
    return more


def _fail(cursor: Any, version: Judging, error: str, findings: Findings) -> None:
    findings.failed[version.id] = error
    cursor.execute(SET_ERROR, {"version": version.id, "error": error[:200]})


def _last_bucket(moment: datetime) -> datetime:
    """The beginning of the last bucket that has ended."""
    seconds = int(moment.timestamp())
    return moment.fromtimestamp(seconds - seconds % BUCKET_S - BUCKET_S, moment.tzinfo)


def _cursor(cursor: Any, version: Judging) -> tuple[int, datetime | None, int, bool]:
    """How far a version has come: the last row, and the latest acceptance or bucket; how often it has
    failed since, and whether it is left alone for that.
    """
    cursor.execute(SELECT_CURSOR, (version.id,))
    row, moment, attempts, is_left = cursor.fetchone() or (0, None, 0, False)
    if moment is None and not row and not is_left and isinstance(version.kind, ClockKind):
        if version.kind.walks == "buckets":
            cursor.execute(SELECT_FIRST_BUCKET)
            first = cursor.fetchone()[0] or version.begin
            moment = max(version.begin, first) - timedelta(seconds=1)
        else:
            reach = timedelta(seconds=version.kind.memory_s) + 2 * AHEAD
            row = _row_before(cursor, version.begin - reach)
    return row, moment, attempts, is_left


def _row_before(cursor: Any, moment: datetime) -> int:
    """A row before all that were accepted since a moment: by halves, as ids are in that order."""
    cursor.execute(SELECT_LAST_ROW)
    low, high = 0, cursor.fetchone()[0]
    while low < high:
        middle = (low + high) // 2
        cursor.execute(SELECT_AT, (middle,))
        found = cursor.fetchone()
        if found is not None and found[1] < moment:
            low = found[0]
        else:
            high = middle
    return int(low)
