"""Averages per day over millions of rows: ours, from rollups, and the query that one writes first."""

import time
from collections.abc import Callable
from datetime import date
from typing import Any

from django.db import connection

from benchmarks.baselines import copying
from benchmarks.baselines.averaging import NAIVE
from benchmarks.report import Row, Section, cell, number
from benchmarks.stage import Stage, say
from transactions.reading.averages import Question, daily_averages
from transactions.tables import TRANSACTIONS

ZONES = ("UTC", "Asia/Tehran", "America/New_York", "Asia/Kathmandu")
SPANS = {
    "a month": (date(2025, 3, 1), date(2025, 3, 31)),
    "two years": (date(2024, 1, 1), date(2025, 12, 31)),
}
LIMITS_MS = {"a month": 5.0, "two years": 60.0}
ROUNDS, NAIVE_ROUNDS = 7, 2
HEADS = ("rows", "zone", "days", "ours, database ms", "ours, all ms", "naive, database ms", "times faster")

FILL_ROWS = 1_000_000
# Purpose: `rows` transactions spread evenly over two years, from number `start` until before `end`.
FILL = f"""
    INSERT INTO {TRANSACTIONS} ({copying.COLUMNS})
    SELECT 'average-' || n, %(user)s + n %% %(users)s, (ARRAY['PENDING', 'SUCCESS', 'FAILED'])[1 + n %% 3],
           moment, 10000 + n * 7919 %% 80000, moment, moment
      FROM (SELECT n, timestamptz '2024-01-01 00:00Z' + n * (interval '731 days' / %(rows)s) AS moment
              FROM generate_series(%(start)s::bigint, %(end)s - 1) AS n) AS filled
"""
# Purpose: the checks of the foreign key, which rest during the fill; the rollups' triggers do not.
SELECT_CHECKS = "SELECT tgname FROM pg_trigger WHERE tgrelid = %s::regclass AND tgisinternal"
EXPLAIN = "EXPLAIN (ANALYZE, TIMING OFF, FORMAT JSON) "


def run(stage: Stage) -> Section:
    section = Section("Averages per day")
    section.note(
        "In the database: planning and execution of all statements of an answer, as EXPLAIN ANALYZE gives "
        f"them, the best of {ROUNDS}. All: with the round trips and the zone's days in Python."
    )
    rows: list[Row] = []
    slowest = dict.fromkeys(SPANS, 0.0)
    for count in stage.scale.average_rows:
        fill(stage, count)
        for span, (first, last) in SPANS.items():
            for zone in ZONES:
                rows.append((f"{count:,}", *_measure(span, Question(first, last, zone))))
                say("averages: " + "  ".join(map(cell, rows[-1])))
                slowest[span] = max(slowest[span], float(str(rows[-1][3])))
    section.table(HEADS, rows)
    for span, limit_ms in LIMITS_MS.items():
        what = f"averages per day of {span}, any of {len(ZONES)} zones, in the database"
        measured = f"≤ {number(slowest[span])} ms"
        section.target(what, f"≤ {limit_ms:g} ms", measured, slowest[span] <= limit_ms)
    return section


def fill(stage: Stage, rows: int) -> None:
    """Empties the table and fills it anew."""
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {TRANSACTIONS}")
        cursor.execute(SELECT_CHECKS, [TRANSACTIONS])
        checks = [name for (name,) in cursor.fetchall()]
        for name in checks:
            cursor.execute(f'ALTER TABLE {TRANSACTIONS} DISABLE TRIGGER "{name}"')
        parameters = {"rows": rows, "user": stage.users[0], "users": len(stage.users)}
        for start in range(0, rows, FILL_ROWS):
            cursor.execute(FILL, {**parameters, "start": start, "end": min(start + FILL_ROWS, rows)})
            say(f"averages: {min(start + FILL_ROWS, rows):,} rows")
        for name in checks:
            cursor.execute(f'ALTER TABLE {TRANSACTIONS} ENABLE TRIGGER "{name}"')
        cursor.execute(f"VACUUM ANALYZE {TRANSACTIONS}")
        cursor.execute("VACUUM ANALYZE transactions_rollup")


def _measure(span: str, question: Question) -> Row:
    """One line of the table, but for the number of rows."""
    statements = _statements(lambda: daily_averages(question))
    ours = min(_database_ms(statements) for _ in range(ROUNDS))
    function = min(_took_ms(lambda: daily_averages(question)) for _ in range(ROUNDS))
    parameters = {"zone": question.timezone, "first": question.first, "last": question.last}
    naive = min(_database_ms([(NAIVE, parameters)]) for _ in range(NAIVE_ROUNDS))
    return question.timezone, span, ours, function, naive, naive / ours


def _statements(ask: Callable[[], object]) -> list[tuple[str, Any]]:
    """What `ask` sends to PostgreSQL."""
    sent: list[tuple[str, Any]] = []

    def note(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        sent.append((sql, parameters))
        return execute(sql, parameters, many, context)

    with connection.execute_wrapper(note):
        ask()
    return sent


def _database_ms(statements: list[tuple[str, Any]]) -> float:
    total_ms = 0.0
    with connection.cursor() as cursor:
        for sql, parameters in statements:
            cursor.execute(EXPLAIN + sql, parameters)
            plan = cursor.fetchone()[0][0]
            total_ms += plan["Planning Time"] + plan["Execution Time"]
    return total_ms


def _took_ms(ask: Callable[[], object]) -> float:
    began = time.perf_counter()
    ask()
    return (time.perf_counter() - began) * 1000
