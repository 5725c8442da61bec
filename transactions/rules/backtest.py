"""Backtest: what a rule would have found in a range of history, by the text that judges live.

On one snapshot that writes nothing, users by the slice, hits as they come: memory does not grow with
history. Beside another rule it tells what both find, and what one of them alone.
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from heapq import heappush, heapreplace
from random import Random
from typing import Any, NamedTuple

from django.contrib.auth import get_user_model

from ..alerts.grouping import QUIET_HOURS
from ..models import Transaction
from ..stores.postgres_session import Session
from . import evaluation
from .kinds.clock import ClockKind, PendingTooLong
from .kinds.kind import Bound, Kind

TABLE, USER = Transaction._meta.db_table, get_user_model()._meta.db_table

SLICE_USERS = 1_000
SLICE_ROWS = 100_000
HITS_AT_A_TIME = 5_000
SAMPLE, TOP = 20, 10
# How long a whole run, and one slice of it, may take.
RUN_S_MAX, SLICE_MS_MAX = 3_600.0, 600_000
QUIET = timedelta(hours=QUIET_HOURS)

BEGIN = f"""
    SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY;
    {evaluation.LIMIT}; SET LOCAL statement_timeout = {SLICE_MS_MAX};
    SET LOCAL idle_in_transaction_session_timeout = {SLICE_MS_MAX}
"""
COUNT_USERS = f"SELECT count(*) FROM {USER}"
# Purpose: the next users, all of whose range is looked at.
LOOK = f"""
    INSERT INTO rule_look (version, user_id, lo, hi)
    SELECT 0, id, %(begin)s, %(end)s FROM {USER} WHERE id > %(after)s ORDER BY id LIMIT {SLICE_USERS}
"""
SELECT_LAST_USER = "SELECT max(user_id) FROM rule_look"
LOOK_AWAY = "DELETE FROM rule_look"
FIND = f"{evaluation.SCOPE} SELECT * FROM ({{text}}) found ORDER BY user_id, created_at, id"
FIND_ROWS = "SELECT * FROM ({text}) found ORDER BY created_at, id"
FIND_MOMENTS = (
    "SELECT NULL::bigint, NULL::bigint, bucket, NULL::bigint, figures FROM ({text}) found ORDER BY bucket"
)
SELECT_STEP = f"""
    SELECT max(id), max(accepted_at), count(*) FROM (
        SELECT id, accepted_at FROM {TABLE} WHERE id > %s ORDER BY id LIMIT {SLICE_ROWS}) step
"""
SELECT_NOW = "SELECT now()"


class Cancelled(Exception):
    """Somebody ended the backtest."""


class Found(NamedTuple):
    """A hit: the row's key and what is known of it, or a moment alone."""

    transaction: int | None
    user: int | None
    moment: datetime
    amount: int | None
    figures: dict[str, Any]

    @property
    def place(self) -> tuple[int, datetime, int]:
        return self.user or 0, self.moment, self.transaction or 0


@dataclass(slots=True)
class BacktestResult:
    """What a rule found. Days are of UTC; an episode is a run of hits of one user without quiet between."""

    begin: datetime
    end: datetime
    hits: int = 0
    users: int = 0
    episodes: int = 0
    hits_by_day: Counter[str] = field(default_factory=Counter)
    episodes_by_day: Counter[str] = field(default_factory=Counter)
    amount_total: int = 0
    amount_least: int | None = None
    amount_most: int | None = None
    top_users: list[tuple[int, int]] = field(default_factory=list)
    sample: list[Found] = field(default_factory=list)
    # Beside another rule.
    both: int | None = None
    only_this: int | None = None
    only_other: int | None = None
    seconds: float = 0.0

    def __str__(self) -> str:
        """A few lines for a terminal."""
        days = max(1, round((self.end - self.begin) / timedelta(days=1)))
        lines = [
            f"{self.begin:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M} UTC, in {self.seconds:.1f} s",
            f"hits: {self.hits}, of {self.users} users; alerts: about {self.episodes}, "
            f"{self.episodes / days:.1f} a day",
        ]
        if self.amount_least is not None:
            lines.append(f"amounts: {self.amount_least} to {self.amount_most}, {self.amount_total} in all")
        if self.top_users:
            lines.append("most hit: " + ", ".join(f"user {user} ({hits})" for user, hits in self.top_users))
        return "\n".join(lines)

    def as_json(self) -> str:
        """One JSON object; moments in ISO 8601, a sample's hits as objects."""
        said = {made.name: getattr(self, made.name) for made in fields(self)}
        said["sample"] = [found._asdict() for found in self.sample]
        return json.dumps(said, default=lambda moment: moment.isoformat())


