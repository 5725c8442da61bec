"""The gate: bounds that may be too high, and are never too low."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from pytest_django import Settings

from tests.support.accepting import record, take
from tests.support.admin_pages import act
from tests.support.rules import rule_in_force
from transactions.models import Transaction
from transactions.rules import gate
from transactions.rules.models import Gate, Hit
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

# An hour of buckets that ended a while ago, so that its two buckets are surely two.
HOUR = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)


def stored(id: str, user: User, minutes: int) -> None:
    take(record(id, user, created_at=HOUR + timedelta(minutes=minutes)))
    flush()


def hits() -> list[str]:
    return sorted(Hit.objects.values_list("transaction_id", flat=True))


@pytest.fixture
def _kept(people: list[User]) -> None:
    rule_in_force("velocity_count", count=3, window="1h")
    flush()
    assert Gate.objects.get().filled_to == gate.COMPLETE


@pytest.mark.usefixtures("_kept")
def test_a_window_over_two_buckets_is_bounded_by_both(people: list[User]) -> None:
    for id, minutes in (("A", 40), ("B", 50), ("C", 65)):
        stored(id, people[0], minutes)
    assert hits() == ["C"]


@pytest.mark.usefixtures("_kept")
def test_a_late_record_of_an_older_bucket_is_looked_at(people: list[User]) -> None:
    for id, minutes in (("A", 10), ("B", 20), ("LATER", 170), ("LATE", 30)):
        stored(id, people[0], minutes)
    assert hits() == ["LATE"]


@pytest.mark.usefixtures("_kept")
def test_a_late_record_of_the_bucket_before_counts_there(people: list[User]) -> None:
    for id, minutes in (("A", 50), ("B", 70), ("LATE", 55)):
        stored(id, people[0], minutes)
    assert hits() == ["B"]
    stored("C", people[0], 75)
    assert hits() == ["B", "C"]


@pytest.mark.usefixtures("_kept")
def test_records_of_two_buckets_at_once_are_looked_at(people: list[User]) -> None:
    moments = [HOUR + timedelta(minutes=minutes) for minutes in (10, 20, 30, 65)]
    take(*(record(f"T{n}", people[0], created_at=moment) for n, moment in enumerate(moments)))
    flush()
    assert hits() == ["T2", "T3"]


@pytest.mark.usefixtures("_kept")
def test_a_crash_of_postgresql_takes_the_states_and_what_vouches_for_them_together(
    people: list[User],
) -> None:
    for id, minutes in (("A", 10), ("B", 20)):
        stored(id, people[0], minutes)
    tables = [gate.STATE, gate.GATE]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relname = ANY(%s) AND relpersistence = 'u'", [tables]
        )
        assert sorted(cursor.fetchall()) == sorted((table,) for table in tables)
        cursor.execute(f"TRUNCATE {', '.join(tables)}")  # as PostgreSQL does when it recovers
    stored("C", people[0], 30)
    assert hits() == ["C"]
    stored("D", people[0], 40)
    assert hits() == ["C", "D"]


@pytest.mark.usefixtures("_kept")
def test_a_user_with_new_rows_and_one_that_settled_is_looked_at_where_that_is_of_an_older_bucket(
    people: list[User],
) -> None:
    rule_in_force("failure_burst", count=2, window="1h")
    stored("PENDING", people[0], 30)
    take(record("FAILED", people[0], status="FAILED", created_at=HOUR + timedelta(minutes=40)))
    flush()
    take(
        record("PENDING", people[0], status="FAILED"),
        record("NEW", people[0], created_at=HOUR + timedelta(minutes=150)),
    )
    flush()
    assert "FAILED" in hits()


def test_who_sleeps_since_the_latest_transaction_was_deleted_by_hand_is_looked_at(
    people: list[User], root: Client
) -> None:
    rule_in_force("first_or_dormant", days=30)
    flush()
    for id, days in (("LONG AGO", 60), ("DELETED", 10)):
        take(record(id, people[0], created_at=HOUR - timedelta(days=days)))
        take(record(f"{id} TOO", people[1], created_at=HOUR - timedelta(days=days)))
        flush()
    Hit.objects.all().delete()
    act(
        root,
        "transaction",
        "delete_selected",
        Transaction.objects.get(transaction_id="DELETED"),
        post="yes",
        reason="a test",
    )
    assert not Transaction.objects.filter(transaction_id="DELETED").exists()
    stored("NEW", people[0], 0)
    stored("NOT AGAIN", people[0], 10)
    stored("AWAKE", people[1], 0)
    assert hits() == ["NEW"]


def test_a_user_whose_state_is_not_filled_in_yet_is_looked_at(
    people: list[User], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    for id, minutes in (("A", 10), ("B", 20)):
        stored(id, people[0], minutes)
    # A flush goes but one step further.
    settings.FLUSH_INTERVAL_SECONDS = 0
    monkeypatch.setattr(gate, "FILLED_USERS", 1)
    rule_in_force("velocity_count", count=3, window="1h")
    flush()
    assert Gate.objects.get().filled_to == 0
    stored("C", people[0], 30)
    assert hits() == ["C"]


@pytest.mark.parametrize("order", [(0, 60), (60, 0)], ids=["in order", "the earlier comes late"])
def test_of_two_a_window_apart_the_later_does_not_see_the_earlier(
    people: list[User], order: tuple[int, int]
) -> None:
    rule_in_force("velocity_count", count=2, window="1h")
    flush()
    for minutes in order:
        stored(f"at {minutes}", people[0], minutes)
    assert hits() == []
    stored("at 59", people[0], 59)
    assert hits() == ["at 59", "at 60"]
