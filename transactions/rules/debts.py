"""Debt: what is stored and not judged yet, as rows; and how it is paid, by the same statements.

A debt's cursor moves in the transaction of its hits. What fails is tried again later and later, with
fewer rows at a time, and holds up nobody else's.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

import psycopg2
from psycopg2.extras import Json

from ..stores.crash_points import crash_point
from ..stores.postgres_session import Session
from . import evaluation, gate
from .evaluation import Findings, Touched
from .locks import impatient
from .models import Debt
from .versions import judging

log = logging.getLogger(__name__)

DEBT = Debt._meta.db_table

# Rows judged by one transaction, halved with each attempt.
SLICE_ROWS = 10_000
SLICE_ROWS_MIN = 100
# And with each attempt rules are given more time, up to so many times as much as of a chunk.
TIMES_MAX = 4
# Seconds until the next attempt: doubled each time, up to the last.
RETRY_S, RETRY_S_MAX = 5, 600
# Rows that settled, in one row of debt.
IDS_MAX = 50_000

INSERT = f"""
    INSERT INTO {DEBT} (version_id, first_id, last_id, ids, since, since_id, until, count_in_gate, records,
                        due_at, attempts, error)
    VALUES (%(version)s, %(first)s, %(last)s, %(ids)s, %(since)s, %(since_id)s, %(until)s, %(count_in_gate)s,
            %(records)s, coalesce(%(due_at)s, now()), %(attempts)s, %(error)s) RETURNING id
"""
# Purpose: the next range of the same flush joins the debt of the one before.
EXTEND = f"""
    UPDATE {DEBT} SET last_id = %(last)s, ids = ids || %(ids)s, records = records + %(records)s
     WHERE id = %(id)s AND last_id < %(first)s AND jsonb_array_length(ids) < {IDS_MAX}
"""
# Purpose: the next debt to pay. Of a version that failed lately nothing is tried until it is its time.
SELECT_DUE = f"""
    SELECT id, version_id, first_id, last_id, ids, since, since_id, until, count_in_gate, attempts
      FROM {DEBT} d
     WHERE due_at <= now()
       AND NOT EXISTS (SELECT FROM {DEBT} f
                        WHERE f.version_id = d.version_id AND f.error <> '' AND f.due_at > now())
     ORDER BY error <> '', id LIMIT 1
"""
# Purpose: the debt of a version that a further range may join.
SELECT_OPEN = f"""
    SELECT max(id) FROM {DEBT}
     WHERE version_id = %s AND error = '' AND last_id IS NOT NULL AND NOT count_in_gate
"""
MOVE = f"""
    UPDATE {DEBT} SET first_id = %(first)s, last_id = %(last)s, ids = %(ids)s, since = %(since)s,
                      since_id = %(since_id)s, records = greatest(0, records - %(rows)s),
                      attempts = 0, error = ''
     WHERE id = %(id)s
"""
DELETE = f"DELETE FROM {DEBT} WHERE id = %s"
# The window is that of a failure: whoever was told of it looks again in so many seconds.
POSTPONE = f"""
    UPDATE {DEBT} SET attempts = attempts + 1, error = %(error)s,
                      due_at = now() + make_interval(secs => %(secs)s)
     WHERE id = %(id)s
"""
# Purpose: where a slice of what happened since a moment ended.
LAST_TOUCHED = "SELECT created_at, id FROM rule_touched ORDER BY created_at DESC, id DESC LIMIT 1"


class Owed(NamedTuple):
    """A row of debt, see the model."""

    id: int
    version: int | None
    first: int | None
    last: int | None
    ids: list[int]
    since: datetime | None
    since_id: int | None
    until: datetime | None
    count_in_gate: bool
    attempts: int


class Failed(Exception):
    """A version's debt could not be paid."""


def owe(
    cursor: Any,
    *,
    version: int | None = None,
    first: int | None = None,
    last: int | None = None,
    ids: list[int] | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    count_in_gate: bool = False,
    records: int = 0,
    due_at: datetime | None = None,
    error: str = "",
) -> int:
    """Writes a row of debt, in the cursor's transaction; its key."""
    cursor.execute(
        INSERT,
        {
            "version": version,
            "first": first,
            "last": last,
            "ids": Json(ids or []),
            "since": since,
            "since_id": None if since is None else 0,
            "until": until,
            "count_in_gate": count_in_gate,
            "records": records,
            "due_at": due_at,
            "attempts": int(bool(error)),
            "error": error,
        },
    )
    return int(cursor.fetchone()[0])


def open_debt(cursor: Any, version: int) -> int | None:
    """The debt of a version that its next range may join, if there is one."""
    cursor.execute(SELECT_OPEN, (version,))
    found: int | None = cursor.fetchone()[0]
    return found


