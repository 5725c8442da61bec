"""Counts of several processes, added up in Redis: of requests, of ticks, of websockets."""

import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.contrib.auth.models import User

from tests.support.outages import redis_away
from tests.support.serving import ROOT, database_url, stop
from transactions.metrics import counters, ticks
from transactions.metrics.counters import Tally
from transactions.stores.redis_connection import connection
from transactions.tasks import flush_transactions

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def nothing_counted_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters.tally, "_counts", {})


@pytest.mark.slow
def test_a_worker_tells_of_ticks_that_came_too_late(people: list[User], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "celery", "-A", "transaction_monitoring", "worker", "-P", "solo"]
    with (tmp_path / "worker.log").open("wb") as log:
        worker_process = subprocess.Popen(
            [*command, "--without-gossip", "--without-mingle"],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": database_url()},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        try:
            flush_transactions.apply_async(expires=datetime.now(UTC) - timedelta(seconds=60))
            flush_transactions.apply_async()
            deadline = time.monotonic() + 60
            while set(ticks.last_ticks()) != {"expired", "done"} and time.monotonic() < deadline:
                time.sleep(0.2)
        finally:
            stop(worker_process)
    counts, _ = counters.read()
    assert (counts["ticks|expired"], counts["ticks|done"]) == (1, 1)
    assert "Traceback" not in (tmp_path / "worker.log").read_text()


def test_what_redis_does_not_take_is_counted_later() -> None:
    one = Tally()
    one.add("requests|a|200", 2)
    with redis_away():
        one.publish()
    one.add("requests|a|200")
    one.publish()
    one.publish()
    assert counters.read()[0]["requests|a|200"] == 3


def test_requests_count_by_their_status_and_by_how_long_they_took() -> None:
    one = Tally()
    one.answered("add-transaction", 200, 0.004)
    one.answered("add-transaction", 503, 0.004)
    one.answered("add-transaction", 200, 20.0)
    one.publish()
    assert counters.read()[0] == {
        "requests|add-transaction|200": 2,
        "requests|add-transaction|503": 1,
        # Up to 5 ms, the third bound; and over the last one.
        "request_seconds|add-transaction|2": 2,
        f"request_seconds|add-transaction|{len(counters.REQUEST_SECONDS.bounds)}": 1,
        "request_seconds|add-transaction|sum": 20_008_000,
    }


def test_a_process_that_died_has_no_websockets(monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = Tally(), Tally()
    two._name = "another"
    for each in (one, two):
        each.clients(2)
        each.publish()
    assert counters.read()[1] == 4
    monkeypatch.setattr(counters, "time", lambda: time.time() + counters.DEAD_S + 1)
    one.publish()
    assert counters.read()[1] == 2
    assert connection().hlen(counters.WATCHING) == 1
