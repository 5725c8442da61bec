"""Storing: what becomes of records, of crashes and of other flushers."""

from datetime import UTC, datetime
from typing import Any

import psycopg2
import pytest
from django.contrib.auth.models import User
from django.db import connection as database

from tests.support.accepting import NOW, outcomes, push, queued, record, take
from tests.support.flushing import POINTS, balanced, crash_at, rows
from tests.support.outages import transactions_locked
from transactions.books.balance import read as read_books
from transactions.models import FlushBatch, RejectedRecord, Transaction
from transactions.queue.keys import BATCH, INDEX, QUEUE
from transactions.queue.records import lines_of, read_line
from transactions.stores import postgres_session
from transactions.stores.postgres_session import FLUSH_LOCK, Session
from transactions.stores.redis_connection import connection
from transactions.storing import bulk_insert
from transactions.storing import flush as flushing
from transactions.storing.flush import flush
from transactions.tables import TRANSACTIONS

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("manner")]


def reasons() -> dict[str, str]:
    return dict(RejectedRecord.objects.values_list("transaction_id", "reason"))


def test_it_stores_what_waits_once(people: list[User]) -> None:
    take(*(record(f"T{n}", people[n % 3], amount=n) for n in range(10)))
    assert flush().stored == 10
    assert rows() == [(f"T{n}", people[n % 3].pk, n, "PENDING") for n in range(10)]
    assert flush().total == 0
    assert connection().keys("*batch*") == []
    assert connection().hlen(INDEX) == 0
    assert balanced()


def test_it_keeps_the_times_of_a_transaction(people: list[User]) -> None:
    then = datetime(1999, 12, 31, 23, 59, 59, 123456, tzinfo=UTC)
    take(record("T1", people[0], created_at=then), record("T2", people[0]))
    flush()
    first, second = Transaction.objects.order_by("id")
    assert first.created_at == then
    assert second.created_at == second.accepted_at <= second.stored_at
    take(record("T1", people[0], status="FAILED"))
    flush()
    first.refresh_from_db()
    assert (first.status, first.created_at) == ("FAILED", then)
    assert first.settled_at is not None


@pytest.mark.parametrize("id", ["w\0nul", "bell\a", "\x7f", "next\x85line", r"\b", r"a\x41", r"\\\n", "\\"])
def test_what_is_no_record_while_it_waits_becomes_no_row(people: list[User], id: str) -> None:
    line = f"1\t{id}\tPENDING\t{people[0].pk}\t5\t\\N\t{NOW}\trequest"
    assert read_line(line.encode()) is None
    push(queued("T1", people[0]), line)
    flush()
    assert [row[0] for row in rows()] == ["T1"]
    assert list(reasons().values()) == ["unreadable"]


@pytest.mark.parametrize("id", ["a\\b", r"\\server\share", "\\" * 100, "é\u0301 日本語", "🏴" * 100, "\xa0Â"])
def test_an_id_with_signs_of_its_own_waits_and_is_stored_as_it_is(people: list[User], id: str) -> None:
    (line,) = lines_of([record(id, people[0])], NOW, "request")
    read = read_line(line.encode())
    assert read is not None
    assert read[0] == id
    push(line)
    flush()
    assert [row[0] for row in rows()] == [id]


def test_it_writes_no_history_for_empty_ticks(people: list[User]) -> None:
    flush()
    flush()
    assert not FlushBatch.objects.exists()


@pytest.mark.parametrize("chunk", [1, 2, 100])
def test_it_settles_across_and_within_chunks(people: list[User], settings: Any, chunk: int) -> None:
    settings.FLUSH_CHUNK_RECORDS = chunk
    take(record("T1", people[0]), record("T1", people[0], status="SUCCESS"), record("T2", people[0]))
    take(record("T2", people[0], status="FAILED"), record("T3", people[1]))
    report = flush()
    assert (report.stored, report.settled, report.rejected) == (3, 2, 0)
    assert [row[3] for row in rows()] == ["SUCCESS", "FAILED", "PENDING"]
    assert balanced()


