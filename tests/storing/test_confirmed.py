"""A flush notes nothing of Redis that a failover could take back: what it reads, and does, is confirmed."""

import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg2
import pytest
import redis
from django.contrib.auth.models import User
from django.test import override_settings

from dev.trio import Member, Trio
from dev.waiting import wait_until
from tests.support.accepting import record, take
from tests.support.flushing import balanced, rows
from transactions.books import epochs
from transactions.books.alarms import open_alarms
from transactions.models import Epoch, FlushBatch
from transactions.queue.keys import BATCH, BOOKS, QUEUE
from transactions.stores.confirmation import Unconfirmed
from transactions.stores.redis_connection import connection
from transactions.storing import flush as flushing
from transactions.storing.bulk_insert import Superseded
from transactions.storing.flush import flush

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def frozen(three: Trio) -> Iterator[Member]:
    """One replica, to be frozen; awake again at the end."""
    replica = three.replicas[0]
    yield replica
    replica.wake()


def at(point: str, act: Callable[[], object], patch: pytest.MonkeyPatch) -> None:
    """From now on a flush that comes to this point does `act` there first."""

    def reached(name: str) -> None:
        if name == f"flush.{point}":
            act()

    patch.setattr(flushing, "crash_point", reached)


def before(module: Any, name: str, act: Callable[[], object], patch: pytest.MonkeyPatch) -> None:
    """From now on `act` comes first where that function is called."""
    original = getattr(module, name)

    def both(*arguments: Any) -> Any:
        act()
        return original(*arguments)

    patch.setattr(module, name, both)


def goes_on() -> None:
    """A flush that is tried again, as by the next tick, ends well."""

    def flushed() -> bool:
        try:
            return not flush().busy
        except (redis.RedisError, psycopg2.Error, Superseded):
            return False

    wait_until(flushed, 60, "a flush ends")


def test_no_books_are_opened_for_an_epoch_that_is_not_confirmed(people: list[User], frozen: Member) -> None:
    take(record("T1", people[0]))
    frozen.freeze()
    with pytest.raises(Unconfirmed):
        flush()
    assert not Epoch.objects.exists()
    frozen.wake()
    goes_on()
    assert (len(rows()), balanced()) == (1, True)


def test_no_length_is_noted_of_a_batch_that_is_not_confirmed(
    people: list[User], frozen: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(record("T1", people[0]))
    at("after_promise", frozen.freeze, monkeypatch)
    with pytest.raises(Unconfirmed):
        flush()
    assert FlushBatch.objects.get().length is None
    monkeypatch.undo()
    frozen.wake()
    goes_on()
    assert (len(rows()), balanced()) == (1, True)


def test_no_count_is_noted_that_is_not_confirmed(
    people: list[User], frozen: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(record("T1", people[0]))
    before(epochs, "note_accepted", frozen.freeze, monkeypatch)
    with pytest.raises(Unconfirmed):
        flush()
    assert Epoch.objects.get().accepted_seen == 0
    monkeypatch.undo()
    frozen.wake()
    goes_on()
    assert (len(rows()), balanced()) == (1, True)


def test_a_release_that_is_not_confirmed_is_not_noted(
    people: list[User], frozen: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(record("T1", people[0]))
    at("after_commit", frozen.freeze, monkeypatch)
    with pytest.raises(Unconfirmed):
        flush()
    assert not FlushBatch.objects.get().released
    monkeypatch.undo()
    frozen.wake()
    goes_on()
    assert FlushBatch.objects.get().released
    assert (len(rows()), balanced()) == (1, True)


def test_no_books_are_opened_of_which_redis_is_not_told_for_good(
    people: list[User], frozen: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after data was lost: new books, with an alarm, whose name Redis has to keep."""
    take(record("T1", people[0]))
    flush()
    connection().flushdb()
    before(epochs, "_batches", frozen.freeze, monkeypatch)
    with pytest.raises(Unconfirmed):
        flush()
    assert Epoch.objects.count() == 1
    assert not open_alarms().exists()
    monkeypatch.undo()
    frozen.wake()
    goes_on()
    assert open_alarms().count() == 1


def test_no_batch_goes_into_new_books_whose_length_is_not_confirmed(
    people: list[User], frozen: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(record("T1", people[0]))
    flushing.take_queue(f"{BATCH}one")
    before(epochs, "_batches", frozen.freeze, monkeypatch)
    with pytest.raises(Unconfirmed):
        flush()
    assert (Epoch.objects.count(), FlushBatch.objects.count()) == (0, 0)


def test_postgres_is_not_emptied_before_replicas_have_confirmed_that_redis_is(
    people: list[User], frozen: Member
) -> None:
    take(record("T1", people[0]))
    flush()
    frozen.freeze()
    with pytest.raises(Unconfirmed):
        epochs.empty_everything()
    assert len(rows()) == 1
    frozen.wake()
    goes_on()
    assert (len(rows()), balanced()) == (0, True)


@pytest.mark.parametrize("point", ["after_promise", "after_reserve", "after_commit", "before_released"])
def test_a_primary_lost_amid_a_flush_costs_no_record_and_leaves_the_books_balanced(
    three: Trio, people: list[User], monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    """Between commit and release they were unbalanced for ever; after the release an alarm was raised."""
    take(record("T0", people[0]))
    goes_on()
    take(record("T1", people[0]), record("T2", people[0]))
    at(point, three.primary.kill, monkeypatch)
    with override_settings(REPLICA_GONE_SECONDS=3):
        goes_on()
        monkeypatch.undo()
        goes_on()
    assert [row[0] for row in rows()] == ["T0", "T1", "T2"]
    assert connection().llen(QUEUE) == 0
    assert connection().hget(BOOKS, "released")
    assert (balanced(), open_alarms().exists(), Epoch.objects.count()) == (True, False, 1)


def test_it_costs_a_flush_little(people: list[User], three: Trio) -> None:
    take(*(record(f"T{n}", people[0]) for n in range(100)))
    began = time.monotonic()
    assert flush().stored == 100
    assert time.monotonic() - began < 3
