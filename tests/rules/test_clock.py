"""Rules that look at the clock: all is looked at, step by step, and what fails is left for a while."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from tests.support.accepting import push, queued
from tests.support.rows import row, store
from tests.support.rules import instead, rule_in_force
from transactions.queue.records import stamp
from transactions.rules import clock, debts, lifecycle
from transactions.rules.kinds.clock import FailureRate, PendingTooLong
from transactions.rules.kinds.registry import read
from transactions.rules.kinds.walks import ClockPlace
from transactions.rules.locks import RULES_LOCK
from transactions.rules.models import ClockCursor, Hit
from transactions.stores.postgres_session import Session
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

QUARTER = timedelta(minutes=15)
LATELY = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)


def accept_pending(user: User, number: int) -> list[str]:
    """Takes records that stay PENDING, a second apart, some hours ago; their ids."""
    ids = [f"T{n:02}" for n in range(number)]
    push(*(queued(id, user, at=stamp(LATELY + timedelta(seconds=n))) for n, id in enumerate(ids)))
    return ids


def raised() -> list[str]:
    return sorted(Hit.objects.values_list("transaction_id", flat=True))


def test_what_is_pending_is_found_at_the_ends_of_steps_too(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "ROWS_MAX", 4)
    rule_in_force("pending_too_long", minutes=1)
    ids = accept_pending(people[0], 10)
    for _ in range(4):
        flush()
    assert raised() == ids


@pytest.mark.parametrize(("before", "hits"), [(0, 0), (19, 0), (20, 1)])
def test_more_failures_than_usual_are_none_where_little_is_known_of_what_is_usual(
    people: list[User], before: int, hits: int
) -> None:
    lately = datetime.now(UTC).replace(minute=5, second=0, microsecond=0) - timedelta(hours=3)
    store(*(row(people[0], lately - timedelta(days=1)) for _ in range(before)))
    store(*(row(people[0], lately, status="FAILED") for _ in range(20)))
    begin = lately - timedelta(minutes=5)
    rule_in_force("failure_rate", factor=3, percent=20, past_min=20, begin=begin)
    flush()
    assert Hit.objects.count() == hits


def test_a_version_that_says_nothing_of_what_was_before_judges_as_it_always_did(people: list[User]) -> None:
    said: dict[str, Any] = {"factor": 3, "percent": 20}
    assert read("failure_rate", said).sentence() == read("failure_rate", {**said, "past_min": 1}).sentence()
    lately = datetime.now(UTC).replace(minute=5, second=0, microsecond=0) - timedelta(hours=3)
    store(row(people[0], lately - timedelta(days=1)))
    store(*(row(people[0], lately, status="FAILED") for _ in range(20)))
    rule_in_force("failure_rate", **said, begin=lately - timedelta(minutes=5))
    flush()
    assert Hit.objects.get().figures["count_before"] == 1


def test_rates_of_a_long_time_are_looked_at_step_by_step_and_in_smaller_ones_after_a_failure(
    people: list[User], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clock, "BUCKETS_MAX", 8)
    interval_s = settings.FLUSH_INTERVAL_SECONDS
    begin = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=3)
    spikes = [begin + timedelta(hours=hours, minutes=15) for hours in (0, 25, 50)]
    for spike in spikes:
        store(row(people[0], spike - timedelta(days=1)))
        store(*(row(people[0], spike, status="FAILED") for _ in range(20)))
    version = rule_in_force("failure_rate", factor=1.5, percent=20, days=7, begin=begin)

    def come_to() -> datetime:
        flush()
        moment = ClockCursor.objects.get(version=version).moment
        assert moment is not None
        return moment

    # A flush goes but one step further.
    settings.FLUSH_INTERVAL_SECONDS = 0
    first = begin - timedelta(minutes=15)
    assert come_to() == first + 8 * QUARTER
    with instead(FailureRate, "SELECT 1 / 0"):
        assert come_to() == first + 8 * QUARTER
    ClockCursor.objects.update(due_at=None)
    assert come_to() == first + 12 * QUARTER
    assert come_to() == first + 20 * QUARTER
    settings.FLUSH_INTERVAL_SECONDS = interval_s
    while come_to() < datetime.now(UTC) - 2 * QUARTER:
        pass
    assert list(Hit.objects.order_by("bucket").values_list("bucket", flat=True)) == spikes


def test_a_rule_that_fails_is_tried_less_and_less_often_and_misses_nothing(
    people: list[User], client: Client
) -> None:
    version = rule_in_force("pending_too_long", name="Pending", minutes=1)
    flush()
    ids = accept_pending(people[0], 3)
    waits = []
    with instead(PendingTooLong, "SELECT 1 / 0"):
        for _ in range(3):
            flush()
            flush()
            cursor = ClockCursor.objects.get(version=version)
            assert cursor.due_at is not None
            waits.append(cursor.due_at - datetime.now(UTC))
            assert cursor.attempts == len(waits)
            ClockCursor.objects.update(due_at=datetime.now(UTC))
        assert waits == sorted(waits)
        (problem,) = client.get("/readyz").json()["problems"]
        assert problem.startswith("the rule “Pending”: ")
    assert raised() == []
    flush()
    cursor.refresh_from_db()
    assert (cursor.attempts, cursor.due_at, cursor.error) == (0, None, "")
    assert raised() == ids


def test_one_that_fails_in_itself_is_told_and_the_next_ones_look_all_the_same(
    people: list[User], client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = rule_in_force("pending_too_long", name="Bad", minutes=1)
    rule_in_force("pending_too_long", name="Good", minutes=1)
    ids = accept_pending(people[0], 3)
    start = PendingTooLong.start

    def begins(self: PendingTooLong, cursor: Any, begin: datetime) -> ClockPlace:
        if not failing:
            return start(self, cursor, begin)
        failing.pop()
        raise OverflowError("date value out of range")

    failing = [bad]
    monkeypatch.setattr(PendingTooLong, "start", begins)
    flush()
    assert raised() == ids
    assert set(Hit.objects.values_list("version__rule__name", flat=True)) == {"Good"}
    assert client.get("/readyz").json()["problems"] == ["the rule “Bad”: date value out of range"]
    ClockCursor.objects.update(due_at=datetime.now(UTC))
    flush()
    assert raised() == sorted(ids * 2)


def test_the_clock_judges_by_what_is_in_force_when_it_looks(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not by what was, before other rules' debts were paid for seconds."""
    version = rule_in_force("pending_too_long", minutes=1)
    now = datetime.now(UTC).replace(microsecond=0)
    ahead = stamp(now + timedelta(minutes=2))
    push(queued("T1", people[0], at=stamp(now - timedelta(minutes=2)), created=ahead))
    monkeypatch.setattr(debts, "pay", lambda *_: lifecycle.retire(version))
    flush()
    assert raised() == []


def test_the_clock_waits_too_while_what_is_judged_by_is_changed(people: list[User]) -> None:
    rule_in_force("pending_too_long", minutes=1)
    ids = accept_pending(people[0], 2)
    with Session() as other, other.transaction() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [RULES_LOCK])
        flush()
        assert raised() == []
        assert not ClockCursor.objects.exists()
    flush()
    assert raised() == ids
