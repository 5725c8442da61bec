"""What a client waits for a single POST at half of capacity: with nothing else, and amid a flush."""

import time

from benchmarks import filling, posts
from benchmarks.flusher import Flusher, flusher
from benchmarks.load import Address, Client, Load, percentile
from benchmarks.report import Row, Section, number
from benchmarks.serving import OURS, Server, serve
from benchmarks.stage import Stage, say, settle_up

CONNECTIONS = 50
FLUSHES = 3
LIMIT_MS = 50.0
HEADS = ("", "POSTs", "p50 ms", "p99 ms", "max ms", "lasted s", "not 200")


def run(stage: Stage) -> Section:
    section = Section("Latency of single POSTs at half of capacity, one Daphne process")
    records = stage.scale.flush_records[0]
    with serve(Server("daphne", OURS)) as address:
        capacity = _capacity(stage, address)
        settle_up()
        idle = _open(stage, address, capacity / 2, stage.scale.window_s * 3)
        settle_up()
        say(f"latency: half of {number(capacity)}/s, nothing else: p99 {number(idle.percentile_ms(99))} ms")
        with flusher() as worker:
            turns = [_amid_flush(stage, address, capacity / 2, worker) for _ in range(FLUSHES)]
        settle_up()
    amid = [latency for latencies, _, _ in turns for latency in latencies]
    section.note(f"Capacity, closed loop at {CONNECTIONS} connections: {number(capacity)}/s.")
    rows = [_row("nothing else", idle.latencies_ms, stage.scale.window_s * 3, idle.bad)]
    rows += [_row(f"amid a flush of {records:,}", *turn) for turn in turns]
    section.table(HEADS, rows)
    amid_bad = sum(bad for _, _, bad in turns)
    for what, latencies, bad in (
        ("", idle.latencies_ms, idle.bad),
        (f", while a flush of {records:,} rows runs", amid, amid_bad),
    ):
        p99 = percentile(latencies, 99)
        name = f"p99 of a single POST at half of capacity{what}"
        measured = f"{number(p99)} ms" + (f", {bad} not accepted" if bad else "")
        section.target(name, f"≤ {LIMIT_MS:g} ms", measured, p99 <= LIMIT_MS and not bad)
    section.note(settle_up())
    return section


def _row(name: str, latencies: list[float], took_s: float, bad: int) -> Row:
    highest = max(latencies, default=float("nan"))
    return name, len(latencies), percentile(latencies, 50), percentile(latencies, 99), highest, took_s, bad


def _capacity(stage: Stage, address: Address) -> float:
    with Client(address, CONNECTIONS, posts.single(stage)) as client:
        return client.closed(stage.scale.window_s, stage.scale.warm_up_s + 1).per_second


def _open(stage: Stage, address: Address, rate: float, seconds: float) -> Load:
    with Client(address, CONNECTIONS, posts.single(stage)) as client:
        return client.open(rate, seconds)


def _amid_flush(
    stage: Stage, address: Address, rate: float, worker: Flusher
) -> tuple[list[float], float, int]:
    """Latencies in ms of what was accepted while a flush ran, how long it ran in seconds, and how many were
    not accepted then, before or after.
    """
    filling.fill(stage.scale.flush_records[0], stage.users)
    begin = time.monotonic() + 1
    told = False

    def tell() -> None:
        nonlocal told
        if not told and time.monotonic() > begin:
            worker.begin()
            told = True

    with Client(address, CONNECTIONS, posts.single(stage)) as client:
        load = client.open(rate, 3 if stage.scale.quick else 8, tell)
    stored, began, ended = worker.ended()
    latencies, took_s = load.between(began, ended), ended - began
    p99 = number(percentile(latencies, 99))
    say(f"latency: a flush of {stored:,} took {took_s:.1f} s, p99 {p99} ms")
    return latencies, took_s, load.bad
