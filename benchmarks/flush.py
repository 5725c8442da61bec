"""Storing what is queued: our flush, a bare COPY of as many rows, and the seed's manner."""

import time

from benchmarks import filling
from benchmarks.baselines import copying, seed_flush
from benchmarks.history import fill_table
from benchmarks.report import Section, number
from benchmarks.stage import Stage, Unbalanced, say, settle_up
from transactions.storing.flush import flush
from transactions.tables import TRANSACTIONS

OURS = "our flush: reserve, judge, store, roll up, count, release"
COPY_OURS = "bare COPY into our table: indexes, foreign key, trigger"
COPY_PLAIN = "bare COPY, keys but no further indexes"
SEED = "the seed's manner, into its own table"
# A flush of more spends less of its time on beginning and ending.
LARGE_RECORDS = 200_000
WANTED, WANTED_OF_FEW = 0.8, 0.7


def run(stage: Stage) -> Section:
    section = Section("Storing what is queued")
    users, rows = fill_table(stage)
    section.note(f"Into our table of at least {rows:,} rows of {len(users):,} users:")
    for count in stage.scale.flush_records:
        rates: dict[str, list[float]] = {OURS: [], COPY_OURS: [], COPY_PLAIN: [], SEED: []}
        # A large one varies less.
        for _ in range(min(stage.scale.rounds, 2) if count > LARGE_RECORDS else stage.scale.rounds):
            for name in rates:
                rates[name].append(count / _take_turn(name, users, count))
                say(f"flush, {count:,}: {name}: {number(rates[name][-1])} rows/s")
        best = {name: max(rounds) for name, rounds in rates.items()}
        section.note(f"{count:,} records:")
        section.table(
            ("", "best rows/s", "of COPY into our table", "all rounds /s"),
            [
                (name, best[name], best[name] / best[COPY_OURS], " ".join(map(number, rounds)))
                for name, rounds in rates.items()
            ],
        )
        ratio, wanted = best[OURS] / best[COPY_OURS], WANTED if count > LARGE_RECORDS else WANTED_OF_FEW
        section.target(
            f"flush of {count:,}, of bare COPY into the same table",
            f"≥ {wanted:g} ×",
            f"{ratio:.2f} ×",
            ratio >= wanted,
        )
    section.note(settle_up())
    return section


def _take_turn(name: str, users: range, count: int) -> float:
    """Seconds."""
    if name == OURS:
        filling.fill(count, users)
        copying.checkpoint()
        began = time.perf_counter()
        report = flush()
        took = time.perf_counter() - began
        if report.stored != count:
            raise Unbalanced(f"{count} were queued, and the flush says {report}")
        return took
    if name == SEED:
        seed_flush.fill(count, users)
        return seed_flush.flush()
    table = TRANSACTIONS if name == COPY_OURS else copying.PLAIN_TABLE
    return copying.copy(table, copying.lines(count, users))
