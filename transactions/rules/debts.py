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
from . import evaluation, gate, retrying, slices
from .evaluation import Findings, Touched
from .locks import impatient, share
from .models import Debt
from .versions import judging

log = logging.getLogger(__name__)

DEBT = Debt._meta.db_table

# Rows judged by one transaction, halved with each attempt that fails.
SLICE_ROWS = 10_000
SLICE_ROWS_MIN = 100
# Users looked at by one transaction, of what happened in a time; most may have nothing in it.
SLICE_USERS = 5_000
# Rows that settled, in one row of debt.
IDS_MAX = 50_000
# Rows of one chunk from the future that are owed by their ids; of more their range is.
FUTURE_IDS_MAX = 1_000

# Purpose: something is owed.
INSERT = f"""
    INSERT INTO {DEBT} (version_id, first_id, last_id, ids, since, after_user, until, count_in_gate, records,
                        due_at, attempts, error)
    VALUES (%(version)s, %(first)s, %(last)s, %(ids)s, %(since)s, %(after_user)s, %(until)s,
            %(count_in_gate)s, %(records)s, coalesce(%(due_at)s, now()), %(attempts)s, %(error)s) RETURNING id
"""
# Purpose: the next range of the same flush joins the debt of the one before.
EXTEND = f"""
    UPDATE {DEBT} SET last_id = %(last)s, ids = ids || %(ids)s, records = records + %(records)s
     WHERE id = %(id)s AND last_id < %(first)s AND jsonb_array_length(ids) < {IDS_MAX}
"""
# Purpose: the next debt to pay. Of a version that failed lately nothing is tried until it is its time.
SELECT_DUE = f"""
    SELECT id, version_id, first_id, last_id, ids, since, after_user, until, count_in_gate, attempts
      FROM {DEBT} d
     WHERE due_at <= now()
       AND NOT EXISTS (SELECT FROM {DEBT} f
                        WHERE f.version_id = d.version_id AND f.error <> '' AND f.due_at > now())
     ORDER BY error <> '', id LIMIT 1
"""
# Purpose: the debt of a version that a further range may join: not one that waits for its rows' minute.
SELECT_OPEN = f"""
    SELECT max(id) FROM {DEBT}
     WHERE version_id = %s AND error = '' AND last_id IS NOT NULL AND NOT count_in_gate AND due_at <= now()
"""
# Purpose: a slice of a debt is paid. One that failed keeps its error until its slices are whole again: until
# then its version owes each chunk at once, which would cost every chunk as much as it may take.
MOVE = f"""
    UPDATE {DEBT} SET first_id = %(first)s, last_id = %(last)s, ids = %(ids)s, after_user = %(after_user)s,
                      records = greatest(0, records - %(rows)s),
                      attempts = {retrying.sql_one_less("attempts")},
                      error = CASE WHEN attempts > 1 THEN error ELSE '' END
     WHERE id = %(id)s
"""
# Purpose: all of a debt is paid.
DELETE = f"DELETE FROM {DEBT} WHERE id = %s"
# The window is that of a failure: whoever was told of it looks again in so many seconds.
POSTPONE = f"""
    UPDATE {DEBT} SET attempts = attempts + 1, error = %(error)s,
                      due_at = now() + make_interval(secs => %(secs)s)
     WHERE id = %(id)s
"""


class Owed(NamedTuple):
    """A row of debt, see the model."""

    id: int
    version: int | None
    first: int | None
    last: int | None
    ids: list[int]
    since: datetime | None
    after_user: int | None
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
    """Writes a row of debt, in the cursor's transaction; its key.

    What happened in a time (`since`) is owed by one version, and is due when all of that has begun.
    """
    cursor.execute(
        INSERT,
        {
            "version": version,
            "first": first,
            "last": last,
            "ids": Json(ids or []),
            "since": since,
            "after_user": None if since is None else 0,
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

    By the one who stores. While somebody changes what is judged by nothing is paid, and the next call goes
    on. Raises psycopg2.Error for what is no rule's fault.
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
            if findings is None:
                return
            tell(findings)
        except psycopg2.InterfaceError:
            raise
        except Exception as error:
            # Where the connection is gone, this fails too.
            _postpone(session, debt, str(error).partition("\n")[0][:200])
        if not go_on():
            return


def _postpone(session: Session, debt: Owed, error: str) -> None:
    seconds = retrying.wait_s(debt.attempts)
    log.error("Rules could not judge what is stored (debt %s): %s; again in %s s", debt.id, error, seconds)
    with impatient(session) as cursor:
        cursor.execute(POSTPONE, {"id": debt.id, "error": error or "unknown", "secs": seconds})


def _pay_slice(cursor: Any, debt: Owed) -> Findings | None:
    """Judges the next rows of a debt, and moves its cursor, in the cursor's transaction.

    None where somebody changes what is judged by: what begins with this minute may not be seen yet.
    """
    if not share(cursor):
        return None
    evaluation.prepare(cursor)
    cursor.execute(evaluation.limit(times=retrying.times(debt.attempts)))
    size = retrying.rows(SLICE_ROWS, SLICE_ROWS_MIN, debt.attempts)
    if debt.first is None and not debt.ids and debt.since is not None:
        findings, rows, rest = _judge_users(cursor, debt, size)
    else:
        findings, rows, rest = _judge_rows(cursor, debt, size)
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
                "after_user": rest.after_user,
                "rows": rows,
            },
        )
    return findings


