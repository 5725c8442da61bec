"""Debt: what is stored and not judged yet, as rows; and how it is paid, by the same statements.

A debt's cursor moves in the transaction of its hits. What fails is tried again later and later, with
fewer rows at a time, and holds up nobody else's. What ran out of time is tried with fewer at once: it would
take no less time later.

A range is paid user by user. In the order of ids nearly every row of a slice is another user's, and the
window of each would be read again with every slice in which there is a row of that user.
"""

import logging
import time
from collections.abc import Callable
from datetime import datetime
from enum import Enum
from typing import Any, NamedTuple

import psycopg2
from psycopg2.extras import Json

from ..models import Transaction
from ..stores.crash_points import crash_point
from ..stores.postgres_session import Session
from . import evaluation, gate, retrying, slices
from .evaluation import Findings, Touched
from .locks import impatient, share
from .models import Debt
from .versions import judging

log = logging.getLogger(__name__)

DEBT, TABLE = Debt._meta.db_table, Transaction._meta.db_table

# Rows judged by one transaction, halved with each attempt that fails.
SLICE_ROWS = 10_000
SLICE_ROWS_MIN = 100
# Of a range so many ids are gone through user by user, and then the next: each slice reads all of them.
SEGMENT_IDS = 500_000
# Users looked at by one transaction, of what happened in a time; most may have nothing in it. Likewise.
SLICE_USERS = 5_000
SLICE_USERS_MIN = 50
# Rows that settled, in one row of debt.
IDS_MAX = 50_000
# Rows of one chunk from the future that are owed by their ids; of more their range is.
FUTURE_IDS_MAX = 1_000

# Whether `earliest` of a row of debt {d} holds of all of it, and not only of what was owed before the release
# before added to it.
EARLIEST_IS_KNOWN = """(
    {d}.earliest IS NOT NULL
    AND ({d}.last_id IS NULL OR {d}.last_id = {d}.earliest_last_id)
    AND ({d}.ids = '[]' OR ({d}.ids ->> -1)::bigint = {d}.earliest_last_of_ids)
)"""

