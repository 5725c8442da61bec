"""Backtest: what a rule would have found in a range of history, by the text that judges live.

On one snapshot that writes nothing, users by the slice. PostgreSQL counts the hits of each slice, so
memory grows neither with history nor with hits. Beside another rule it tells what both find, and what
one of them alone.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model

from ..models import Transaction
from ..stores.postgres_session import Session
from . import evaluation, slices
from .backtest_result import BacktestResult, summary
from .kinds.gaps import in_full
from .kinds.kind import Bound, Kind
from .kinds.walks import BUCKET, BUCKET_S, ClockKind, ClockPlace

TABLE, USER = Transaction._meta.db_table, get_user_model()._meta.db_table

# What PostgreSQL shows the session as.
SESSION = "transactions backtest"
# A slice has so many users, and about so many rows, at most: it is watched and ended between two.
SLICE_USERS = 1_000
SLICE_ROWS = 100_000
# Of what is looked at by the quarter of an hour: a week.
SLICE_BUCKETS = 7 * 86_400 // BUCKET_S
HITS_AT_A_TIME = 5_000
# How long a whole run, and one slice of it, may take.
RUN_S_MAX, SLICE_MS_MAX = 3_600.0, 600_000

# A backend whose client is gone ends within seconds, and with it whatever its session held.
BEGIN = f"""
    SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;
    {evaluation.limit()}; SET LOCAL statement_timeout = {SLICE_MS_MAX};
    SET LOCAL idle_in_transaction_session_timeout = {SLICE_MS_MAX};
    SET LOCAL client_connection_check_interval = 2000
"""
# Purpose: how many users there are to go through, for the progress.
COUNT_USERS = f"SELECT count(*) FROM {USER}"
# Purpose: the slice is done with.
LOOK_AWAY = "DELETE FROM rule_look"
# Purpose: the hits of a slice, as they are handed out one by one: of users, of rows, and of moments.
FIND = f"{evaluation.SCOPE} SELECT * FROM ({{text}}) found ORDER BY user_id, created_at, id"
FIND_ROWS = "SELECT * FROM ({text}) found ORDER BY created_at, id"
FIND_MOMENTS = (
    "SELECT NULL::bigint, NULL::bigint, bucket, NULL::bigint, figures FROM ({text}) found ORDER BY bucket"
)
# Purpose: what rules that look at the clock have found, until it is summed up: their slices are no users'.
CREATE_FOUND = """
    CREATE TEMPORARY TABLE IF NOT EXISTS rule_found (
        other boolean, id bigint, user_id bigint, created_at timestamptz, amount bigint, figures jsonb
    ) ON COMMIT DELETE ROWS
"""
# Purpose: what one step of them found, and all that one of the two rules found.
KEEP_FOUND = "INSERT INTO rule_found SELECT {other}, found.* FROM ({text}) found"
FOUND = "SELECT id, user_id, created_at, amount, figures FROM rule_found WHERE other = {other}"
# Purpose: the moment of the snapshot, and its last row.
SELECT_NOW = f"SELECT now(), (SELECT coalesce(max(id), 0) FROM {TABLE})"

Progress = Callable[[int, int], bool]


class Cancelled(Exception):
    """Somebody ended the backtest."""


class Found(NamedTuple):
    """A hit: the row's key and what is known of it, or a moment alone."""

    transaction: int | None
    user: int | None
    moment: datetime
    amount: int | None
    figures: dict[str, Any]


def go_on(done: int, total: int) -> bool:
    """Progress that nobody asks for."""
    return True


def comparable(kind: Kind, beside: Kind | None) -> bool:
    """Whether two rules are about the same things: users' transactions, others, or quarters of an hour."""
    return beside is not None and _walks(kind) == _walks(beside)


def opened() -> Session:
    """The session that a backtest works in; it may hold a lock for as long."""
    return Session(SESSION, silence_s=RUN_S_MAX)


def run(
    kind: Kind,
    begin: datetime,
    end: datetime,
    *,
    beside: Kind | None = None,
    rule: int | None = None,
    timezone: str = "UTC",
    progress: Progress = go_on,
    session: Session | None = None,
) -> BacktestResult:
    """What `kind` finds of what happened from `begin` until before `end`, also beside another rule.

    With `rule`, its key, also which of its past alerts would have been raised. Hits are counted by days of
    `timezone`, an IANA name. `progress` is told of
    steps done and in all; where it returns False, Cancelled is raised. Raises psycopg2.Error too. Works
    in the `session` that is given, or in one of its own.
    """
    if session is None:
        with opened() as own:
            return run(
                kind,
                begin,
                end,
                beside=beside,
                rule=rule,
                timezone=timezone,
                progress=progress,
                session=own,
            )
    began = time.monotonic()
    beside = beside if comparable(kind, beside) else None
    result = BacktestResult(begin, end, timezone)
    if beside is not None:
        result.both = result.only_this = result.only_other = result.other_episodes = 0
    with _snapshot(session) as cursor:
        values = {"begin": begin, "end": end, "version": 0, "rule": rule, "days_of": in_full(timezone)}
        if isinstance(kind, ClockKind):
            _keep_found(cursor, kind, beside, begin, end, progress)
            this, other = FOUND.format(other=False), None if beside is None else FOUND.format(other=True)
            cursor.execute(summary(this, other, scope=None, rule=rule), values)
            result.add(cursor.fetchone())
        else:
            bound, bound_beside = Bound("this_"), Bound("other_")
            this, other = kind.sql(bound), None if beside is None else beside.sql(bound_beside)
            text = summary(this, other, scope=evaluation.SCOPE, rule=rule)
            window_s = max(kind.window_s, 0 if beside is None else beside.window_s)
            for _ in _slices(cursor, begin, end, window_s, progress):
                cursor.execute(text, {**values, **bound.values, **bound_beside.values})
                result.add(cursor.fetchone())
        result.show(cursor, kind)
    result.seconds = round(time.monotonic() - began, 3)
    return result


