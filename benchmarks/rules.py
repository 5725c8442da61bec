"""The flush with rules in force beside the storing alone, into a table that is full already; a backtest."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from statistics import median
from unittest.mock import patch

from django.db import connection as database

from benchmarks.history import (
    CHUNK,
    CHUNK_USERS,
    DAYS,
    bring_into_force,
    fill_table,
    pay,
    queue_chunk,
)
from benchmarks.report import Section, number
from benchmarks.stage import Stage, Unbalanced, say, settle_up
from transactions.rules import backtest
from transactions.rules.kinds.registry import read
from transactions.rules.live import FlushRules
from transactions.rules.models import Debt, Hit
from transactions.storing.flush import flush

# Rules in force, rounds, the target. Few rounds: each adds rows of the last minutes for every user, and a
# user who makes as many in ten minutes as else in a month is no usual one.
LEVELS: tuple[tuple[int, int, float | None], ...] = (
    (0, 6, 0.98),
    (5, 3, None),
    (20, 6, 0.55),
    (100, 3, None),
)
HEADS = ("rules in force", "s a chunk", "storing alone, s", "of the storing alone", "hits")
LATE_DAYS, LATE = 54, timedelta(days=54)
# At which chunks of another sort are measured.
ODD_LEVEL = 20


class NoRules(FlushRules):
    """Storing as if there were no rules in the project."""

    def begin(self, cursor: object) -> None: ...

    def conclude(self, cursor: object, stored: int, settled: Sequence[int]) -> None: ...

    def committed(self) -> None: ...

    def afterwards(self, session: object, began: datetime | None) -> None: ...


@contextmanager
def storing_alone() -> Iterator[None]:
    with patch("transactions.storing.flush.FlushRules", NoRules):
        yield


def run(stage: Stage) -> Section:
    section = Section("Rules")
    users, rows = fill_table(stage)
    # The gate never hears of what is stored alone, so that is of other users.
    judged, others = users[::2], users[1::2]
    _seconds(lambda: queue_chunk(others))
    lines, odd = [], []
    for level, rounds, target in LEVELS:
        bring_into_force(level)
        before = Hit.objects.count()
        alone, took = _in_turns(others, judged, 1 if stage.scale.quick else rounds)
        ratio = alone / took
        lines.append((level, took, alone, ratio, Hit.objects.count() - before))
        say(f"rules: {level} in force: {took:.3f} s, of the storing alone {ratio:.2f}")
        if level == ODD_LEVEL:
            odd = [
                _odd("All of a chunk of one user", lambda: queue_chunk(judged, cast=1)),
                _odd(f"All of a chunk {LATE_DAYS} days late", lambda: queue_chunk(judged, late=LATE)),
            ]
        if target is not None:
            what = f"flush with {level or 'no'} rules in force, of the storing alone"
            section.target(what, f"≥ {target} ×", f"{ratio:.2f} ×", ratio >= target)
    section.note(
        f"{rows:,} rows of {len(users):,} users; chunks of {CHUNK:,} rows of {CHUNK_USERS:,} users, one with "
        "rules and one stored alone in turns; medians:"
    )
    section.table(HEADS, lines)
    section.note(" ".join(odd))
    section.note(_backtest())
    section.note(_memory())
    section.note(f"{Hit.objects.count():,} hits. {settle_up()}")
    return section


def _in_turns(others: Sequence[int], judged: Sequence[int], rounds: int) -> tuple[float, float]:
    """Seconds for a chunk that is stored alone, and for one that is judged."""
    alone, took = [], []
    for _ in range(rounds):
        with storing_alone():
            alone.append(_seconds(lambda: queue_chunk(others)))
        took.append(_seconds(lambda: queue_chunk(judged)))
    return median(alone), median(took)


def _seconds(bring: Callable[[], None]) -> float:
    bring()
    began = time.perf_counter()
    report = flush()
    seconds = time.perf_counter() - began
    if report.stored != CHUNK:
        raise Unbalanced(f"{CHUNK} were queued, and the flush says {report}")
    return seconds


def _odd(what: str, bring: Callable[[], None]) -> str:
    took = _seconds(bring)
    left = f", and {pay():.1f} s more for what was still owed" if Debt.objects.exists() else ""
    told = f"{what}, {ODD_LEVEL} rules: stored and judged in {took:.2f} s{left}."
    say(f"rules: {told}")
    return told


def _backtest() -> str:
    kind = read("velocity_count", {"count": 15, "window": "24h"})
    now = datetime.now(UTC)
    with database.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM transactions_transaction")
        rows = cursor.fetchone()[0]
    result = backtest.run(kind, now - timedelta(days=DAYS + 1), now)
    return (
        f"Backtest of one rule with a window over {rows:,} rows: {result.seconds:.1f} s, "
        f"{number(rows / result.seconds)} rows/s; {result.hits:,} hits."
    )


def _memory() -> str:
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_total_relation_size('rules_userstate'), count(*) FROM rules_userstate")
        size, users = cursor.fetchone()
    return f"The gate: {size / 2**20:.1f} MB for {users:,} users."
