"""The flush with rules in force beside the storing alone, into a table that is full already; a backtest."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from unittest.mock import patch

from django.db import connection as database

from benchmarks.history import (
    CHUNK,
    CHUNK_USERS,
    DAYS,
    bring_into_force,
    fill_table,
    forget_rules,
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
    (0, 8, 0.98),
    (5, 3, None),
    (20, 4, 0.55),
    (100, 3, None),
)
HEADS = ("rules in force", "s a chunk", "alone", "ratio", "CPU s a chunk", "alone", "ratio", "hits")
LATE_DAYS, LATE = 54, timedelta(days=54)
# With how many chunks of another sort are measured.
ODD_LEVEL = 20


class Taken(NamedTuple):
    """What a chunk took. CPU time says more than the clock where the machine has other work."""

    seconds: float
    cpu_s: float


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
    _take(stage, lambda: queue_chunk(others))
    lines = []
    for level, rounds, target in LEVELS:
        bring_into_force(level)
        before = Hit.objects.count()
        alone, took = _in_turns(
            stage, others, judged if level else others, 2 if stage.scale.quick else rounds
        )
        ratio, of_cpu = alone.seconds / took.seconds, alone.cpu_s / took.cpu_s
        hits = Hit.objects.count() - before
        lines.append((level, took.seconds, alone.seconds, ratio, took.cpu_s, alone.cpu_s, of_cpu, hits))
        say(f"rules: {level} in force: {took.seconds:.3f} s, of storing alone {ratio:.2f}, CPU {of_cpu:.2f}")
        if target is not None:
            what = f"flush with {level or 'no'} rules in force, of the storing alone"
            told = f"{ratio:.2f} ×, by CPU time {of_cpu:.2f} ×"
            section.target(what, f"≥ {target} ×", told, ratio >= target)
    section.note(
        f"{rows:,} rows of {len(users):,} users; chunks of {CHUNK:,} rows of {CHUNK_USERS:,} users, one with "
        "rules and one stored alone in turns; the best of each:"
    )
    section.table(HEADS, lines)
    section.note(_memory())
    forget_rules()
    bring_into_force(ODD_LEVEL)
    section.note(_odd(stage, f"All of a chunk {LATE_DAYS} days late", lambda: queue_chunk(judged, late=LATE)))
    section.note(_odd(stage, "All of a chunk of one user", lambda: queue_chunk(judged, cast=1)))
    section.note(_backtest())
    section.note(settle_up())
    return section


def _in_turns(stage: Stage, others: Sequence[int], judged: Sequence[int], rounds: int) -> tuple[Taken, Taken]:
    """What a chunk takes that is stored alone, and one that is judged: the best of the rounds."""
    alone, took = [], []
    for _ in range(rounds):
        with storing_alone():
            alone.append(_take(stage, lambda: queue_chunk(others)))
        took.append(_take(stage, lambda: queue_chunk(judged)))
    return _best(alone), _best(took)


def _best(taken: list[Taken]) -> Taken:
    return Taken(min(each.seconds for each in taken), min(each.cpu_s for each in taken))


def _take(stage: Stage, bring: Callable[[], None]) -> Taken:
    bring()
    cpu, began = _cpu_s(stage), time.perf_counter()
    report = flush()
    seconds = time.perf_counter() - began
    if report.stored != CHUNK:
        raise Unbalanced(f"{CHUNK} were queued, and the flush says {report}")
    time.sleep(0.1)  # until the flush's own session has ended, and counts
    return Taken(seconds, _cpu_s(stage) - cpu)


def _cpu_s(stage: Stage) -> float:
    """CPU seconds of this process and of all PostgreSQL sessions that have ended."""
    (pid_file,) = (stage.directory / "postgres").glob("**/postmaster.pid")
    fields = Path(f"/proc/{pid_file.read_text().split()[0]}/stat").read_text().rpartition(")")[2].split()
    return time.process_time() + (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def _odd(stage: Stage, what: str, bring: Callable[[], None]) -> str:
    took = _take(stage, bring).seconds
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
