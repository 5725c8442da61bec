"""Batches of 1,000 by HTTP, one Daphne process, next to a COPY by a client that does nothing else."""

from collections.abc import Iterator, Mapping

from benchmarks import posts
from benchmarks.baselines import copying
from benchmarks.load import Address, Client, Load
from benchmarks.report import Row, Section, number
from benchmarks.serving import OURS, Server, serve
from benchmarks.stage import Stage, say, settle_up
from transactions.tables import TRANSACTIONS

BATCH_RECORDS = 1000
CONNECTIONS = (4, 8)
# What a round can need, made beforehand; more would be replays.
RECORDS_PER_S_MAX = 250_000
HEADS = ("", "best records/s", "of bare COPY", "p50 ms", "p99 ms", "not 200", "all rounds /s")
COPIES = {
    "bare COPY, keys but no further indexes": copying.PLAIN_TABLE,
    "bare COPY into our table": TRANSACTIONS,
    "bare COPY, no key and no index at all": copying.BARE_TABLE,
}
WANTED = 1.0


def run(stage: Stage) -> Section:
    section = Section("Batches of 1,000, one Daphne process")
    loads: dict[int, list[Load]] = {connections: [] for connections in CONNECTIONS}
    copies: dict[str, list[float]] = {name: [] for name in COPIES}
    with serve(Server("daphne", OURS)) as address:
        for _ in range(stage.scale.rounds):
            for connections, rounds in loads.items():
                rounds.append(take_turn(stage, address, connections))
                say(f"batch, {connections} connections: {number(rate(rounds[-1]))} records/s")
            for name, rates in copies.items():
                rows = copying.lines(stage.scale.copy_records, stage.users)
                rates.append(stage.scale.copy_records / copying.copy(COPIES[name], rows))
                say(f"batch, {name}: {number(rates[-1])} rows/s")
    section.table(HEADS, _rows(loads, copies))
    ours = max(rate(load) for rounds in loads.values() for load in rounds)
    plain = max(next(iter(copies.values())))
    section.target(
        "batches of 1,000, one Daphne process, of bare COPY without further indexes",
        f"≥ {WANTED:.2f} ×",
        f"{ours / plain:.2f} × ({number(ours)} where it does {number(plain)})",
        ours / plain >= WANTED,
    )
    section.note(settle_up())
    return section


def take_turn(stage: Stage, address: Address, connections: int) -> Load:
    scale = stage.scale
    count = int((scale.window_s + scale.warm_up_s) * RECORDS_PER_S_MAX / BATCH_RECORDS)
    with Client(address, connections, posts.batches(stage, count, BATCH_RECORDS)) as client:
        load = client.closed(scale.window_s, scale.warm_up_s)
    settle_up()
    return load


def rate(load: Load) -> float:
    """Records a second."""
    return load.per_second * BATCH_RECORDS


def _rows(loads: Mapping[int, list[Load]], copies: Mapping[str, list[float]]) -> Iterator[Row]:
    plain = max(next(iter(copies.values())))
    for connections, rounds in loads.items():
        best = max(rounds, key=rate)
        latencies = number(best.percentile_ms(50)), number(best.percentile_ms(99))
        bad, every = sum(load.bad for load in rounds), " ".join(number(rate(load)) for load in rounds)
        yield (
            f"ours, {connections} connections",
            rate(best),
            rate(best) / plain,
            *latencies,
            str(bad),
            every,
        )
    for name, rates in copies.items():
        yield name, max(rates), max(rates) / plain, "", "", "", " ".join(map(number, rates))
