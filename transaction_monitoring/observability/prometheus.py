"""/metrics: the system in figures, for Prometheus, with the right to read.

Every figure is one of the whole system, whichever process answers: the books' (see
`transactions.books`) or what all processes have counted into Redis (see `transactions.metrics`). So
one target is scraped, not every process. `docs/operations.md` says what to make of them.
"""

from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any

import redis
from django.conf import settings
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from transactions.access.plain_views import readers_only
from transactions.books import alarms, balance
from transactions.intake.answers import REASONS
from transactions.intake.fast_lane import ENDPOINTS
from transactions.metrics import counters
from transactions.models import RejectedRecord
from transactions.notifications import untold
from transactions.rules import figures
from transactions.stores import postgres_replication, primaries, redis_memory
from transactions.stores.redis_connection import connection
from transactions.uploads import figures as uploads

PREFIX = "transactions_"
TOTALS = {
    "accepted": "Records accepted, since the books were opened; a replay is none.",
    "stored": "Records stored as new transactions.",
    "settled": "Records that settled a pending transaction.",
    "duplicates": "Records found to be replays only when they were to be stored.",
    "rejected": "Records that could not be stored, and are kept with their reason.",
    "removed": "Rows removed from the table, by whatever but retention.",
    "pruned": "Rows that were too old and went.",
}
# What must not happen even once: Prometheus sees no growth in a figure that begins at 1.
FAULTS = [f"{endpoint}|500" for endpoint in sorted(set(ENDPOINTS.values()))]
# Fields of the tally whose labels are known beforehand: they are 0 before they first happen.
COUNTERS: dict[str, tuple[str, tuple[str, ...], Iterable[str]]] = {
    "requests": ("Answers to posted transactions, by status.", ("endpoint", "status"), FAULTS),
    "refused": ("Records refused at the door.", ("reason",), sorted(set(REASONS.values()))),
    "ticks": ("Ticks of the flush, by what they came to.", ("outcome",), ("done", "failed", "expired")),
    "rule_hits": ("Hits that a version of a rule has raised.", ("rule", "version"), ()),
    "rule_failures": ("Times that a version of a rule has failed.", ("rule", "version"), ()),
    "rules_left": ("Flushes after which rules were left with something undone.", (), ()),
    "webhooks": ("Messages posted to webhooks, by what came of it.", ("outcome",), ("delivered", "failed")),
    "websocket_closed": ("Websockets that we closed, by code.", ("code",), ("4003", "4008", "4013")),
}
HISTOGRAMS = {
    counters.REQUEST_SECONDS: ("Seconds until a posted transaction was answered.", "endpoint"),
    counters.FLUSH_SECONDS: ("Seconds that a flush took.", ""),
    counters.FLUSH_RECORDS: ("Records that a flush stored.", ""),
    counters.CONFIRMATION_SECONDS: ("Seconds until replicas confirmed what was written, or did not.", ""),
}


@require_safe
@readers_only(
    forbidden="Needs the right to read.", away="A store does not answer. Try again.", challenge=True
)
def metrics(request: HttpRequest) -> HttpResponse:
    """All figures in Prometheus' text format; 401 or 403 without the right to read."""
    registry = CollectorRegistry()
    registry.register(System())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


class System(Collector):
    """What Redis and PostgreSQL say at this moment; what does not answer is left out, and said to be down."""

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily(f"{PREFIX}store_up", "Whether a store answers.", labels=["store"])
        try:
            found = balance.read()
            counts, clients = counters.read()
            memory = redis_memory.memory(connection())
            primary = primaries.read()
        except redis.RedisError:
            up.add_metric(["redis"], 0)
            yield up
            return
        up.add_metric(["redis"], 1)
        up.add_metric(["postgres"], float(found.postgres_answers))
        yield up
        yield from _of_books(found)
        yield from _counters(counts)
        yield from _histograms(counts)
        yield _gauge("queue_limit", "MAX_QUEUE_LENGTH: intake refuses beyond it.", settings.MAX_QUEUE_LENGTH)
        yield _gauge("websocket_clients", "Websockets that are open.", clients)
        if memory is not None:
            yield _gauge("redis_memory_bytes", "Memory that Redis uses.", memory.used)
            yield _gauge("redis_memory_limit_bytes", "Redis' maxmemory; 0: none.", memory.limit)
        if primary is not None:
            yield from _of_replicas(primary, counts.get(counters.UNCONFIRMED, 0))
        try:
            yield _gauge("alarms_open", "Alarms that nobody has acknowledged.", alarms.open_alarms().count())
            yield from _of_rules(counts)
            yield from _of_outbox()
            yield from _of_uploads()
            yield from _of_standbys()
            waiting = RejectedRecord.objects.filter(resolution="").count()
            yield _gauge("rejected_open", "Rejected records that nobody has dealt with.", waiting)
        except DatabaseError:
            return


def _of_replicas(primary: primaries.Primary, failed: int) -> Iterator[Metric]:
    """Of a Redis whose primary is told by sentinels; nothing of one that is all there is."""
    failures = "Times that too few replicas confirmed what was to be promised, or were there to."
    yield CounterMetricFamily(f"{PREFIX}confirmations_failed", failures, value=failed)
    yield _gauge("replicas_wanted", "REDIS_REPLICAS: replicas that there should be.", primary.wanted)
    yield _gauge("replicas_online", "Replicas of Redis that are online.", primary.online)
    yield _gauge("sentinels_wanted", "Sentinels that REDIS_URL names.", primary.sentinels_wanted)
    yield _gauge("sentinels_answering", "Those of them that name a primary.", primary.sentinels)
    yield InfoMetricFamily(
        f"{PREFIX}redis_primary", "Which Redis is the primary.", {"address": primary.address}
    )
    took_over = "When the primary of Redis took over; absent: it is the first."
    yield _gauge("last_failover_timestamp_seconds", took_over, primary.taken_over_at)


