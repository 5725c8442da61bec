"""Backtests end amid a slice where they are to: cancelled, or given back by a worker that stops."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.contrib.auth.models import User
from django.db import connection

from tests.rules.asked_for import asked, drafted, state_of
from tests.support.accepting import record, take
from tests.support.rules import eventually, instead
from tests.support.serving import ROOT, database_url
from transactions.rules import backtest, backtest_runs
from transactions.rules.kinds.rows import Amount
from transactions.rules.models import Backtest

pytestmark = pytest.mark.django_db(transaction=True)


# Purpose: a text that takes for ever.
ENDLESS = """
    SELECT s.user_id AS id, s.user_id, s.lo AS created_at, 1::bigint AS amount, '{}'::jsonb AS figures
      FROM scope s CROSS JOIN pg_sleep(600)
"""


def cancel_once_it_runs(run: Backtest) -> None:
    try:
        eventually(lambda: state_of(run) == "RUNNING", "it never ran")
        backtest_runs.cancel(run)
    finally:
        connection.close()


def test_one_that_is_amid_a_long_slice_ends_when_it_is_cancelled(people: list[User]) -> None:
    run = asked(drafted())
    cancelling = threading.Thread(target=cancel_once_it_runs, args=[run])
    began = time.monotonic()
    with instead(Amount, ENDLESS):
        cancelling.start()
        taken = backtest_runs.run_next()
    cancelling.join()
    assert taken is not None
    assert (taken.state, taken.error) == ("CANCELLED", "")
    assert time.monotonic() - began < 60


def test_one_that_is_amid_a_long_slice_is_given_back_when_the_worker_stops(people: list[User]) -> None:
    run = asked(drafted())
    began = time.monotonic()
    with instead(Amount, ENDLESS):
        backtest_runs.run_next(stopping=lambda: time.monotonic() > began + 1)
    assert (state_of(run), run.attempts) == ("QUEUED", 0)


# A worker whose first slice never ends.
ENDLESS_WORKER = f"""
import sys, django
django.setup()
from transaction_monitoring.celery import app
from transactions.rules.kinds.rows import Amount
Amount.sql = lambda self, bound: {ENDLESS!r}
app.worker_main(sys.argv[1:])
"""


@contextmanager
def worker(*started_by: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker of backtests, which pauses after its first slice while more than a record waits."""
    started_by = started_by or ("-m", "celery", "-q", "-A", "transaction_monitoring")
    command = ["worker", "-Q", "backtests", "--pool", "solo", "--without-gossip", "--without-mingle"]
    process = subprocess.Popen(
        [sys.executable, *started_by, *command],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database_url(), "FLUSH_CHUNK_RECORDS": "1"},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.mark.slow
def test_a_worker_that_is_killed_leaves_it_to_the_next_and_one_that_is_stopped_gives_it_back(
    people: list[User],
) -> None:
    take(record("T1", people[0], 7), record("T2", people[0], 8))
    User.objects.bulk_create(User(username=f"user {n}") for n in range(backtest.SLICE_USERS))
    run = asked(drafted())
    backtest_runs.send_tick()
    with worker() as killed:
        eventually(lambda: state_of(run) == "RUNNING", "it never ran")
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        eventually(backtest_runs.look_after, "nobody took it back")
    assert (state_of(run), run.attempts) == ("QUEUED", 1)
    backtest_runs.send_tick()
    with worker() as stopped:
        eventually(lambda: state_of(run) == "RUNNING", "it never ran again")
        stopped.send_signal(signal.SIGTERM)
        assert stopped.wait(30) == 0
    assert (state_of(run), run.attempts) == ("QUEUED", 1)
    assert backtest_runs.run_next() == run
    assert state_of(run) == "DONE"


@pytest.mark.slow
def test_a_worker_that_is_stopped_amid_a_slice_gives_it_back_at_once(people: list[User]) -> None:
    run = asked(drafted())
    backtest_runs.send_tick()
    with worker("-c", ENDLESS_WORKER) as stopped:
        eventually(is_amid_a_slice, "it never came to its slice")
        stopped.send_signal(signal.SIGTERM)
        assert stopped.wait(60) == 0
    assert (state_of(run), run.attempts) == ("QUEUED", 0)
    assert backtest_runs.run_next() == run
    assert state_of(run) == "DONE"


def is_amid_a_slice() -> bool:
    with connection.cursor() as cursor:
        asleep = "application_name = %s AND state = 'active' AND wait_event = 'PgSleep'"
        cursor.execute(f"SELECT count(*) FROM pg_stat_activity WHERE {asleep}", [backtest.SESSION])
        return bool(cursor.fetchone()[0])