@pytest.mark.parametrize("chunk", [1, 3, 100])
def test_it_decides_what_the_door_could_not(people: list[User], settings: Any, chunk: int) -> None:
    """With PostgreSQL away the door takes what it cannot compare."""
    settings.FLUSH_CHUNK_RECORDS = chunk
    alice, bob, _ = people
    given = "2020-01-01T00:00:00.000000Z"
    take(record("OLD", alice, status="SUCCESS"), record("OPEN", alice))
    flush()
    push(
        queued("OLD", alice, status="SUCCESS"),  # a retry
        queued("OLD", alice, status="PENDING"),  # a late one
        queued("OLD", alice, status="FAILED"),  # a conflict
        queued("OLD", bob, status="SUCCESS"),
        queued("OLD", alice, amount=7, status="SUCCESS"),
        queued("OLD", alice, status="SUCCESS", created=given),
        queued("OPEN", alice, status="FAILED"),
        queued("OPEN", alice, status="SUCCESS"),
        queued("OPEN", alice, status="FAILED"),
        queued("NEW", bob, created=given),
        queued("NEW", bob, created=given),
        queued("NEW", alice, created=given),
        queued("GHOST", 999_999),
    )
    report = flush()
    assert (report.stored, report.settled, report.duplicates, report.rejected) == (1, 1, 4, 7)
    assert rows() == [
        ("OLD", alice.pk, 1000, "SUCCESS"),
        ("OPEN", alice.pk, 1000, "FAILED"),
        ("NEW", bob.pk, 1000, "PENDING"),
    ]
    assert sorted(RejectedRecord.objects.values_list("transaction_id", "reason")) == [
        ("GHOST", "user 999999 does not exist"),
        ("NEW", "differs from the stored transaction: user"),
        ("OLD", "differs from the stored transaction: amount"),
        ("OLD", "differs from the stored transaction: created_at"),
        ("OLD", "differs from the stored transaction: user"),
        ("OLD", "the transaction has settled as SUCCESS"),
        ("OPEN", "the transaction has settled as FAILED"),
    ]
    assert balanced()


@pytest.mark.parametrize(
    "poison",
    [
        b"",
        b"not a record",
        b"\xff\xfe",
        b"9\tT\tPENDING\t1\t1\t\\N\t2026-01-31T12:00:00.000000Z\t",
        queued("X" * 101, 1).encode(),
        queued("T", 1, amount=2**63).encode(),
        queued("T", 1, created="2026-13-41T99:99:99.000000Z").encode(),
        queued("bad\\q\\x00", 1).encode(),
        b"1\tT\xff\tPENDING\t1\t1\t\\N\t2026-01-31T12:00:00.000000Z\t",
    ],
    ids=[
        "empty",
        "words",
        "bytes",
        "version",
        "long id",
        "large amount",
        "no date",
        "NUL escape",
        "no UTF-8",
    ],
)
def test_it_keeps_a_poison_record_and_stores_all_beside_it(people: list[User], poison: bytes) -> None:
    good = [queued(f"T{n}", people[0]) for n in range(50)]
    poison = poison.replace(b"\t1\t", b"\t%d\t" % people[0].pk, 1) if b"PENDING" in poison else poison
    push(*good[:20], poison, *good[20:])
    report = flush()
    assert (report.stored, report.rejected) == (50, 1)
    kept = RejectedRecord.objects.get()
    assert bytes(kept.raw) == poison
    assert kept.reason
    assert balanced()


def test_it_rejects_a_record_whose_user_is_gone_by_now(people: list[User]) -> None:
    take(*(record(f"T{n}", people[n % 2]) for n in range(100)))
    gone = people[1].pk
    people[1].delete()
    report = flush()
    assert (report.stored, report.rejected) == (50, 50)
    assert reasons() == {f"T{n}": f"user {gone} does not exist" for n in range(1, 100, 2)}
    assert balanced()