def run(
    kind: Kind,
    begin: datetime,
    end: datetime,
    *,
    beside: Kind | None = None,
    progress: Callable[[int, int], bool] = lambda done, total: True,
) -> BacktestResult:
    """What `kind` finds of what happened from `begin` until before `end`, also beside another rule.

    `progress` is told of steps done and in all; where it returns False, Cancelled is raised. Raises
    psycopg2.Error too.
    """
    summary = _Summary(begin, end, compared=beside is not None)
    began = time.monotonic()
    for found, in_this, in_other in _both(kind, beside, begin, end, progress):
        summary.add(found, in_this, in_other)
    result = summary.finish()
    result.seconds = round(time.monotonic() - began, 3)
    return result


def find(
    kind: Kind,
    begin: datetime,
    end: datetime,
    progress: Callable[[int, int], bool] = lambda done, total: True,
) -> Iterator[Found]:
    """The hits themselves, each user's in the order of time."""
    return (found for found, _, _ in _both(kind, None, begin, end, progress))


def _both(
    kind: Kind, beside: Kind | None, begin: datetime, end: datetime, progress: Callable[[int, int], bool]
) -> Iterator[tuple[Found, bool, bool]]:
    """Hits of either rule, and which of the two they are of."""
    with Session("transactions backtest", silence_s=RUN_S_MAX) as session:
        with session.transaction() as cursor:
            evaluation.prepare(cursor)
        with session.transaction() as cursor:
            cursor.execute(BEGIN)
            walks = isinstance(kind, ClockKind), isinstance(beside, ClockKind)
            for step in _steps(cursor, kind, begin, end, progress):
                if beside is None or walks[0] != walks[1]:
                    # Rules of different sorts share no hits.
                    yield from ((found, True, False) for found in step(kind))
                else:
                    yield from _merge(step(kind), step(beside))


def _merge(these: Iterator[Found], others: Iterator[Found]) -> Iterator[tuple[Found, bool, bool]]:
    """Two runs of hits in the same order, as one."""
    this, other = next(these, None), next(others, None)
    while this is not None or other is not None:
        if other is None or (this is not None and this.place < other.place):
            assert this is not None
            yield this, True, False
            this = next(these, None)
        elif this is None or other.place < this.place:
            yield other, False, True
            other = next(others, None)
        else:
            yield this, True, True
            this, other = next(these, None), next(others, None)


def _steps(
    cursor: Any, kind: Kind, begin: datetime, end: datetime, progress: Callable[[int, int], bool]
) -> Iterator[Callable[[Kind], Iterator[Found]]]:
    """Slices of history, each as a way to have a rule look at it."""
    if isinstance(kind, ClockKind):
        yield from _clock_steps(cursor, kind, begin, end, progress)
        return
    cursor.execute(COUNT_USERS)
    users, done, after = cursor.fetchone()[0], 0, 0
    while True:
        cursor.execute(LOOK, {"begin": begin, "end": end, "after": after})
        looked = cursor.rowcount
        if not looked:
            return
        yield lambda rule: _rows(cursor, FIND, rule, {"begin": begin, "end": end, "version": 0})
        cursor.execute(SELECT_LAST_USER)
        after, done = cursor.fetchone()[0], done + looked
        cursor.execute(LOOK_AWAY)
        if not progress(done, users):
            raise Cancelled