# Purpose: something is owed.
INSERT = f"""
    INSERT INTO {DEBT} (version_id, first_id, last_id, ids, since, after_user, until, earliest,
                        earliest_last_id, earliest_last_of_ids, count_in_gate, records, due_at, attempts,
                        error)
    VALUES (%(version)s, %(first)s, %(last)s, %(ids)s, %(since)s, %(after_user)s, %(until)s, %(earliest)s,
            %(last)s, (%(ids)s::jsonb ->> -1)::bigint, %(count_in_gate)s, %(records)s,
            coalesce(%(due_at)s, now()), %(attempts)s, %(error)s) RETURNING id
"""
# Purpose: the next range of the same flush joins the debt of the one before, whose slices have not begun, and
# of which is known when the first of it happened: or that of both would not be known.
EXTEND = f"""
    UPDATE {DEBT} SET last_id = %(last)s, ids = ids || %(ids)s, records = records + %(records)s,
                      earliest = least(earliest, %(earliest)s),
                      earliest_last_id = %(last)s, earliest_last_of_ids = ((ids || %(ids)s) ->> -1)::bigint
     WHERE id = %(id)s AND last_id < %(first)s AND after_user IS NULL
       AND {EARLIEST_IS_KNOWN.format(d=DEBT)} AND jsonb_array_length(ids) < {IDS_MAX}
"""
# Purpose: a version owes by itself all that is left of what all versions owe.
SPLIT = f"""
    INSERT INTO {DEBT} (version_id, first_id, last_id, ids, after_user, after_id, earliest, earliest_last_id,
                        earliest_last_of_ids, count_in_gate, records, due_at, attempts, error, split_from)
    SELECT %(version)s, first_id, last_id, ids, after_user, after_id, earliest, earliest_last_id,
           earliest_last_of_ids, false, records, now(), %(attempts)s, %(error)s, id
      FROM {DEBT} WHERE id = %(id)s
"""
# Purpose: the same, where it joins a debt of that version, unless that waits for another one.
JOIN = f"""
    UPDATE {DEBT} d
       SET last_id = a.last_id, ids = d.ids || a.ids, records = d.records + a.records, split_from = a.id,
           earliest = least(d.earliest, a.earliest), earliest_last_id = a.last_id,
           earliest_last_of_ids = ((d.ids || a.ids) ->> -1)::bigint
      FROM {DEBT} a
     WHERE a.id = %(id)s AND d.id = %(joined)s AND d.last_id < a.first_id AND d.after_user IS NULL
       AND {EARLIEST_IS_KNOWN.format(d="d")} AND {EARLIEST_IS_KNOWN.format(d="a")}
       AND jsonb_array_length(d.ids) < {IDS_MAX}
       AND NOT EXISTS (SELECT FROM {DEBT} other WHERE other.id = d.split_from)
"""
# Purpose: the versions that owe by themselves what is left of a debt of all.
SELECT_SPLIT = f"SELECT version_id FROM {DEBT} WHERE split_from = %s"
# Purpose: the next debt to pay. Of a version that failed lately nothing is tried until it is its time; and
# what it owes of a debt of all comes after that, when all of the rows are counted in users' states.
SELECT_DUE = f"""
    SELECT id, version_id, first_id, last_id, ids, since, after_user, after_id, until, count_in_gate, attempts
      FROM {DEBT} d
     WHERE due_at <= now()
       AND NOT EXISTS (SELECT FROM {DEBT} a WHERE a.id = d.split_from)
       AND NOT EXISTS (SELECT FROM {DEBT} f
                        WHERE f.version_id = d.version_id AND f.error <> '' AND f.due_at > now())
     ORDER BY error <> '', id LIMIT 1
"""
# Purpose: the debt of a version that a further range may join: not one that waits for its rows' minute.
SELECT_OPEN = f"""
    SELECT max(id) FROM {DEBT}
     WHERE version_id = %s AND error = '' AND last_id IS NOT NULL AND NOT count_in_gate AND due_at <= now()
       AND after_user IS NULL
"""
# Purpose: a slice of a debt is paid. One that failed keeps its error until its slices are whole again: until
# then its version owes each chunk at once, which would cost every chunk as much as it may take. Slices grow
# while the next one may be expected to be in time.
MOVE = f"""
    UPDATE {DEBT} SET first_id = %(first)s, last_id = %(last)s, ids = %(ids)s, after_user = %(after_user)s,
                      after_id = %(after_id)s, records = greatest(0, records - %(rows)s),
                      attempts = CASE WHEN %(grow)s THEN {retrying.sql_one_less("attempts")} ELSE attempts
                                 END,
                      error = CASE WHEN %(grow)s AND attempts <= 1 THEN '' ELSE error END
     WHERE id = %(id)s
"""
# Purpose: all of a debt is paid.
DELETE = f"DELETE FROM {DEBT} WHERE id = %s"
# Purpose: the next rows of a range, user by user. Without the fence the planner might walk along the rows of
# all users.
TOUCH_NEXT = f"""
    INSERT INTO rule_touched
    SELECT id, user_id, created_at, accepted_at, amount, status, true
      FROM (SELECT id, user_id, created_at, accepted_at, amount, status FROM {TABLE}
             WHERE id >= %(first)s AND id <= %(last)s OFFSET 0) r
     WHERE %(after_user)s::bigint IS NULL OR (user_id, id) > (%(after_user)s, %(after_id)s)
     ORDER BY user_id, id LIMIT %(rows)s
"""
# Purpose: how many rows were touched, and the last one in that order.
SELECT_TOUCHED = """
    SELECT user_id, id, (SELECT count(*) FROM rule_touched)
      FROM rule_touched ORDER BY user_id DESC, id DESC LIMIT 1
"""
# Purpose: a debt could not be paid, and is left alone for a while.
POSTPONE = f"""
    UPDATE {DEBT} SET attempts = attempts + 1, error = %(error)s,
                      due_at = now() + make_interval(secs => %(secs)s)
     WHERE id = %(id)s
"""


