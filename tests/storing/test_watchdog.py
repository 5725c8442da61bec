"""The worker's own ticks: when they come, and when they hold back."""

import logging
import threading
from datetime import timedelta
from typing import Any

import psycopg2
import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from tests.support.accepting import record, take
from tests.support.outages import postgres_away
from transactions.models import Epoch, Transaction
from transactions.stores.postgres_session import FLUSH_LOCK, Session
from transactions.storing import watchdog
from transactions.storing.watchdog import flush_if_overdue, start_clock
from transactions.tasks import flush_transactions

pytestmark = pytest.mark.django_db(transaction=True)


def age_last_flush(seconds: float) -> None:
    Epoch.objects.update(flushed_at=timezone.now() - timedelta(seconds=seconds))


def test_it_flushes_where_no_flush_has_ever_ended(people: list[User]) -> None:
    take(record("T1", people[0]))
    assert flush_if_overdue()
    assert Transaction.objects.count() == 1


def test_it_flushes_once_two_intervals_have_passed(people: list[User], settings: Any) -> None:
    settings.FLUSH_INTERVAL_SECONDS = 500
    flush_if_overdue()
    take(record("T1", people[0]))
    age_last_flush(900)
    assert not flush_if_overdue()
    assert not Transaction.objects.exists()
    age_last_flush(1100)
    assert flush_if_overdue()
    assert Transaction.objects.count() == 1


def test_it_leaves_a_flush_that_is_under_way_alone(people: list[User]) -> None:
    take(record("T1", people[0]))
    with Session() as other:
        assert other.try_lock(FLUSH_LOCK)
        assert not flush_if_overdue()
    assert flush_if_overdue()


def test_its_clock_goes_on_after_a_failure(
    people: list[User], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.FLUSH_INTERVAL_SECONDS = 0.05
    failures = iter([psycopg2.OperationalError("gone\nfor now"), RuntimeError("unforeseen")])
    flushed = threading.Event()

    def flush_or_fail() -> bool:
        error = next(failures, None)
        if error is not None:
            raise error
        flushed.set()
        return True

    monkeypatch.setattr(watchdog, "flush_if_overdue", flush_or_fail)
    ended = start_clock()
    (clock,) = [thread for thread in threading.enumerate() if thread.name == "watchdog"]
    try:
        assert flushed.wait(30)
    finally:
        ended.set()
        clock.join()


def test_its_clock_leaves_the_first_tick_to_beat(settings: Any) -> None:
    settings.FLUSH_INTERVAL_SECONDS = 5
    waits: list[float | None] = []

    class Ended(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            waits.append(timeout)
            return len(waits) == 3

    watchdog._run(Ended())
    assert waits == [10, 5, 5]


def test_a_tick_that_meets_an_outage_is_a_line_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with postgres_away():
        result = flush_transactions.apply()
    assert isinstance(result.result, psycopg2.OperationalError)
    (told,) = [entry for entry in caplog.records if entry.levelno >= logging.WARNING]
    assert told.getMessage().startswith("The flush failed, and the next tick starts over: ")
    assert told.exc_info is None
    assert "\n" not in told.getMessage()