def extend(cursor: Any, debt: int, first: int, last: int, ids: list[int], records: int) -> bool:
    """Lets a range join an earlier debt; False where that is gone or full."""
    cursor.execute(EXTEND, {"id": debt, "first": first, "last": last, "ids": Json(ids), "records": records})
    return bool(cursor.rowcount)


def pay(session: Session, go_on: Callable[[], bool], tell: Callable[[Findings], None]) -> None:
    """Pays what is due, slice by slice, at least one, while `go_on`; `tell` is told of each.

    By the one who stores. Raises psycopg2.Error for what is no rule's fault.
    """
    while True:
        with impatient(session) as cursor:
            cursor.execute(SELECT_DUE)
            found = cursor.fetchone()
        if found is None:
            return
        debt = Owed(*found)
        try:
            with impatient(session) as cursor:
                findings = _pay_slice(cursor, debt)
            tell(findings)
        except psycopg2.InterfaceError:
            raise
        except Exception as error:
            # Where the connection is gone, this fails too.
            _postpone(session, debt, str(error).partition("\n")[0][:200])
        if not go_on():
            return


def _postpone(session: Session, debt: Owed, error: str) -> None:
    seconds = min(RETRY_S_MAX, RETRY_S * 2**debt.attempts)
    log.error("Rules could not judge what is stored (debt %s): %s; again in %s s", debt.id, error, seconds)
    with impatient(session) as cursor:
        cursor.execute(POSTPONE, {"id": debt.id, "error": error or "unknown", "secs": seconds})


def _pay_slice(cursor: Any, debt: Owed) -> Findings:
    """Judges the next rows of a debt, and moves its cursor, in the cursor's transaction."""
    evaluation.prepare(cursor)
    cursor.execute(evaluation.limit(times=min(debt.attempts + 1, TIMES_MAX)))
    rest = _touch(cursor, debt)
    touched = evaluation.describe(cursor)
    findings = Findings()
    if touched is not None:
        findings = _judge(cursor, debt, touched)
    crash_point("debt.amid")
    if rest is None:
        cursor.execute(DELETE, (debt.id,))
    else:
        cursor.execute(
            MOVE,
            {
                "id": debt.id,
                "first": rest.first,
                "last": rest.last,
                "ids": Json(rest.ids),
                "since": rest.since,
                "since_id": rest.since_id,
                "rows": 0 if touched is None else touched.rows,
            },
        )
    return findings


def _judge(cursor: Any, debt: Owed, touched: Touched) -> Findings:
    if debt.count_in_gate and gate.is_kept(cursor):
        gate.count_touched(cursor, newest=False)
    else:
        gate.look_up(cursor)
    versions = [version for version in judging(cursor) if debt.version in (None, version.id)]
    findings = evaluation.evaluate(cursor, versions, touched)
    if touched.future:
        owe(cursor, version=debt.version, ids=touched.future, records=len(touched.future), due_at=touched.hi)
    if debt.version in findings.failed:
        raise Failed(findings.failed[debt.version])
    for version, error in findings.failed.items():
        owe_slice(cursor, version, touched, error)
    for version in findings.put_off:
        owe_slice(cursor, version, touched, "")
    return findings


# Purpose: the ids of what was touched.
TOUCHED_IDS = "SELECT coalesce(array_agg(id ORDER BY id), '{}') FROM rule_touched"


def owe_slice(cursor: Any, version: int, touched: Touched, error: str) -> None:
    """A version owes the touched rows."""
    cursor.execute(TOUCHED_IDS)
    ids = cursor.fetchone()[0]
    owe(cursor, version=version, ids=ids, records=touched.rows, error=error)


def _touch(cursor: Any, debt: Owed) -> Owed | None:
    """Touches the next rows of a debt; what is left of it then, None if nothing."""
    size = max(SLICE_ROWS_MIN, SLICE_ROWS >> min(debt.attempts, 20))
    if debt.first is not None and debt.last is not None:
        last = min(debt.first + size - 1, debt.last)
        cursor.execute(evaluation.TOUCH_RANGE, {"first": debt.first, "last": last, "is_new": True})
        more = debt._replace(first=last + 1) if last < debt.last else debt._replace(first=None, last=None)
        return more if more.first is not None or more.ids or more.since is not None else None
    if debt.ids:
        cursor.execute(evaluation.TOUCH_IDS, {"ids": debt.ids[:size], "is_new": False})
        more = debt._replace(ids=debt.ids[size:])
        return more if more.ids or more.since is not None else None
    if debt.since is None:
        return None
    cursor.execute(
        evaluation.TOUCH_SINCE,
        {
            "since": debt.since,
            "since_id": debt.since_id,
            "until": debt.until,
            "rows": size,
            "is_new": False,
        },
    )
    if cursor.rowcount < size:
        return None
    cursor.execute(LAST_TOUCHED)
    since, since_id = cursor.fetchone()
    return debt._replace(since=since, since_id=since_id)
