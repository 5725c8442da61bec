"""The clock: versions whose hits are facts of a moment, looked at after a flush.

Each goes on from where it was: along the rows, by id, which are in the order of their acceptance, or
along the buckets of a quarter of an hour. What was looked at once is not looked at again, and a version
that has ended is not once all of its time was. What fails is tried again later and later, from where it
was, with fewer rows or buckets and more time.
"""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import psycopg2

from ..stores.postgres_session import Session
from . import evaluation, retrying
from .evaluation import Findings
from .kinds.walks import AHEAD, BUCKET_S, ClockKind, ClockPlace
from .locks import share
from .models import ClockCursor, Hit
from .versions import Judging, judging

log = logging.getLogger(__name__)

HIT, CURSOR = Hit._meta.db_table, ClockCursor._meta.db_table

# Rows that one version walks over in one transaction.
ROWS_MAX = 50_000
ROWS_MIN = 500
# Quarters of an hour likewise: a week of them.
BUCKETS_MAX = 7 * 86_400 // BUCKET_S

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
    at, attempts, is_left = _cursor(cursor, version)
    if is_left:
        return False
    kind = version.kind
    if version.unreadable:
        _fail(cursor, version, version.unreadable, findings)
        return False
    assert isinstance(kind, ClockKind)
    cursor.execute(evaluation.limit(times=retrying.times(attempts)))
    most, least = {"rows": (ROWS_MAX, ROWS_MIN), "buckets": (BUCKETS_MAX, 1)}[kind.walks]
    size = retrying.rows(most, min(least, most), attempts)
    step = kind.step(cursor, at or kind.start(cursor, version.begin), moment, size, latest=moment - kind.wait)
    text, bound = version.text(moment + AHEAD)
    statement = evaluation.INSERT_HITS if kind.of_transaction else INSERT_MOMENTS
    found = evaluation.attempt(cursor, statement.format(scope="WITH", text=text), {**bound, **step.values})
    if isinstance(found, str):
        _fail(cursor, version, found, findings)
        return False
    done = not step.more and version.end is not None and step.reached >= version.end + kind.late
    reached = {"version": version.id, **step.end._asdict(), "done": done, "more": step.more}
    cursor.execute(SET_CURSOR, reached)
    if found:
        findings.hits[version.id] = findings.hits.get(version.id, 0) + len(found)
        evaluation.place(cursor, [(version, found)])
    return step.more


def _fail(cursor: Any, version: Judging, error: str, findings: Findings) -> None:
    findings.failed[version.id] = error
    cursor.execute(SET_ERROR, {"version": version.id, "error": error[:200]})


def _cursor(cursor: Any, version: Judging) -> tuple[ClockPlace | None, int, bool]:
    """How far a version has come, None where it has not begun; how often it has failed since, and whether it
    is left alone for that.
    """
    cursor.execute(SELECT_CURSOR, (version.id,))
    row, moment, attempts, is_left = cursor.fetchone() or (0, None, 0, False)
    at = None if moment is None and not row else ClockPlace(row, moment)
    return at, attempts, is_left
