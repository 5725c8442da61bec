"""From a POST to its message at a receiver, and how many messages a worker sends to a thousand of them."""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import connection

from benchmarks import alerts
from benchmarks.load import percentile
from benchmarks.report import Section, number
from benchmarks.serving import ROOT, process
from benchmarks.stage import Stage, Unbalanced, say, settle_up
from benchmarks.sustained import CELERY, everything
from transactions.notifications import outbox, signing
from transactions.notifications.models import Attempt, Delivery, Endpoint, Message, MessageType

SECONDS, QUICK_SECONDS = 40.0, 10.0
ENDPOINTS, QUICK_ENDPOINTS = 1_000, 50
MESSAGES, QUICK_MESSAGES = 20, 4
WAIT_S_MAX = 180.0
INTERVALS = 2
WORKER = [
    *(*CELERY, "worker", "-l", "warning", "-Q", "notifications", "-n", "notifications@", "--pool", "solo"),
    *("--without-gossip", "--without-mingle"),
]
BEAT = [*CELERY, "beat", "-l", "warning", "--pidfile="]


class Receiver:
    """The receiver's process; `got` asks for what has come since."""

    def __init__(self, running: "subprocess.Popen[str]") -> None:
        assert running.stdin is not None
        assert running.stdout is not None
        self._asked, self._answers = running.stdin, running.stdout
        self.url = f"http://127.0.0.1:{int(self._answers.readline())}/"

    def got(self) -> list[tuple[float, str, dict[str, Any]]]:
        print(file=self._asked, flush=True)
        return [(at, path, json.loads(body)) for at, path, body in json.loads(self._answers.readline())]


def run(stage: Stage) -> Section:
    section = Section("From a POST to its message, and messages a second")
    with receiver() as ours:
        _from_post(stage, section, ours)
        _to_many(stage, section, ours)
    return section


def _from_post(stage: Stage, section: Section, ours: Receiver) -> None:
    seconds = QUICK_SECONDS if stage.scale.quick else SECONDS
    alerts.bring_into_force_anew()
    _endpoints(ours, 1, MessageType.ALERT_OPENED)
    came: dict[int, float] = {}

    def look() -> None:
        for at, _, body in ours.got():
            if body["data"]["rule"]["name"] == alerts.RULE:
                came.setdefault(body["data"]["user"], at)

    with everything() as address, process(WORKER):
        time.sleep(8.0)  # Beat's first ticks
        say(f"notifications: {alerts.RATE:.0f} POSTs a second for {seconds:.0f} s")
        posted, _, bad = alerts.post(stage, address, seconds, look)
        _wait(look, lambda: len(came) >= len(posted))
    if came.keys() != posted.keys():
        raise Unbalanced(f"{len(posted)} alerts were to be told, and {len(came)} were.")
    took = [came[user] - at for user, at in posted.items()]
    p50, p99 = percentile(took, 50), percentile(took, 99)
    section.table(("alerts", "p50 s", "p99 s", "most s", "not 200"), [(len(took), p50, p99, max(took), bad)])
    limit = INTERVALS * settings.FLUSH_INTERVAL_SECONDS
    section.target(
        f"from the POST that completes a rule to the message at a receiver, {alerts.RULES} rules, p99",
        f"< {limit} s ({INTERVALS} flush intervals)",
        f"{number(p99)} s",
        p99 < limit,
    )
    section.note(settle_up())


def _to_many(stage: Stage, section: Section, ours: Receiver) -> None:
    """Nothing but these messages is sent: the endpoints ask for their type alone."""
    endpoints = QUICK_ENDPOINTS if stage.scale.quick else ENDPOINTS
    messages = QUICK_MESSAGES if stage.scale.quick else MESSAGES
    _endpoints(ours, endpoints, MessageType.RULE_ACTIVATED)
    for n in range(messages):
        outbox.write(
            MessageType.RULE_ACTIVATED, {"rule": {"id": n, "name": "benchmark"}, "sentence": "s" * 400}
        )
    say(f"notifications: {messages} messages to each of {endpoints:,} endpoints")
    came: list[float] = []
    to: Counter[str] = Counter()

    def look() -> None:
        for at, path, _ in ours.got():
            came.append(at)
            to[path] += 1

    with process(WORKER), process(BEAT):
        _wait(look, lambda: len(came) >= endpoints * messages)
    if len(to) != endpoints or set(to.values()) != {messages}:
        raise Unbalanced(f"{endpoints * messages:,} messages were to be sent, and {len(came):,} were.")
    took = max(came) - min(came)
    heads = ("endpoints", "messages", "seconds", "messages a second of one worker")
    section.table(heads, [(endpoints, len(came), took, len(came) / took)])


@contextmanager
def receiver() -> Iterator[Receiver]:
    """A receiver in a process of its own."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-m", "benchmarks.receiver"]
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as running:
        yield Receiver(running)
        assert running.stdin is not None
        running.stdin.close()


def _endpoints(ours: Receiver, count: int, *types: MessageType) -> None:
    """So many endpoints of the receiver, and nothing else that would be told."""
    tables = ", ".join(model._meta.db_table for model in (Endpoint, Delivery, Attempt, Message))
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {tables}")
    secret = signing.encrypt(signing.new_secret())
    Endpoint.objects.bulk_create(
        Endpoint(url=f"{ours.url}{n}", secret=secret, types=types) for n in range(count)
    )


def _wait(look: Callable[[], None], done: Callable[[], bool]) -> None:
    until = time.monotonic() + WAIT_S_MAX
    while not done() and time.monotonic() < until:
        time.sleep(0.2)
        look()
