"""Safeguards of storing one by one, also those behind which another one stands.

tests/faults/mutations.py takes them out, and those of accepting, one by one, and shows that a test fails.
"""

import random
from typing import Any

import psycopg2
import pytest
from django.contrib.auth.models import User

from tests.support.accepting import push, queued, record, take
from tests.support.flushing import POINTS, balanced, crash_at, rows
from transactions.books.alarms import open_alarms
from transactions.intake.lookups import lookups
from transactions.models import Epoch, FlushBatch, RejectedRecord
from transactions.queue.keys import BATCH, QUEUE
from transactions.stores.postgres_session import FLUSH_LOCK, Session
from transactions.stores.redis_connection import connection
from transactions.storing import bulk_insert
from transactions.storing import flush as flushing
from transactions.storing.flush import flush

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("manner")]


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("earlier", [0, 1])
def test_it_keeps_its_books_through_a_crash(
    people: list[User], monkeypatch: pytest.MonkeyPatch, point: str, earlier: int
) -> None:
    """Also in the first flush of all, when no batch has been released yet."""
    for n in range(earlier):
        take(record(f"EARLIER{n}", people[0]))
        flush()
    take(record("T1", people[0]), record("T2", people[0]))
    crash_at(f"flush.{point}", monkeypatch)
    flush()
    assert len(rows()) == 2 + earlier
    assert Epoch.objects.count() == 1
    assert not open_alarms().exists()
    assert balanced()


def test_it_keeps_its_books_when_an_old_promise_is_kept_late(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flusher that was stopped between its promise and the rename wakes up after others have flushed."""
    take(record("T1", people[0]))
    crash_at("flush.after_promise", monkeypatch)
    promised = FlushBatch.objects.get().name
    flush()
    take(record("T2", people[0]))
    flushing.take_queue(promised)  # it wakes up
    for n in range(3):
        flush()
        take(record(f"LATER{n}", people[0]))
    flush()
    assert len(rows()) == 5
    assert not open_alarms().exists()
    assert Epoch.objects.count() == 1
    assert balanced()


def test_a_queue_renamed_twice_stays_where_it_is(people: list[User]) -> None:
    """A flusher that was stopped wakes up and finds the batch that it promised, and a queue beside it."""
    take(record("T1", people[0]))
    flushing.take_queue(f"{BATCH}one")
    take(record("T2", people[0]))
    flushing.take_queue(f"{BATCH}one")
    assert (connection().llen(f"{BATCH}one"), connection().llen(QUEUE)) == (1, 1)
    assert take(record("T1", people[0]), record("T2", people[0])) == ["R", "R"]


def test_it_settles_after_a_late_retry_that_nobody_could_compare(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL away: the retry is taken as new, and what follows goes by when that was accepted."""
    take(record("T1", people[0]))
    flush()
    monkeypatch.setattr(lookups, "_paused_until", float("inf"))
    assert take(record("T1", people[0])) == ["N"]
    assert take(record("T1", people[0], status="SUCCESS")) == ["S"]
    report = flush()
    assert (report.settled, report.duplicates, report.rejected) == (1, 1, 0)
    assert [row[3] for row in rows()] == ["SUCCESS"]
    assert balanced()


def test_it_keeps_the_order_of_the_queue_in_records_of_any_length(people: list[User]) -> None:
    """PostgreSQL puts a short row into a gap that an earlier page has: where a row lies is no order."""
    chance = random.Random(5)
    users = range(10**6, 10**6 + 3000)
    push(*(queued(f"{user}{'x' * chance.randrange(90)}", user) for user in users))
    flush()
    told = RejectedRecord.objects.order_by("id").values_list("raw", "reason")
    kept = [(bytes(raw).split(b"\t")[3].decode(), reason) for raw, reason in told]
    assert kept == [(str(user), f"user {user} does not exist") for user in users]


def test_it_stores_the_first_of_an_id_in_records_of_any_length(people: list[User]) -> None:
    chance = random.Random(5)
    ids = [f"{n}{'x' * chance.randrange(90)}" for n in range(1500)]
    push(*(queued(id, people[0], amount=amount) for id in ids for amount in (1, 20_000)))
    report = flush()
    assert (report.stored, report.rejected) == (1500, 1500)
    assert {row[2] for row in rows()} == {1}


def test_it_lets_go_of_nothing_when_its_time_is_up(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    take(record("T1", people[0]), record("T2", people[0]))
    monkeypatch.setattr(flushing, "FLUSH_S_MAX", 0.0)
    assert flush().total == 0
    (batch,) = FlushBatch.objects.all()
    assert (batch.released, connection().llen(batch.name)) == (False, 2)
    assert balanced()
    monkeypatch.undo()
    assert flush().stored == 2
    assert balanced()


def test_it_keeps_the_users_of_a_chunk_from_being_deleted_before_its_commit(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The foreign key is checked at COMMIT, beyond the reach of anything that could isolate the record."""
    refused: list[bool] = []
    store = bulk_insert.store

    def store_then_delete(cursor: Any, chunk: bulk_insert.Chunk, **options: Any) -> bulk_insert.Counts:
        counts = store(cursor, chunk, **options)
        try:
            with Session() as other, other.transaction() as deleting:
                deleting.execute("SET LOCAL lock_timeout = 100")
                deleting.execute("DELETE FROM auth_user WHERE id = %s", (people[0].pk,))
        except psycopg2.errors.LockNotAvailable:
            refused.append(True)
        return counts

    monkeypatch.setattr(bulk_insert, "store", store_then_delete)
    take(record("T1", people[0]))
    assert flush().stored == 1
    assert refused == [True]


def test_it_takes_up_nothing_while_another_holds_the_lock(people: list[User]) -> None:
    take(record("T1", people[0]))
    with Session() as other:
        assert other.try_lock(FLUSH_LOCK)
        assert flush().busy
    assert rows() == []
    assert connection().llen(QUEUE) == 1
    assert flush().stored == 1