def _of_books(found: balance.Books) -> Iterator[Metric]:
    shown = found.as_dict()
    for name, help in TOTALS.items():
        if shown[name] is not None:
            yield CounterMetricFamily(PREFIX + name, help, value=shown[name])
    yield _gauge("queue_length", "Accepted records that wait in the queue.", found.buffered)
    yield _gauge("in_flight", "Records of batches that are being stored.", found.in_flight)
    oldest = found.oldest_buffered_seconds or 0
    yield _gauge("oldest_seconds", "Age of the oldest record that waits; 0: none waits.", oldest)
    yield _gauge("books_balanced", "1 where everything accepted is accounted for.", found.balanced)
    last = found.last_flush.timestamp() if found.last_flush is not None else None
    yield _gauge("last_flush_timestamp_seconds", "When a flush last ran to its end.", last)


def _of_rules(counts: dict[str, int]) -> Iterator[Metric]:
    """What is owed, and the seconds of each version: counted as whole microseconds."""
    now = figures.read()
    yield _gauge("rule_versions", "Versions of rules in force, in shadow too.", now.versions)
    yield _gauge(
        "rule_debt_records",
        "Stored and not judged yet; what several rules owe may count for each.",
        now.debt_records,
    )
    oldest = now.oldest_debt_seconds or 0
    yield _gauge("rule_debt_oldest_seconds", "Age of the oldest debt that could be paid; 0: none.", oldest)
    family = CounterMetricFamily(
        f"{PREFIX}rule_seconds", "Seconds that a version of a rule took.", labels=["rule", "version"]
    )
    for field, value in sorted(counts.items()):
        name, _, label = field.partition("|")
        if name == "rule_microseconds":
            family.add_metric(label.split("|"), value / 1_000_000)
    yield family


def _of_outbox() -> Iterator[Metric]:
    """What is not told yet, and which webhooks do not take it."""
    now = untold.read()
    yield _gauge("messages_waiting", "Messages that wait until somebody tells them.", now.messages)
    age = "Age of the oldest message that waits so; 0: none waits."
    yield _gauge("messages_oldest_seconds", age, now.oldest_message_s)
    yield _gauge("deliveries_due", "Messages that are due at webhooks that are on.", now.deliveries)
    age = "For how long the first of those has been due; 0: none is."
    yield _gauge("deliveries_oldest_seconds", age, now.oldest_delivery_s)
    yield _gauge("webhooks_failing", "Webhooks that failed the last time.", now.webhooks_failing)
    yield _gauge("webhooks_off", "Webhooks that were switched off by what they answered.", now.webhooks_off)


def _of_uploads() -> Iterator[Metric]:
    """Steps with uploaded files that wait for a worker, and those that have one."""
    now = uploads.read()
    count = GaugeMetricFamily(f"{PREFIX}uploads", "Steps with uploaded files.", labels=["state"])
    age = "For how long the oldest step has been so; 0: none is."
    oldest = GaugeMetricFamily(f"{PREFIX}uploads_oldest_seconds", age, labels=["state"])
    for state, steps, seconds in (
        ("waiting", now.waiting, now.waiting_s),
        ("running", now.running, now.running_s),
    ):
        count.add_metric([state], steps)
        oldest.add_metric([state], seconds)
    yield count
    yield oldest


def _of_standbys() -> Iterator[Metric]:
    """Which PostgreSQL takes writes, and who follows it."""
    now = postgres_replication.read()
    primary = GaugeMetricFamily(
        f"{PREFIX}postgres_primary_info",
        "1, by the address of the PostgreSQL that takes writes.",
        labels=["address"],
    )
    primary.add_metric([now.primary], 1)
    yield primary
    yield _gauge("postgres_timeline", "Grows by one with each standby that takes over.", now.timeline)
    waits = "1 where commits wait for standbys."
    yield _gauge("postgres_waits_for_standbys", waits, now.waits)
    yield _gauge("postgres_standbys_online", "Standbys that follow the primary.", now.online)
    yield _gauge("postgres_standbys_in_step", "Those of them that commits wait for.", now.in_step)
    behind = "Seconds by which the last of them is behind; 0: none is."
    yield _gauge("postgres_standby_behind_seconds", behind, now.behind_s)


def _gauge(name: str, help: str, value: Any) -> Metric:
    family = GaugeMetricFamily(PREFIX + name, help)
    if value is not None:
        family.add_metric([], float(value))
    return family


def _counters(counts: dict[str, int]) -> Iterator[Metric]:
    for name, (help, labels, known) in COUNTERS.items():
        family = CounterMetricFamily(PREFIX + name, help, labels=labels)
        fields = {field for field in counts if field.startswith(f"{name}|")}
        expected = {f"{name}|{label}" for label in known} if labels else {name}
        for field in sorted(fields | expected):
            family.add_metric(field.split("|")[1:], counts.get(field, 0))
        yield family


def _histograms(counts: dict[str, int]) -> Iterator[Metric]:
    for histogram, (help, label) in HISTOGRAMS.items():
        family = HistogramMetricFamily(PREFIX + histogram.name, help, labels=[label] * bool(label))
        bounds = [*map(str, histogram.bounds), "+Inf"]
        values = {field.split("|")[1] for field in counts if field.startswith(f"{histogram.name}|")}
        for value in sorted(values):
            start = f"{histogram.name}|{value}|"
            placed = accumulate(counts.get(f"{start}{place}", 0) for place in range(len(bounds)))
            total = counts.get(f"{start}sum", 0) / histogram.parts
            family.add_metric([value] * bool(label), list(zip(bounds, placed, strict=True)), total)
        yield family
