"""A backlog, as after a day without a worker: how fast it is stored, with rules and without; intake."""

import random
import time
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from benchmarks import posts
from benchmarks.flusher import flusher
from benchmarks.history import bring_into_force, fill_table, forget_rules, pay, queue, tidy_up
from benchmarks.load import Address, Client, percentile
from benchmarks.report import Section, number
from benchmarks.serving import OURS, Server, serve
from benchmarks.stage import Stage, Unbalanced, say, settle_up
from transactions.books import balance
from transactions.rules import figures
from transactions.rules.models import Hit

RECORDS, QUICK_RECORDS = 1_000_000, 100_000
OF_THE_LAST = timedelta(days=1)
RULES = 20
# With rules and without, so that neither always comes to the emptier table.
IN_TURNS = (False, True, True, False)
POSTS_RATE = 100.0
CONNECTIONS = 20
STORED_S_MAX = 600.0
HEADS = (
    "",
    "stored /s",
    "owed then",
    "paid in s",
    "hits",
    "POSTs",
    "POST, p50 ms",
    "POST, p99 ms",
    "not 200",
)


class Turn(NamedTuple):
    rate: float
    owed: int
    paid_s: float
    hits: int
    posts: int
    p50_ms: float
    p99_ms: float
    bad: int


def run(stage: Stage) -> Section:
    section = Section("A backlog, with rules and without")
    users, _ = fill_table(stage)
    records = QUICK_RECORDS if stage.scale.quick else RECORDS
    with serve(Server("daphne", OURS)) as address:
        turns = [(judged, _judged_or_not(stage, address, records, users, judged)) for judged in IN_TURNS]
    section.note(
        f"{records:,} records of the last day, flushed while single POSTs come at {POSTS_RATE:.0f}/s:"
    )
    section.table(HEADS, [(f"{RULES} rules" if judged else "no rules", *turn) for judged, turn in turns])
    with_rules, without = ([turn for judged, turn in turns if judged == which] for which in (True, False))
    ratio = sum(turn.rate for turn in with_rules) / sum(turn.rate for turn in without)
    paid_s = max(turn.paid_s for turn in with_rules)
    section.target(
        f"a backlog of {records:,} stored with {RULES} rules, of the rate without",
        "≥ 0.95 ×",
        f"{ratio:.2f} ×, paid {number(paid_s)} s later",
        ratio >= 0.95,
    )
    slower = sum(turn.p99_ms for turn in with_rules) / sum(turn.p99_ms for turn in without)
    section.target(
        "p99 of a single POST meanwhile, of that without rules", "≤ 1.2 ×", f"{slower:.2f} ×", slower <= 1.2
    )
    section.note(settle_up())
    return section


def _judged_or_not(stage: Stage, address: Address, records: int, users: range, judged: bool) -> Turn:
    forget_rules()
    if judged:
        bring_into_force(RULES, _full_minute(datetime.now(UTC) - 2 * OF_THE_LAST))
    return _turn(stage, address, records, users)


def _full_minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _turn(stage: Stage, address: Address, records: int, users: range) -> Turn:
    settle_up()
    tidy_up()
    begin, hits = datetime.now(UTC) - OF_THE_LAST, Hit.objects.count()
    queue((random.choice(users), begin + OF_THE_LAST * (n / records)) for n in range(records))
    say(f"backlog: {records:,} wait")
    with flusher() as worker, Client(address, CONNECTIONS, posts.single(stage)) as client:
        began, took_s = time.monotonic(), 0.0
        worker.begin()

        def look() -> None:
            nonlocal took_s
            found = balance.read()
            if not took_s and (found.stored or 0) - stored >= records:
                took_s = time.monotonic() - began

        stored = balance.read().stored or 0
        latencies: list[float] = []
        bad = 0
        while not took_s:
            if time.monotonic() > began + STORED_S_MAX:
                raise Unbalanced(f"{records:,} were not stored within {STORED_S_MAX:.0f} s.")
            load = client.open(POSTS_RATE, 1.0, look)
            latencies += load.latencies_ms
            bad += load.bad
    owed = figures.read().debt_records
    say(f"backlog: stored in {took_s:.1f} s, {owed:,} owed")
    paid_s = pay()
    return Turn(
        records / took_s,
        owed,
        paid_s,
        Hit.objects.count() - hits,
        len(latencies),
        percentile(latencies, 50),
        percentile(latencies, 99),
        bad,
    )
