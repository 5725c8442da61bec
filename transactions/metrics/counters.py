"""Counting what happens: in the process for a second, then in Redis, where all processes add up.

So whichever of several web processes is asked for the metrics knows those of all, and of the worker.
Counting costs the hot path an addition. A process that is killed takes its last second with it: the
books, which count money, are kept elsewhere (see `books`).
"""

import asyncio
import atexit
import logging
import os
import socket
import threading
from bisect import bisect_left
from functools import lru_cache
from time import time
from typing import NamedTuple

import redis

from ..stores import hash_numbers
from ..stores.hash_tag import TAG
from ..stores.redis_connection import connection, text

log = logging.getLogger(__name__)

# hash: a name and its labels, joined by "|" -> a whole number that only grows
TALLY = f"{TAG}:tally"
# hash: a web process -> how many websockets it has, and when it said so
WATCHING = f"{TAG}:watching"

# Field of TALLY: how often too few replicas confirmed, or were there to.
UNCONFIRMED = "confirmations_failed"

PUBLISH_S = 1.0
# How often a process says again how many websockets it has, and when it is taken for dead.
SAY_AGAIN_S = 5.0
DEAD_S = 35.0


class Histogram(NamedTuple):
    """A distribution: upper bounds of its buckets, and how many parts of a unit its sum counts."""

    name: str
    bounds: tuple[float, ...]
    parts: int

    @lru_cache(maxsize=1024)  # noqa: B019  (four of them, for good)
    def fields(self, label: str, place: int) -> tuple[str, str]:
        """The names of the bucket and of the sum."""
        return f"{self.name}|{label}|{place}", f"{self.name}|{label}|sum"


REQUEST_SECONDS = Histogram(
    "request_seconds",
    (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    1_000_000,
)
FLUSH_SECONDS = Histogram("flush_seconds", (0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 120), 1_000_000)
FLUSH_RECORDS = Histogram("flush_records", (0, 1, 10, 100, 1_000, 10_000, 100_000, 1_000_000), 1)
CONFIRMATION_SECONDS = Histogram(
    "confirmation_wait_seconds",
    (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
    1_000_000,
)


@lru_cache(maxsize=1024)
def _of_request(endpoint: str, status: int, place: int) -> tuple[str, str, str]:
    """The names of the bucket, the sum and the count of requests that were answered so."""
    return (*REQUEST_SECONDS.fields(endpoint, place), f"requests|{endpoint}|{status}")


class Tally:
    """The counts of one process that Redis does not have yet. Safe for threads."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._clients = 0
        self._said_clients = 0
        self._lock = threading.Lock()
        self._armed: asyncio.AbstractEventLoop | None = None
        self._name = f"{socket.gethostname()}:{os.getpid()}"

    def add(self, field: str, number: int = 1) -> None:
        self._add((field, number))

    def _add(self, *counted: tuple[str, int]) -> None:
        with self._lock:
            for field, number in counted:
                self._counts[field] = self._counts.get(field, 0) + number
        if self._armed is None or self._armed.is_closed():
            self._arm(PUBLISH_S)

    def observe(self, histogram: Histogram, value: float, label: str = "", *also: tuple[str, int]) -> None:
        place = bisect_left(histogram.bounds, value)
        count, total = histogram.fields(label, place)
        self._add((count, 1), (total, round(value * histogram.parts)), *also)

    def answered(self, endpoint: str, status: int, seconds: float) -> None:
        """Counts a request to post, answered so after so long."""
        place = bisect_left(REQUEST_SECONDS.bounds, seconds)
        count, total, requests = _of_request(endpoint, status, place)
        self._add((count, 1), (total, round(seconds * REQUEST_SECONDS.parts)), (requests, 1))

    def clients(self, change: int) -> None:
        """So many websockets more or less."""
        self._clients += change
        self.add("websockets", max(0, change))

    def publish(self) -> None:
        """Adds to Redis what it does not have yet; what it does not take is kept for the next time."""
        with self._lock:
            counts, self._counts = self._counts, {}
        pipeline = connection().pipeline(transaction=False)
        for field, number in counts.items():
            pipeline.hincrby(TALLY, field, number)
        if self._clients or self._said_clients:
            pipeline.hset(WATCHING, self._name, f"{self._clients} {time():.0f}")
        try:
            pipeline.execute()
            self._said_clients = self._clients
        except redis.RedisError as error:
            log.debug("Redis took no counts (%s)", type(error).__name__)
            with self._lock:
                for field, number in counts.items():
                    self._counts[field] = self._counts.get(field, 0) + number

    def _arm(self, seconds: float) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:  # Another thread's count, which the next one of the loop takes along.
            return
        self._armed = loop
        loop.call_later(seconds, self._publish_aside, loop)

    def _publish_aside(self, loop: asyncio.AbstractEventLoop) -> None:
        self._armed = None
        loop.run_in_executor(None, self.publish)
        if self._clients:
            self._arm(SAY_AGAIN_S)


tally = Tally()
# A process that is asked to end leaves what it counted since it last published.
atexit.register(tally.publish)


def refused(reason: str, records: int = 1) -> None:
    """Counts records that were posted and not taken; a batch that is refused as a whole counts 1."""
    if records:
        tally.add(f"refused|{reason}", records)


def confirmed(seconds: float, held: bool) -> None:
    """Counts that replicas were waited for, and whether they confirmed what was written."""
    failed = () if held else ((UNCONFIRMED, 1),)
    tally.observe(CONFIRMATION_SECONDS, seconds, "", *failed)


def unconfirmed() -> None:
    """Counts what nobody was asked to confirm, since replicas were known to be missing."""
    tally.add(UNCONFIRMED)


def flushed(records: int, seconds: float) -> None:
    """Counts a flush that ran to its end, and publishes what the flusher has counted."""
    tally.observe(FLUSH_RECORDS, records)
    tally.observe(FLUSH_SECONDS, seconds)
    tally.publish()


def read() -> tuple[dict[str, int], int]:
    """The counts of all processes by field, and the websockets that are open. Raises redis.RedisError."""
    tally.publish()
    counts, watching = connection().hgetall(TALLY), connection().hgetall(WATCHING)
    clients, dead = 0, []
    for name, said in watching.items():
        number, _, said_at = text(said).partition(" ")
        moment = hash_numbers.moment(WATCHING, text(name), said_at)
        if moment is None or time() - moment > DEAD_S:
            dead.append(name)
        else:
            clients += hash_numbers.whole(WATCHING, text(name), number) or 0
    if dead:
        connection().hdel(WATCHING, *dead)
    return hash_numbers.wholes(TALLY, counts), clients