def _clock_steps(
    cursor: Any, kind: ClockKind, begin: datetime, end: datetime, progress: Callable[[int, int], bool]
) -> Iterator[Callable[[Kind], Iterator[Found]]]:
    cursor.execute(SELECT_NOW)
    now = cursor.fetchone()[0]
    shared = {"begin": begin, "end": end}
    if kind.walks == "buckets":
        values = {**shared, "after": begin - timedelta(seconds=1), "moment": now}
        yield lambda rule: _rows(cursor, FIND_MOMENTS, rule, values)
        return
    template = FIND_ROWS if isinstance(kind, PendingTooLong) else FIND_MOMENTS
    row, latest, more = 0, None, True
    while more:
        cursor.execute(SELECT_STEP, (row,))
        to, accepted, rows = cursor.fetchone()
        more = rows == SLICE_ROWS
        known = max((each for each in (latest, accepted) if each is not None), default=None)
        moment = now if isinstance(kind, PendingTooLong) or not more else known
        step = {**shared, "after": row, "to": to or row, "moment": moment, "latest": latest}
        yield lambda rule, step=step: _rows(cursor, template, rule, step)  # type: ignore[misc]
        row, latest = to or row, known
        if not progress(row, row + 1):
            raise Cancelled


def _rows(cursor: Any, template: str, kind: Kind, values: dict[str, Any]) -> Iterator[Found]:
    """The hits that a text gives, a few at a time."""
    bound = Bound()
    text = kind.sql(bound)
    with cursor.connection.cursor(name=f"hits_{id(bound)}") as hits:
        hits.itersize = HITS_AT_A_TIME
        hits.execute(template.format(text=text), {**bound.values, **values})
        for row in hits:
            yield Found(*row)


class _Summary:
    """Adds up hits that come user by user, each user's in the order of time."""

    def __init__(self, begin: datetime, end: datetime, *, compared: bool) -> None:
        self._result = BacktestResult(begin, end)
        if compared:
            self._result.both = self._result.only_this = self._result.only_other = 0
        self._user: int | None = None
        self._hits_of_user = 0
        self._last: datetime | None = None
        self._top: list[tuple[int, int]] = []
        # The same sample for the same hits.
        self._random = Random(0)

    def add(self, found: Found, in_this: bool, in_other: bool) -> None:
        result = self._result
        if result.both is not None and result.only_this is not None and result.only_other is not None:
            result.both += in_this and in_other
            result.only_this += in_this and not in_other
            result.only_other += in_other and not in_this
        if not in_this:
            return
        if self._hits_of_user == 0 or found.user != self._user:
            self._end_user()
            self._user, self._last = found.user, None
        self._hits_of_user += 1
        day = found.moment.date().isoformat()
        result.hits += 1
        result.hits_by_day[day] += 1
        if self._last is None or found.moment - self._last > QUIET:
            result.episodes += 1
            result.episodes_by_day[day] += 1
        self._last = found.moment
        if found.amount is not None:
            result.amount_total += found.amount
            result.amount_least = min(
                found.amount, found.amount if result.amount_least is None else result.amount_least
            )
            result.amount_most = max(found.amount, result.amount_most or 0)
        self._keep(found)

    def _keep(self, found: Found) -> None:
        """Each hit is as likely in the sample as any other."""
        sample = self._result.sample
        if len(sample) < SAMPLE:
            sample.append(found)
        elif (place := self._random.randrange(self._result.hits)) < SAMPLE:
            sample[place] = found

    def _end_user(self) -> None:
        if self._hits_of_user and self._user is not None:
            self._result.users += 1
            entry = (self._hits_of_user, -self._user)
            if len(self._top) < TOP:
                heappush(self._top, entry)
            elif entry > self._top[0]:
                heapreplace(self._top, entry)
        self._hits_of_user = 0

    def finish(self) -> BacktestResult:
        self._end_user()
        self._result.top_users = [(-user, hits) for hits, user in sorted(self._top, reverse=True)]
        return self._result
