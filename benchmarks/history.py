"""A table that is full already, rules in force over it, and what a flush interval brings."""

import random
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import connection as database

from benchmarks.stage import Stage, Unbalanced, say
from transactions.alerts.models import Alert
from transactions.queue.keys import BOOKS, QUEUE
from transactions.queue.records import stamp
from transactions.rules import lifecycle
from transactions.rules.models import ClockCursor, Debt, Gate, Hit, Rule, UserState, Version
from transactions.stores.redis_connection import connection
from transactions.storing.flush import flush

FIRST_USER = 100_000
USERS = 50_000
ROWS, QUICK_ROWS = 5_000_000, 500_000
CHUNK, CHUNK_USERS = 10_000, 8_380
DAYS = 60
PAY_S_MAX = 900.0

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


def fill_table(stage: Stage) -> tuple[range, int]:
    """Makes the users and the history, unless they are there, and forgets rules; the users, and the rows."""
    forget_rules()
    users = range(FIRST_USER, FIRST_USER + USERS)
    rows = QUICK_ROWS if stage.scale.quick else ROWS
    if User.objects.filter(pk=FIRST_USER).exists():
        return users, rows
    fill_rows(users, rows)
    say(f"rules: {rows:,} rows of {len(users):,} users")
    return users, rows


def fill_rows(users: range, rows: int) -> None:
    """Makes these users, and stores a history of so many rows of theirs."""
    User.objects.bulk_create(User(pk=key, username=f"judged-{key}") for key in users)
    with database.cursor() as cursor:
        cursor.execute(FILL, {"first": users[0], "users": len(users), "rows": rows, "days": DAYS})
        cursor.execute("VACUUM ANALYZE transactions_transaction")


def forget_rules() -> None:
    """As if there had never been any: parts do not disturb each other."""
    models = (Hit, Debt, ClockCursor, Gate, UserState, Version, Rule, Alert)
    tables = ", ".join(model._meta.db_table for model in models)
    with database.cursor() as cursor:
        cursor.execute(f"TRUNCATE {tables} CASCADE")


def bring_into_force(wanted: int, begin: datetime | None = None) -> None:
    """Versions of the mix until so many are in force, from this minute on or `begin`; then all is judged."""
    begin = begin or datetime.now(UTC).replace(second=0, microsecond=0)
    for place in range(Rule.objects.count(), wanted):
        kind, parameters = MIX[place % len(MIX)]
        rule = Rule.objects.create(name=f"{kind} {place}")
        version = lifecycle.draft(rule, kind, parameters, User.objects.get(pk=FIRST_USER + 1))
        lifecycle.submit(version)
        lifecycle.approve(version, User.objects.get(pk=FIRST_USER), begin=begin)
    pay()


def tidy_up() -> None:
    """What PostgreSQL has to do after a part is done at once: the next one would pay for it."""
    with database.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("CHECKPOINT")


def pay() -> float:
    """Flushes until the gate is full and nothing is owed; the seconds that it took.

    Raises Unbalanced if that takes too long.
    """
    began = time.monotonic()
    flush()
    while Debt.objects.exists() or Gate.objects.filter(filled_to__lt=2**62).exists():
        if time.monotonic() > began + PAY_S_MAX:
            raise Unbalanced(f"Rules still owe something: {list(Debt.objects.values())}")
        flush()
    return time.monotonic() - began


def queue_chunk(users: Sequence[int], cast: int = CHUNK_USERS, late: timedelta = timedelta(0)) -> None:
    """What a flush interval brings: CHUNK records of so many users, that happened `late`."""
    chosen = random.sample(users, min(cast, len(users)))
    now = datetime.now(UTC) - late
    ahead = (now - timedelta(milliseconds=(CHUNK - n) / 2) for n in range(CHUNK))
    queue((chosen[n % len(chosen)], at) for n, at in enumerate(ahead))


def queue(records: Iterable[tuple[int, datetime]]) -> int:
    """Puts records (user and moment) into the queue as intake would; how many."""
    run, accepted = random.randrange(10**12), stamp(datetime.now(UTC))
    lines = []
    for n, (user, moment) in enumerate(records):
        status = "FAILED" if random.random() < 0.05 else "SUCCESS"
        amount = random.randrange(1_000, 91_000)
        lines.append(f"1\t{run}-{n}\t{status}\t{user}\t{amount}\t{stamp(moment)}\t{accepted}\tbench")
    pipeline = connection().pipeline()
    for start in range(0, len(lines), CHUNK):
        pipeline.rpush(QUEUE, *lines[start : start + CHUNK])
    pipeline.hincrby(BOOKS, "accepted", len(lines))
    pipeline.execute()
    return len(lines)
