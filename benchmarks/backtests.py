"""Backtests of rules over ten million rows, beside a plain sequential aggregate of the same table."""

import resource
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import connection as database

from benchmarks.history import DAYS, FILL
from benchmarks.report import Section
from benchmarks.stage import Stage, say
from transactions.rules import backtest
from transactions.rules.kinds.registry import read

FIRST_USER, USERS = 200_000, 50_000
ROWS, QUICK_ROWS = 10_000_000, 500_000
SECONDS_MAX = 40.0

# Purpose: nothing else reads these rows, so neither rollups nor references are kept.
WITHOUT_TRIGGERS = "SET session_replication_role = replica"
WITH_TRIGGERS = "RESET session_replication_role"
# Purpose: what reading all of it costs one processor.
AGGREGATE = """
    SET max_parallel_workers_per_gather = 0;
    SELECT count(*), sum(amount), max(created_at) FROM transactions_transaction
"""
# With a window: few hits, as a rule should have, and nearly all rows; sums; on status, which the index
# does not hold; and a rule that looks at each row by itself, and hits it.
RULES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("velocity_count", {"count": 15, "window": "24h"}),
    ("velocity_count", {"count": 2, "window": "24h"}),
    ("velocity_sum", {"total": 4_000_000, "window": "7d"}),
    ("failure_burst", {"count": 5, "window": "24h"}),
    ("amount", {"amount": 1}),
)


def run(stage: Stage) -> Section:
    section = Section("Backtests")
    rows = QUICK_ROWS if stage.scale.quick else ROWS
    _fill(rows)
    _plain()
    total, plain_s = _plain()
    now = datetime.now(UTC)
    lines = []
    for kind, parameters in RULES:
        rule = read(kind, parameters)
        result = backtest.run(rule, now - timedelta(days=DAYS + 1), now)
        lines.append(
            (rule.sentence(), result.hits, result.seconds, total / result.seconds, result.seconds / plain_s)
        )
        say(f"backtests: {rule.sentence()} {result.seconds:.1f} s")
    seconds = lines[0][2]
    section.target(
        f"a rule with a window over {rows:,} rows",
        f"≤ {SECONDS_MAX:.0f} s",
        f"{seconds:.1f} s",
        seconds <= SECONDS_MAX,
    )
    section.note(f"{total:,} rows; a plain sequential aggregate of them takes {plain_s:.2f} s.")
    section.table(("rule", "hits", "s", "rows/s", "of the aggregate"), lines)
    memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    section.note(f"The process has needed {memory_mb:,.0f} MB at the most, whatever the hits.")
    return section


def _fill(rows: int) -> None:
    users = range(FIRST_USER, FIRST_USER + USERS)
    User.objects.bulk_create(User(pk=key, username=f"tested-{key}") for key in users)
    with database.cursor() as cursor:
        cursor.execute(WITHOUT_TRIGGERS)
        values = {"first": FIRST_USER, "users": USERS, "rows": rows, "days": DAYS}
        cursor.execute(FILL.replace("'old-'", "'past-'"), values)
        cursor.execute(WITH_TRIGGERS)
        cursor.execute("VACUUM ANALYZE transactions_transaction")
    say(f"backtests: {rows:,} rows of {USERS:,} users")


def _plain() -> tuple[int, float]:
    began = time.perf_counter()
    with database.cursor() as cursor:
        cursor.execute(AGGREGATE)
        rows = cursor.fetchone()[0]
    return rows, time.perf_counter() - began
