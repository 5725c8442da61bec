"""The books and their epochs: what must balance does, and what must not, does not."""

import threading
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.db import OperationalError

from tests.support.accepting import outcomes, push, queued, record, take
from tests.support.outages import postgres_away, stores_moving_on
from transactions.books import balance as books_module
from transactions.books import epochs
from transactions.books.balance import read
from transactions.intake import ingest
from transactions.intake.lookups import lookups
from transactions.intake.outcomes import IntakeUnavailable
from transactions.models import Epoch, FlushBatch, Transaction
from transactions.queue.keys import BATCH, BOOKS, INDEX, QUEUE
from transactions.stores.redis_connection import connection
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)


def test_they_balance_before_anything_happened(people: list[User]) -> None:
    books = read()
    assert books.balanced is True
    assert (books.accepted, books.oldest_buffered_seconds, books.last_flush) == (0, None, None)


def test_they_count_each_term_for_itself(people: list[User]) -> None:
    take(record("T1", people[0]), record("T2", people[0], status="SUCCESS"))
    waiting = read()
    assert (waiting.accepted, waiting.buffered, waiting.stored) == (2, 2, 0)
    assert waiting.oldest_buffered_seconds is not None
    flush()
    take(record("T1", people[0], status="FAILED"))
    flush()
    books = read()
    assert (books.accepted, books.stored, books.settled, books.buffered) == (3, 2, 1, 0)
    assert books.balanced is True
    assert books.last_flush is not None


@pytest.mark.parametrize("change", ["added", "taken"])
def test_they_show_a_record_put_in_or_taken_behind_the_systems_back(people: list[User], change: str) -> None:
    take(record("T1", people[0]), record("T2", people[0]))
    if change == "added":
        connection().rpush(QUEUE, queued("T3", people[0]))
    else:
        connection().lpop(QUEUE)
    assert read().balanced is False
    flush()
    assert read().balanced is False, "storing it does not hide it"


def test_they_balance_amid_a_flush(people: list[User], settings: Any) -> None:
    settings.FLUSH_CHUNK_RECORDS = 20
    take(*(record(f"T{n}", people[n % 3]) for n in range(1000)))
    flusher = threading.Thread(target=flush)
    flusher.start()
    seen = []
    while flusher.is_alive():
        books = read()
        seen.append(books.in_flight)
        assert books.balanced is True
    flusher.join()
    assert read().stored == 1000
    assert len(seen) > 1


def test_redis_data_that_vanished_opens_new_books_and_says_what_is_missing(people: list[User]) -> None:
    take(*(record(f"T{n}", people[0]) for n in range(5)))
    flush()
    connection().flushdb()
    flush()
    alarm = Epoch.objects.get(closed_at=None).alarm
    assert "vanished" in alarm
    assert "at least 0 are missing" in alarm
    assert take(record("T9", people[0])) == ["N"]
    flush()
    assert read().balanced is True
    assert Epoch.objects.count() == 2


def test_records_accepted_before_anybody_noticed_are_in_the_new_books(people: list[User]) -> None:
    take(record("T1", people[0]))
    flush()
    connection().flushdb()
    take(record("T2", people[0]), record("T1", people[0]))
    flush()
    books = read()
    assert (books.accepted, books.stored, books.balanced) == (1, 1, True)
    assert Transaction.objects.count() == 2


def test_redis_data_that_went_back_in_time_is_stored_again_without_doubles(people: list[User]) -> None:
    take(*(record(f"T{n}", people[0]) for n in range(4)))
    backup = {key: connection().dump(key) or b"" for key in (QUEUE, INDEX, BOOKS)}
    flush()
    take(record("T9", people[0]))
    for key, value in backup.items():
        connection().restore(key, 0, value, replace=True)
    flush()
    books = read()
    assert "went back in time" in Epoch.objects.get(closed_at=None).alarm
    assert (books.accepted, books.duplicates, books.balanced) == (4, 4, True)
    assert Transaction.objects.count() == 4