class Owing(Enum):
    """What a row of debt stands for, see the model."""

    RANGE = "range"
    IDS = "ids"
    TIME = "time"


class Owed(NamedTuple):
    """A row of debt."""

    id: int
    version: int | None
    first: int | None
    last: int | None
    ids: list[int]
    since: datetime | None
    after_user: int | None
    after_id: int | None
    until: datetime | None
    count_in_gate: bool
    attempts: int

    @property
    def what(self) -> Owing:
        """By which columns are null; the database holds each row to one of these."""
        if self.since is not None:
            return Owing.TIME
        return Owing.IDS if self.first is None else Owing.RANGE


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
    earliest: datetime | None = None,
    count_in_gate: bool = False,
    records: int = 0,
    due_at: datetime | None = None,
    error: str = "",
) -> int:
    """Writes a row of debt, in the cursor's transaction; its key.

    What happened in a time (`since`) is owed by one version, and is due when all of that has begun. Of
    anything else `earliest` says when the first of it happened: without that pruning has to look for it.
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
            "earliest": since if earliest is None else earliest,
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


def extend(
    cursor: Any,
    debt: int,
    *,
    first: int,
    last: int,
    ids: list[int],
    records: int,
    earliest: datetime | None,
) -> bool:
    """Lets a range, whose first row happened at `earliest`, join an earlier debt. False where that is gone or
    full, or where nobody knows when the first row of that happened.
    """
    joins = {"id": debt, "first": first, "last": last, "ids": Json(ids), "records": records}
    cursor.execute(EXTEND, {**joins, "earliest": earliest})
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
        debt, began = Owed(*found), time.monotonic()
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
            took_s = time.monotonic() - began
            _postpone(session, debt, str(error).partition("\n")[0][:200], took_s)
        if not go_on():
            return


def _postpone(session: Session, debt: Owed, error: str, took_s: float) -> None:
    ran_out = took_s >= evaluation.RULE_MS_MAX / 1000 * retrying.times(debt.attempts)
    seconds = retrying.wait_s(debt.attempts, ran_out=ran_out)
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
    # Which rows are next is found before a rule's time begins: of a long range that takes as long for few of
    # them as for many.
    cursor.execute(evaluation.PLAN_ALONG_INDEXES)
    size = retrying.rows(SLICE_ROWS, SLICE_ROWS_MIN, debt.attempts)
    judge = _judge_users if debt.what is Owing.TIME else _judge_rows
    findings, rows, rest = judge(cursor, debt, size)
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
                "after_id": rest.after_id,
                "rows": rows,
                "grow": _may_grow(debt, findings),
            },
        )
    return findings


def _may_grow(debt: Owed, findings: Findings) -> bool:
    """Whether twice as many rows may be expected to be judged in the time that they will have."""
    bound_s = evaluation.RULE_MS_MAX / 1000 * retrying.times(max(0, debt.attempts - 1))
    return 2 * max(findings.seconds.values(), default=0.0) <= bound_s


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
    users = retrying.rows(SLICE_USERS, SLICE_USERS_MIN, debt.attempts)
    asked = {"after": debt.after_user or 0, "window_s": version.kind.window_s, "users": users}
    looked, last = slices.look(cursor, version.id, debt.since, debt.until, **asked, rows=size)
    if not looked:
        return Findings(), 0, None
    _limit(cursor, debt)
    findings = evaluation.evaluate_looked_at(cursor, version)
    if version.id in findings.failed:
        raise Failed(findings.failed[version.id])
    return findings, slices.count_rows(cursor, version.id), debt._replace(after_user=last)


def _judge_rows(cursor: Any, debt: Owed, size: int) -> tuple[Findings, int, Owed | None]:
    """Judges the next rows of a debt, of a range or by their ids; as `_judge_users`."""
    rest = _touch(cursor, debt, size)
    touched = evaluation.describe(cursor)
    if touched is None:
        return Findings(), 0, rest
    _limit(cursor, debt)
    return _judge(cursor, debt, touched), touched.rows, rest


def _limit(cursor: Any, debt: Owed) -> None:
    """From here on each statement has the time of a rule, more of it after failures."""
    cursor.execute(evaluation.limit(times=retrying.times(debt.attempts)))


def _judge(cursor: Any, debt: Owed, touched: Touched) -> Findings:
    """Judges the touched rows of a debt. Raises Failed where the version of the debt fails.

    A version that fails, or has no time left, owes by itself what is left of a debt of all.
    """
    if debt.count_in_gate and gate.is_kept(cursor):
        gate.count_touched(cursor, newest=False)
    else:
        gate.look_up(cursor)
    cursor.execute(SELECT_SPLIT, (debt.id,))
    split = {row[0] for row in cursor.fetchall()}
    versions = [v for v in judging(cursor) if debt.version in (None, v.id) and v.id not in split]
    # Of all versions those that failed lately are not tried with each slice.
    failing = [version for version in versions if debt.version is None and version.stuck]
    findings = evaluation.evaluate(cursor, [v for v in versions if v not in failing], touched)
    if touched.future:
        owe_future(cursor, debt.version, touched, scattered=debt.what is Owing.RANGE)
    if debt.version in findings.failed:
        raise Failed(findings.failed[debt.version])
    for version, error in findings.failed.items():
        _split(cursor, debt, version, error)
    for version in (*findings.put_off, *(each.id for each in evaluation.concerned(failing, touched))):
        _split(cursor, debt, version)
    return findings


def owe_future(cursor: Any, version: int | None, touched: Touched, *, scattered: bool = False) -> None:
    """Owes touched rows whose minute has not begun, until it has; where they are many, and not `scattered`
    among others, as a range beside other rows.
    """
    number = len(touched.future)
    owed: dict[str, Any] = {"version": version, "records": number, "due_at": touched.hi}
    if scattered or number <= FUTURE_IDS_MAX:
        owe(cursor, **owed, ids=touched.future, earliest=touched.horizon)
    else:
        first, last = min(touched.future), max(touched.future)
        owe(cursor, **owed, first=first, last=last, earliest=touched.lo)


def _split(cursor: Any, debt: Owed, version: int, error: str = "") -> None:
    """A version owes by itself what is left of a debt of all; where nothing of that is paid yet, together
    with what it owes already, unless it failed with this.
    """
    if not error and debt.what is Owing.RANGE and debt.after_user is None:
        known = open_debt(cursor, version)
        if known is not None:
            cursor.execute(JOIN, {"id": debt.id, "joined": known})
            if cursor.rowcount:
                return
    asked = {"id": debt.id, "version": version, "attempts": int(bool(error)), "error": error}
    cursor.execute(SPLIT, asked)


def _touch(cursor: Any, debt: Owed, size: int) -> Owed | None:
    """Touches the next rows of a debt: what is left then, None if nothing."""
    if debt.what is Owing.RANGE:
        more = _touch_range(cursor, debt, size)
    else:
        cursor.execute(evaluation.TOUCH_IDS, {"ids": debt.ids[:size], "is_new": False})
        more = debt._replace(ids=debt.ids[size:])
    return more if more.what is Owing.RANGE or more.ids else None


def _touch_range(cursor: Any, debt: Owed, size: int) -> Owed:
    """The same of a range; once all of that is gone through what is left are ids."""
    first, last = debt.first, debt.last
    assert first is not None
    assert last is not None
    end = min(first + SEGMENT_IDS - 1, last)
    after = {"after_user": debt.after_user, "after_id": debt.after_id}
    cursor.execute(TOUCH_NEXT, {"first": first, "last": end, **after, "rows": size})
    cursor.execute(SELECT_TOUCHED)
    user, id, rows = cursor.fetchone() or (None, None, 0)
    if rows == size:
        return debt._replace(after_user=user, after_id=id)
    rest = debt._replace(after_user=None, after_id=None)
    return rest._replace(first=end + 1) if end < last else rest._replace(first=None, last=None)