def find(
    kind: Kind,
    begin: datetime,
    end: datetime,
    progress: Progress = go_on,
    session: Session | None = None,
) -> Iterator[Found]:
    """The hits themselves, each user's in the order of time; in the `session` given, or in one of its own."""
    with opened() if session is None else nullcontext(session) as one, _snapshot(one) as cursor:
        if isinstance(kind, ClockKind):
            for values in _clock_steps(cursor, kind, begin, end, progress):
                yield from _rows(cursor, _template(kind), kind, values)
        else:
            for _ in _slices(cursor, begin, end, kind.window_s, progress):
                yield from _rows(cursor, FIND, kind, {"begin": begin, "end": end, "version": 0})


@contextmanager
def _snapshot(session: Session) -> Iterator[Any]:
    """A cursor in a transaction that sees one moment and writes nothing but temporary tables."""
    with session.transaction() as cursor:
        evaluation.prepare(cursor)
        cursor.execute(CREATE_FOUND)
    with session.transaction() as cursor:
        cursor.execute(BEGIN)
        yield cursor


def _walks(kind: Kind) -> str:
    return kind.walks if isinstance(kind, ClockKind) else "users"


def _slices(cursor: Any, begin: datetime, end: datetime, window_s: int, progress: Progress) -> Iterator[None]:
    """Users by the slice, each put where a text looks for whom to look at."""
    cursor.execute(COUNT_USERS)
    users, done, last = cursor.fetchone()[0], 0, 0
    while True:
        looked, last = slices.look(
            cursor, 0, begin, end, after=last, window_s=window_s, users=SLICE_USERS, rows=SLICE_ROWS
        )
        if not looked:
            return
        yield
        done += looked
        cursor.execute(LOOK_AWAY)
        if not progress(done, users):
            raise Cancelled


def _clock_steps(
    cursor: Any, kind: ClockKind, begin: datetime, end: datetime, progress: Progress
) -> Iterator[dict[str, Any]]:
    """Slices of what the clock is looked at along, each as what is bound to a text."""
    cursor.execute(SELECT_NOW)
    now, last_row = cursor.fetchone()
    # Quarters of an hour after the end are in no hit; which rows are, nobody knows before they are read.
    moment = min(now, end + BUCKET) if kind.walks == "buckets" else now
    size = {"rows": SLICE_ROWS, "buckets": SLICE_BUCKETS}[kind.walks]
    first = at = kind.start(cursor, begin)

    def steps(last: ClockPlace) -> int:
        return max(1, -(-kind.distance(first, last) // size))

    in_all, more = steps(ClockPlace(last_row, moment)), True
    while more:
        step = kind.step(cursor, at, moment, size)
        at, more = step.end, step.more
        yield {"begin": begin, "end": end, **step.values}
        if not progress(steps(at) if more else in_all, in_all):
            raise Cancelled


def _keep_found(
    cursor: Any, kind: ClockKind, beside: Kind | None, begin: datetime, end: datetime, progress: Progress
) -> None:
    """Fills the table of what was found, of one rule after the other."""
    rules = [each for each in (kind, beside) if isinstance(each, ClockKind)]

    def of_all(done: int, total: int) -> bool:
        return progress(number * total + done, len(rules) * total)

    for number, each in enumerate(rules):
        for values in _clock_steps(cursor, each, begin, end, of_all):
            bound = Bound()
            text = _template(each).format(text=each.sql(bound))
            cursor.execute(KEEP_FOUND.format(other=number == 1, text=text), {**bound.values, **values})


def _template(kind: ClockKind) -> str:
    return FIND_ROWS if kind.of_transaction else FIND_MOMENTS


def _rows(cursor: Any, template: str, kind: Kind, values: dict[str, Any]) -> Iterator[Found]:
    """The hits that a text gives, a few at a time."""
    bound = Bound()
    text = kind.sql(bound)
    with cursor.connection.cursor(name=f"hits_{id(bound)}") as hits:
        hits.itersize = HITS_AT_A_TIME
        hits.execute(template.format(text=text), {**bound.values, **values})
        for row in hits:
            yield Found(*row)
