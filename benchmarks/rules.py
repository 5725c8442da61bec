"""The flush with rules in force beside the flush without, into a table that is full already; a backtest."""

import random
import time
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

from django.contrib.auth.models import User
from django.db import connection as database

from benchmarks.report import Section, number
from benchmarks.stage import Stage, Unbalanced, say, settle_up
from transactions.queue.keys import BOOKS, QUEUE
from transactions.queue.records import stamp
from transactions.rules import backtest, lifecycle
from transactions.rules.kinds.registry import read
from transactions.rules.models import Debt, Gate, Hit, Rule
from transactions.stores.redis_connection import connection
from transactions.storing.flush import flush

FIRST_USER = 100_000
USERS, ROWS, QUICK_USERS, QUICK_ROWS = 50_000, 5_000_000, 50_000, 1_000_000
CHUNK, CHUNK_USERS = 10_000, 8_380
DAYS = 60

# Purpose: history of DAYS, spread evenly over users and time.
FILL = """
    INSERT INTO transactions_transaction
           (transaction_id, user_id, status, created_at, amount, accepted_at, stored_at)
    SELECT 'old-' || n, %(first)s + n %% %(users)s, CASE WHEN n %% 20 = 0 THEN 'FAILED' ELSE 'SUCCESS' END,
           t.at, 1000 + (n::bigint * 7919) %% 90000, t.at, t.at
      FROM generate_series(1, %(rows)s) n
     CROSS JOIN LATERAL (SELECT now() - %(days)s * (1 - n::float / %(rows)s) * interval '1 day' AS at) t
"""
# The mix: what a monitoring of payments would look for.
MIX: tuple[tuple[str, dict[str, Any]], ...] = (
    ("velocity_count", {"count": 8, "window": "10m"}),
    ("velocity_count", {"count": 15, "window": "1h"}),
    ("velocity_count", {"count": 40, "window": "24h"}),
    ("velocity_count", {"count": 100, "window": "7d"}),
    ("velocity_count", {"count": 200, "window": "30d"}),
    ("velocity_sum", {"total": 700_000, "window": "1h"}),
    ("velocity_sum", {"total": 1_500_000, "window": "24h"}),
    ("velocity_sum", {"total": 4_000_000, "window": "7d"}),
    ("velocity_sum", {"total": 9_000_000, "window": "30d"}),
    ("failure_burst", {"count": 5, "window": "10m"}),
    ("failure_burst", {"count": 8, "window": "1h"}),
    ("failure_burst", {"count": 12, "window": "24h"}),
    ("below_limit", {"count": 10, "limit": 90_000, "margin": 2_000, "window": "24h"}),
    ("rapid_repeat", {"count": 6, "window": "1h"}),
    ("rapid_repeat", {"count": 10, "window": "24h"}),
    ("amount", {"amount": 90_990}),
    ("round_amount", {"multiple": 10_000, "least": 90_000}),
    ("clock_gap", {"minutes": 600}),
    ("deviation", {"factor": 10, "least": 90_000}),
    ("first_or_dormant", {"days": 90, "least": 90_000}),
)


def run(stage: Stage) -> Section:
    section = Section("Rules")
    users = range(FIRST_USER, FIRST_USER + (QUICK_USERS if stage.scale.quick else USERS))
    rows = QUICK_ROWS if stage.scale.quick else ROWS
    User.objects.bulk_create(User(pk=key, username=f"judged-{key}") for key in users)
    with database.cursor() as cursor:
        cursor.execute(FILL, {"first": users[0], "users": len(users), "rows": rows, "days": DAYS})
        cursor.execute("VACUUM ANALYZE transactions_transaction")
    say(f"rules: {rows:,} rows of {len(users):,} users")
    rounds = 3 if stage.scale.quick else 12
    base = _seconds(users, rounds)
    lines: list[tuple[Any, ...]] = [("0", base, 1.0, "")]
    in_force = 0
    for wanted in (5, 20, 100):
        while in_force < wanted:
            _bring_into_force(in_force)
            in_force += 1
        _settle()
        took = _seconds(users, rounds)
        lines.append((str(wanted), took, base / took, ""))
        if wanted == 20:
            section.target(
                "flush with 20 rules in force, of the flush without",
                "≥ 0.55 ×",
                f"{base / took:.2f} ×",
                base / took >= 0.55,
            )
        say(f"rules: {wanted} in force: {took:.3f} s")
    section.note(f"{rows:,} rows of {len(users):,} users; chunks of {CHUNK:,} rows of {CHUNK_USERS:,} users:")
    section.table(("rules in force", "s a chunk", "of the flush without", ""), lines)
    section.note(_backtest())
    section.note(_memory())
    section.note(f"{Hit.objects.count():,} hits. {settle_up()}")
    return section


def _bring_into_force(place: int) -> None:
    kind, parameters = MIX[place % len(MIX)]
    rule = Rule.objects.create(name=f"{kind} {place}")
    version = lifecycle.draft(rule, kind, parameters, User.objects.get(pk=FIRST_USER + 1))
    lifecycle.submit(version)
    begin = datetime.now(UTC).replace(second=0, microsecond=0)
    lifecycle.approve(version, User.objects.get(pk=FIRST_USER), begin=begin)


def _settle() -> None:
    """Until the gate is full and nothing is owed."""
    flush()
    while Debt.objects.exists() or Gate.objects.filter(filled_to__lt=2**62).exists():
        flush()


def _seconds(users: range, rounds: int) -> float:
    """The median of the seconds in which a chunk is stored, and judged."""
    found = []
    for _ in range(rounds):
        _fill_queue(users)
        began = time.perf_counter()
        report = flush()
        found.append(time.perf_counter() - began)
        if report.stored != CHUNK:
            raise Unbalanced(f"{CHUNK} were queued, and the flush says {report}")
    return median(found)


def _fill_queue(users: range) -> None:
    """What a flush interval brings: some users several times."""
    now, run = datetime.now(UTC), random.randrange(10**12)
    cast = random.sample(users, min(CHUNK_USERS, len(users)))
    lines = []
    for n in range(CHUNK):
        at = stamp(now - timedelta(milliseconds=(CHUNK - n) / 2))
        status = "FAILED" if random.random() < 0.05 else "SUCCESS"
        user, amount = cast[n % len(cast)], random.randrange(1_000, 91_000)
        lines.append(f"1\t{run}-{n}\t{status}\t{user}\t{amount}\t{at}\t{at}\tbench")
    pipeline = connection().pipeline()
    pipeline.rpush(QUEUE, *lines)
    pipeline.hincrby(BOOKS, "accepted", len(lines))
    pipeline.execute()


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
