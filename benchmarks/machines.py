"""Single POSTs and batches where replicas confirm what is acknowledged, beside one Redis alone.

All three servers share the disk and the processors of one machine here: on three they do not.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.conf import settings

from benchmarks import batch, single
from benchmarks.load import Load
from benchmarks.report import Row, Section, number
from benchmarks.serving import OURS, Server, serve
from benchmarks.stage import Stage, say
from dev.trio import Trio
from dev.waiting import wait_until
from transactions.books import epochs
from transactions.stores import confirmation, lookout
from transactions.stores.redis_connection import connection

SINGLE_CONNECTIONS, BATCH_CONNECTIONS = 50, 8
COUNTED_S = 60.0
HEADS = ("", "", "best /s", "of one Redis", "p50 ms", "p99 ms", "not 200", "all rounds /s")


@dataclass(frozen=True, slots=True)
class Contestant:
    """Who confirms: `replicas` of them follow the primary, and are asked where `sentinels` tell who it is."""

    name: str
    replicas: int
    sentinels: bool

    def url(self, trio: Trio) -> str:
        return trio.url if self.sentinels else trio.primary_url


ALONE = Contestant("one Redis", 0, sentinels=False)
CONTESTANTS = (
    ALONE,
    Contestant("two replicas, none confirms", 2, sentinels=False),
    Contestant("one replica confirms", 1, sentinels=True),
    Contestant("two replicas confirm", 2, sentinels=True),
)


def run(stage: Stage) -> Section:
    """Every contestant has its turn, round after round; the best round counts, and all are shown."""
    section = Section("Replicas that confirm, one Daphne process")
    loads: dict[tuple[str, str], list[Load]] = defaultdict(list)
    trio = Trio(stage.directory / "trio")
    try:
        trio.start()
        for _ in range(stage.scale.rounds):
            for contestant in CONTESTANTS:
                with _beside(contestant, trio):
                    _take_turn(stage, trio, contestant, loads)
    finally:
        trio.stop()
    section.table(HEADS, _rows(loads))
    return section


def _take_turn(
    stage: Stage, trio: Trio, contestant: Contestant, loads: dict[tuple[str, str], list[Load]]
) -> None:
    environment = {"REDIS_URL": contestant.url(trio), "REDIS_REPLICAS": str(max(1, contestant.replicas))}
    with serve(Server("daphne", OURS, environment)) as address:
        ours = single.Contestant(contestant.name, Server("daphne", OURS))
        parts: dict[str, Callable[[], Load]] = {
            "single": lambda: single.take_turn(stage, ours, address, SINGLE_CONNECTIONS),
            "batches of 1,000": lambda: batch.take_turn(stage, address, BATCH_CONNECTIONS),
        }
        for what, turn in parts.items():
            load = turn()
            loads[what, contestant.name].append(load)
            say(f"machines, {what}, {contestant.name}: {number(_records(what, load))} records/s")


@contextmanager
def _beside(contestant: Contestant, trio: Trio) -> Iterator[None]:
    """The servers as the contestant has them, empty, and used by this process too."""
    trio.until_whole()
    for replica in trio.replicas[contestant.replicas :]:
        replica.kill()
    before = settings.REDIS_URL, settings.REDIS_REPLICAS
    settings.REDIS_URL, settings.REDIS_REPLICAS = contestant.url(trio), max(1, contestant.replicas)
    connection.cache_clear()
    try:
        if contestant.sentinels:
            # One that was killed just now counts on, until it has been gone for long.
            wait_until(
                lambda: _counts(contestant.replicas), COUNTED_S, f"{contestant.replicas} replicas count"
            )
        connection().flushdb()
        epochs.empty_everything()
        yield
    finally:
        settings.REDIS_URL, settings.REDIS_REPLICAS = before
        connection.cache_clear()


def _counts(replicas: int) -> bool:
    """Whether this process waits for so many, and none of them is missing."""
    return not confirmation.lacking() and lookout.counted.needed(replicas) == replicas


def _records(what: str, load: Load) -> float:
    """Records a second."""
    return load.per_second if what == "single" else batch.rate(load)


def _rows(loads: dict[tuple[str, str], list[Load]]) -> Iterator[Row]:
    for (what, name), rounds in sorted(loads.items(), key=lambda each: each[0][0] != "single"):
        best = max(rounds, key=lambda load: load.per_second)
        alone = max(load.per_second for load in loads[what, ALONE.name])
        every = " ".join(number(_records(what, load)) for load in rounds)
        latencies = number(best.percentile_ms(50)), number(best.percentile_ms(99))
        bad = str(sum(load.bad for load in rounds))
        yield what, name, _records(what, best), best.per_second / alone, *latencies, bad, every