@pytest.mark.parametrize("point", [f"flush.{point}" for point in POINTS])
def test_it_takes_up_what_a_crash_left(
    people: list[User], settings: Any, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    settings.FLUSH_CHUNK_RECORDS = 100
    take(*(record(f"T{n}", people[n % 3]) for n in range(250)))
    monkeypatch_crash = pytest.MonkeyPatch()
    crash_at(point, monkeypatch_crash)
    assert balanced(), "the books hold amid a crash too"
    take(record("LATER", people[0]))
    flush()
    assert sorted(row[0] for row in rows()) == sorted([*(f"T{n}" for n in range(250)), "LATER"])
    assert not RejectedRecord.objects.exists()
    assert connection().hlen(INDEX) == 0
    assert balanced()
    assert read_books().duplicates == 0


def test_it_gives_way_to_a_flush_under_way(people: list[User]) -> None:
    take(record("T1", people[0]))
    with Session() as other:
        assert other.try_lock(FLUSH_LOCK)
        assert flush().busy
    assert flush().stored == 1


def test_it_writes_nothing_once_it_was_overtaken(people: list[User]) -> None:
    """The claim of a chunk: what remains if the lock should ever fail."""
    take(*(record(f"T{n}", people[0]) for n in range(10)))
    flush()
    batch = FlushBatch.objects.get()
    line = queued("T99", people[0]).encode()
    with Session() as late, late.transaction() as cursor:
        bulk_insert.prepare(cursor)
        with pytest.raises(bulk_insert.Superseded):
            bulk_insert.store(cursor, bulk_insert.Chunk(batch.pk, 5, [line]))
    assert not Transaction.objects.filter(transaction_id="T99").exists()


def test_it_lets_go_of_nothing_that_waits_when_a_late_flusher_releases(people: list[User]) -> None:
    take(*(record(f"T{n}", people[0]) for n in range(10)))
    flush()
    done = FlushBatch.objects.get()
    take(record("T1", people[0], status="SUCCESS"), record("NEW", people[0]))
    with Session() as late:
        flushing._release(late, flushing.Batch(done.pk, done.name, done.length, done.done))
    assert connection().llen(QUEUE) == 2
    assert connection().hlen(INDEX) == 2


def test_it_finds_a_batch_renamed_by_a_flusher_that_was_stopped(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    take(record("T1", people[0]))
    crash_at("flush.after_promise", monkeypatch)
    promised = FlushBatch.objects.get()
    flushing.take_queue(promised.name)  # it wakes, and goes on where it was
    assert promised.name.startswith(BATCH)
    assert flush().stored == 1
    assert balanced()


def test_it_keeps_the_state_of_a_settlement_that_still_waits(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    take(record("T1", people[0]))
    crash_at("flush.after_commit", monkeypatch)
    take(record("T1", people[0], status="SUCCESS"))
    with Session() as session:
        batch = FlushBatch.objects.get()
        flushing._release(session, flushing.Batch(batch.pk, batch.name, batch.length, batch.done))
    assert connection().hlen(INDEX) == 1
    (outcome,) = outcomes(record("T1", people[0], status="FAILED"))
    assert outcome.verdict == "C"
    assert flush().settled == 1


def test_a_lock_held_too_long_fails_the_flush_and_the_next_one_recovers(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(postgres_session.LIMITS_MS, "lock_timeout", 200)
    take(record("T1", people[0]))
    with transactions_locked(), pytest.raises(psycopg2.errors.LockNotAvailable):
        flush()
    while (report := flush()).busy:
        """The failed flush's session is still being closed, and its lock with it."""
    assert report.stored == 1
    assert balanced()


@pytest.fixture
def unknown_table(people: list[User], monkeypatch: pytest.MonkeyPatch) -> None:
    """PostgreSQL has never looked what is in the table, and two rows are enough for it to look."""
    monkeypatch.setattr(flushing, "LOOKED_AT_FROM", 2)
    with database.cursor() as cursor:
        cursor.execute(f"TRUNCATE {TRANSACTIONS} CASCADE")


def rows_known() -> float:
    with database.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE oid = %s::regclass", [TRANSACTIONS])
        return float(cursor.fetchone()[0])


@pytest.mark.usefixtures("unknown_table")
def test_a_first_large_flush_has_postgresql_look_at_the_table_once(people: list[User]) -> None:
    take(record("T0", people[0]))
    flush()
    assert rows_known() == -1, "too few to look"
    take(*(record(f"T{n}", people[0]) for n in range(1, 4)))
    flush()
    assert rows_known() == 4
    take(*(record(f"T{n}", people[0]) for n in range(4, 8)))
    flush()
    assert rows_known() == 4


@pytest.mark.usefixtures("unknown_table")
def test_a_table_that_somebody_else_tends_is_looked_at_another_time(people: list[User]) -> None:
    take(*(record(f"T{n}", people[0]) for n in range(3)))
    with Session("another name") as other, other.transaction() as cursor:
        cursor.execute(f"LOCK TABLE {TRANSACTIONS} IN SHARE UPDATE EXCLUSIVE MODE")
        assert flush().stored == 3
    assert rows_known() == -1
    assert balanced()
