"""From POST to stored, everything on this machine: batches at a steady rate, the worker and Beat at work."""

import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from benchmarks import posts
from benchmarks.load import Address, Client, Load
from benchmarks.report import Section, number
from benchmarks.serving import OURS, Server, process, serve
from benchmarks.stage import Stage, Unbalanced, say
from transactions.books import balance

BATCH_RECORDS = 1000
CONNECTIONS = 8
DRAIN_S_MAX = 120.0
CELERY = [sys.executable, "-m", "celery", "-q", "-A", "transaction_monitoring"]
HEADS = (
    "offered /s",
    "accepted /s",
    "stored /s",
    "most waiting",
    "drained in s",
    "p50 ms",
    "p99 ms",
    "not 200",
)


class Sample(NamedTuple):
    """What the books say, `at_s` seconds after the first POST."""

    at_s: float
    accepted: int
    stored: int
    waiting: int


class Watch:
    """Reads the books while the load runs: about every second, which takes a millisecond or two."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._before = self._read()
        self.samples = [Sample(0.0, 0, 0, 0)]

    def look(self) -> None:
        if time.monotonic() - self._began < self.samples[-1].at_s + 1:
            return
        found, before = self._read(), self._before
        stored, accepted = found.stored - before.stored, found.accepted - before.accepted
        self.samples.append(Sample(found.at_s, accepted, stored, found.waiting))

    def until_drained(self) -> float:
        """Seconds until nothing waits. Raises Unbalanced if that takes too long."""
        began = time.monotonic()
        while self._read().waiting:
            if time.monotonic() > began + DRAIN_S_MAX:
                raise Unbalanced(f"Something still waits after {DRAIN_S_MAX:.0f} s.")
            time.sleep(0.1)
        return time.monotonic() - began

    def _read(self) -> Sample:
        found = balance.read()
        waiting = found.buffered + (found.in_flight or 0)
        return Sample(time.monotonic() - self._began, found.accepted, found.stored or 0, waiting)


def run(stage: Stage) -> Section:
    section = Section("Sustained, from POST to stored")
    rate, seconds = stage.scale.sustained_rate, stage.scale.sustained_s
    with everything() as address:
        time.sleep(6.0)  # Beat's first tick
        say(f"sustained: {rate:,} records/s for {seconds:.0f} s")
        load, watch = _load(stage, address)
        drained_s = watch.until_drained()
    last = watch.samples[-1]
    accepted, stored = last.accepted / last.at_s, last.stored / last.at_s
    most = max(sample.waiting for sample in watch.samples)
    latencies = load.percentile_ms(50), load.percentile_ms(99)
    section.table(HEADS, [(rate, accepted, stored, most, drained_s, *latencies, load.bad)])
    every = max(1, len(watch.samples) // 20)
    course = ", ".join(f"{sample.waiting:,}" for sample in watch.samples[1::every])
    section.note(f"Records that waited, every {every} s: {course}.")
    growing = _grows(watch.samples, rate)
    section.target(
        f"sustained, POST to stored, {seconds:.0f} s",
        f"≥ {rate:,} records/s to half a percent, queue not growing",
        f"{number(accepted)}/s, queue {'growing' if growing else 'not growing'}",
        accepted >= 0.995 * rate and not growing and not load.bad,
    )
    found = balance.read()
    if not found.balanced:
        raise Unbalanced(f"The books do not balance: {found}")
    section.note(f"Books: accepted {found.accepted:,} = stored {found.stored:,} + …; nothing waits.")
    return section


@contextmanager
def everything() -> Iterator[Address]:
    """What accepts and stores: web, the worker and Beat, as `make run` starts them."""
    worker = [*CELERY, "worker", "-l", "warning", "--without-gossip", "--without-mingle"]
    beat = [*CELERY, "beat", "-l", "warning", "--pidfile="]
    with ExitStack() as stack:
        stack.enter_context(process(worker))
        stack.enter_context(process(beat))
        yield stack.enter_context(serve(Server("daphne", OURS)))


def _load(stage: Stage, address: Address) -> tuple[Load, Watch]:
    batches_a_second = stage.scale.sustained_rate / BATCH_RECORDS
    count = int(batches_a_second * stage.scale.sustained_s)
    with Client(address, CONNECTIONS, posts.batches(stage, count, BATCH_RECORDS)) as client:
        watch = Watch()
        return client.open(batches_a_second, stage.scale.sustained_s, watch.look), watch


def _grows(samples: list[Sample], rate: int) -> bool:
    """Whether more waited in the last third than in the one before it, by a second's worth."""
    third = len(samples) // 3
    before, after = samples[third : 2 * third], samples[2 * third :]
    return max(sample.waiting for sample in after) > max(sample.waiting for sample in before) + rate