def _judge_users(cursor: Any, debt: Owed, size: int) -> tuple[Findings, int, Owed | None]:
    """Judges all that the next users did in the time of a debt, by slices of users as a backtest does: of
    what comes one after the other in time nearly every row is another user's, with a window of its own.

    What came of it, how many rows that were, and what is left. Raises Failed.
    """
    assert debt.since is not None
    assert debt.until is not None
    version = next((each for each in judging(cursor) if each.id == debt.version), None)
    if version is None:
        return Findings(), 0, None
    if version.unreadable:
        raise Failed(version.unreadable)
    asked = {"after": debt.after_user or 0, "window_s": version.kind.window_s, "users": SLICE_USERS}
    looked, last = slices.look(cursor, version.id, debt.since, debt.until, **asked, rows=size)
    if not looked:
        return Findings(), 0, None
    findings = evaluation.evaluate_looked_at(cursor, version)
    if version.id in findings.failed:
        raise Failed(findings.failed[version.id])
    return findings, slices.count_rows(cursor, version.id), debt._replace(after_user=last)


def _judge_rows(cursor: Any, debt: Owed, size: int) -> tuple[Findings, int, Owed | None]:
    """Judges the next rows of a debt, by their ids; as `_judge_users`."""
    part, rest = _touch(cursor, debt, size)
    touched = evaluation.describe(cursor)
    if touched is None:
        return Findings(), 0, rest
    return _judge(cursor, part, touched), touched.rows, rest


def _judge(cursor: Any, part: Owed, touched: Touched) -> Findings:
    """Judges the touched rows, of a part of a debt. Raises Failed where the version of the debt fails."""
    if part.count_in_gate and gate.is_kept(cursor):
        gate.count_touched(cursor, newest=False)
    else:
        gate.look_up(cursor)
    versions = [version for version in judging(cursor) if part.version in (None, version.id)]
    # Of all versions those that failed lately are not tried with each slice: it joins what they owe.
    failing = [version for version in versions if part.version is None and version.stuck]
    findings = evaluation.evaluate(cursor, [v for v in versions if v not in failing], touched)
    if touched.future:
        owe_future(cursor, part.version, touched)
    if part.version in findings.failed:
        raise Failed(findings.failed[part.version])
    for version, error in findings.failed.items():
        owe_part(cursor, version, part, touched.rows, error)
    for version in (*findings.put_off, *(each.id for each in evaluation.concerned(failing, touched))):
        owe_part(cursor, version, part, touched.rows)
    return findings


def owe_future(cursor: Any, version: int | None, touched: Touched) -> None:
    """Owes touched rows whose minute has not begun, until it has; beside other rows where they are many."""
    number = len(touched.future)
    if number <= FUTURE_IDS_MAX:
        owe(cursor, version=version, ids=touched.future, records=number, due_at=touched.hi)
    else:
        first, last = min(touched.future), max(touched.future)
        owe(cursor, version=version, first=first, last=last, records=number, due_at=touched.hi)


def owe_part(cursor: Any, version: int, part: Owed, records: int, error: str = "") -> None:
    """A version owes a part of what all of them owed; the next part joins it, unless it failed with this."""
    if not error and part.first is not None and part.last is not None:
        known = open_debt(cursor, version)
        if known is not None and extend(cursor, known, part.first, part.last, [], records):
            return
    owe(cursor, version=version, first=part.first, last=part.last, ids=part.ids, records=records, error=error)


def _touch(cursor: Any, debt: Owed, size: int) -> tuple[Owed, Owed | None]:
    """Touches the next rows of a debt: that part of it, and what is left then, None if nothing."""
    none = debt._replace(first=None, last=None, ids=[], since=None)
    if debt.first is not None and debt.last is not None:
        last = min(debt.first + size - 1, debt.last)
        cursor.execute(evaluation.TOUCH_RANGE, {"first": debt.first, "last": last, "is_new": True})
        part = none._replace(first=debt.first, last=last)
        more = debt._replace(first=last + 1) if last < debt.last else debt._replace(first=None, last=None)
    else:
        cursor.execute(evaluation.TOUCH_IDS, {"ids": debt.ids[:size], "is_new": False})
        part, more = none._replace(ids=debt.ids[:size]), debt._replace(ids=debt.ids[size:])
    return part, more if more.first is not None or more.ids or more.since is not None else None
