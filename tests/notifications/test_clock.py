"""An alarm leaves without Beat, and without Redis: the worker that tells has a clock of its own."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from dev.servers import launch
from tests.support.serving import ROOT, database_url
from transaction_monitoring.celery import app as celery
from transactions import tasks
from transactions.models import Epoch
from transactions.notifications import clock
from transactions.notifications.clock import Chore, Clock
from transactions.notifications.models import Endpoint
from transactions.storing.flush import flush
from transactions.system import conditions

from .conftest import Receiver, eventually

pytestmark = pytest.mark.django_db(transaction=True)


@contextlib.contextmanager
def worker_without_beat(log: Path, **environment: str) -> Iterator[None]:
    """A worker of the queue “notifications”, as it is run everywhere; nobody sends it ticks."""
    command = [
        *(sys.executable, "-m", "celery", "-q", "-A", "transaction_monitoring", "worker", "-Q"),
        *("notifications", "-n", "notifications@", "--pool", "solo", "-l", "warning"),
        *("--without-gossip", "--without-mingle"),
    ]
    told = {
        "DATABASE_URL": database_url(),
        "WEBHOOK_SECRET_KEYS": "k" * 32,
        "WEBHOOK_PRIVATE_NETWORKS": "127.0.0.0/8",
        **environment,
    }
    with log.open("wb") as said:
        worker = subprocess.Popen(
            launch(command, ROOT, signal.SIGKILL), env={**os.environ, **told}, stdout=said, stderr=said
        )
        try:
            yield
        finally:
            worker.kill()
            worker.wait()


def keys_told(receiver: Receiver, secret: str) -> list[str]:
    return [got.verified(secret)["data"]["key"] for got in list(receiver.got)]


@pytest.mark.slow
def test_that_beat_is_dead_is_told_though_the_flush_goes_on(
    receiver: Receiver, endpoint: tuple[Endpoint, str], people: list[User], tmp_path: Path
) -> None:
    flush()
    log = tmp_path / "worker.log"
    with worker_without_beat(log):
        # As long as ticks come it goes by these alone.
        until = time.monotonic() + clock.SILENCE_S + 5
        while time.monotonic() < until:
            celery.send_task(tasks.deliver_messages.name, expires=2)
            time.sleep(1)
        assert "No tick" not in log.read_text()
        deadline = time.monotonic() + 120
        while not receiver.got:
            assert time.monotonic() < deadline, log.read_text()
            # As the other worker does by itself.
            flush()
            time.sleep(0.5)
    assert keys_told(receiver, endpoint[1]) == ["ticks"]
    text = receiver.got[0].verified(endpoint[1])["data"]["text"]
    assert text.startswith("No tick for ")
    assert text.endswith(" s: does Celery Beat run?")


@pytest.mark.slow
def test_that_redis_is_away_is_told_though_no_tick_can_come(
    receiver: Receiver, endpoint: tuple[Endpoint, str], people: list[User], tmp_path: Path
) -> None:
    flush()
    with worker_without_beat(tmp_path / "worker.log", REDIS_URL="redis://127.0.0.1:1/0"):
        eventually(lambda: "redis" in keys_told(receiver, endpoint[1]))


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "SILENCE_S", 0.2)
    monkeypatch.setattr(clock, "LOOK_S", 0.01)


@contextlib.contextmanager
def running(clock: Clock, *acts: Callable[[], object]) -> Iterator[None]:
    ended = clock.start(*(Chore(0.0, act) for act in acts))
    (thread,) = [thread for thread in threading.enumerate() if thread.name == "clock"]
    try:
        yield
    finally:
        ended.set()
        thread.join()


@pytest.mark.usefixtures("quick")
def test_the_clock_goes_by_itself_once_no_tick_comes_and_on_after_a_failure() -> None:
    silences: list[float] = []
    clock = Clock()

    def fail() -> None:
        raise RuntimeError("unforeseen")

    with running(clock, fail, lambda: silences.append(clock.silent_s())):
        eventually(lambda: len(silences) > 2)
    assert silences[0] >= 0.2


@pytest.mark.usefixtures("quick")
def test_the_clock_holds_back_while_ticks_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "SILENCE_S", 3_600.0)
    acts: list[None] = []
    with running(Clock(), lambda: acts.append(None)):
        time.sleep(0.1)
    assert acts == []


def test_that_no_tick_comes_is_an_alarm_of_its_own_where_nothing_else_tells_it(people: list[User]) -> None:
    flush()
    assert conditions.seen(29) == {}
    assert conditions.seen(45) == {"ticks": "No tick for 45 s: does Celery Beat run?"}
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {Epoch._meta.db_table} SET flushed_at = now() - interval '1 hour'")
    found: dict[str, Any] = conditions.seen(45)
    assert list(found) == ["flush"]