@pytest.mark.parametrize("kept", ["an older state", "nothing"])
def test_postgresql_data_that_went_back_in_time_opens_new_books_and_says_what_is_missing(
    people: list[User], kept: str
) -> None:
    take(record("T1", people[0]))
    flush()
    older = list(Epoch.objects.all()), list(FlushBatch.objects.all())
    take(record("T2", people[0]), record("T3", people[0]))
    flush()
    take(record("T4", people[0]))
    # What a restored backup would hold.
    Transaction.objects.exclude(transaction_id="T1" if kept != "nothing" else "").delete()
    FlushBatch.objects.all().delete()
    Epoch.objects.all().delete()
    if kept != "nothing":
        Epoch.objects.bulk_create(older[0])
        FlushBatch.objects.bulk_create(older[1])
    missing, accounted = (2, 1) if kept != "nothing" else (3, 0)
    flush()
    assert Epoch.objects.get(closed_at=None).alarm == (
        "The PostgreSQL data went back in time: of 4 records accepted 1 waited and "
        f"{accounted} were accounted for, {missing} are missing."
    )
    assert read().balanced
    assert Transaction.objects.filter(transaction_id="T4").exists()


def test_a_batch_of_an_old_backup_is_adopted(people: list[User]) -> None:
    take(record("T1", people[0]))
    flush()
    connection().flushdb()
    connection().rpush(BATCH + "old", queued("T2", people[0]))
    flush()
    assert Transaction.objects.filter(transaction_id="T2").exists()
    assert read().balanced is True


def test_deleting_everything_empties_both_stores_and_opens_new_books(people: list[User]) -> None:
    take(record("T1", people[0]))
    flush()
    take(record("T2", people[0]))
    epochs.empty_everything()
    assert not Transaction.objects.exists()
    assert not connection().exists(QUEUE, INDEX)
    books = read()
    assert (books.accepted, books.stored, books.balanced) == (0, 0, True)
    assert not Epoch.objects.exclude(alarm="").exists(), "asked for, so no alarm"
    assert take(record("T1", people[0])) == ["N"]
    flush()
    assert read().balanced is True


def test_a_deletion_cut_off_half_way_is_finished_by_the_next_flush(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    take(record("T1", people[0]))
    flush()

    def cut(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(epochs, "_finish_emptying", cut)
        with pytest.raises(KeyboardInterrupt):
            epochs.empty_everything()
    assert Transaction.objects.exists()
    with pytest.raises(IntakeUnavailable):  # a retry of T1 must not be told that it is stored
        outcomes(record("T1", people[0]))
    flush()
    assert not Transaction.objects.exists()
    assert take(record("T1", people[0])) == ["N"]


def test_they_tell_half_without_postgresql(people: list[User], monkeypatch: pytest.MonkeyPatch) -> None:
    take(record("T1", people[0]))

    def down(*_: Any) -> None:
        raise OperationalError

    monkeypatch.setattr(books_module, "_totals", down)
    books = read()
    assert (books.accepted, books.buffered, books.stored, books.balanced) == (1, 1, None, None)


def test_they_tell_postgresql_that_is_away_from_stores_that_move_on(people: list[User]) -> None:
    take(record("T1", people[0]))
    flush()
    take(record("T2", people[0]))
    with postgres_away():
        away = read()
    with stores_moving_on():
        moving = read()
    assert (away.postgres_answers, moving.postgres_answers) == (False, True)
    for books in (away, moving):
        assert (books.accepted, books.buffered, books.in_flight, books.balanced) == (2, 1, None, None)
        assert books.oldest_buffered_seconds is not None
    assert read().postgres_answers


def test_what_was_read_stays_known_where_only_the_balance_is_not(people: list[User]) -> None:
    take(record("T1", people[0]))
    push(queued("R1", 999_999))
    flush()
    with stores_moving_on():
        moving = read()
    at_rest = read()
    assert at_rest.last_flush is not None
    assert moving.last_flush == at_rest.last_flush
    # The block adds one between every two readings; what is told is one of them, not none.
    assert moving.stored is not None
    assert at_rest.stored is not None
    assert 1 <= moving.stored <= at_rest.stored
    assert (moving.settled, moving.duplicates, moving.rejected) == (0, 0, 1)


def test_they_show_what_is_documented_and_no_more(people: list[User]) -> None:
    assert list(read().as_dict()) == [
        *("accepted", "stored", "settled", "duplicates", "rejected", "buffered", "in_flight"),
        *("balanced", "removed", "pruned", "rows", "oldest_buffered_seconds", "last_flush"),
    ]


def test_intake_goes_on_from_redis_alone_without_postgresql(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(*_: Any) -> None:
        return None

    monkeypatch.setattr(lookups, "ask", silent)
    ghost = User(pk=999_999)
    assert take(record("T1", people[0]), record("T2", ghost)) == ["N", "N"]
    flush()
    assert read().rejected == 1
    assert async_to_sync(ingest.accept)([record("T1", people[1])], "test")[0].verdict == "N"
    flush()
    books = read()
    assert (books.stored, books.rejected, books.balanced) == (1, 2, True)
