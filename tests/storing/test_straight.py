"""Large chunks of new transactions are copied straight into the table; what is none is stored with care."""

from typing import Any

import psycopg2
import pytest
from django.contrib.auth.models import User

from tests.support.accepting import push, queued, record, take
from tests.support.flushing import balanced, rows
from transactions.models import RejectedRecord, Rollup, Transaction
from transactions.storing import bulk_insert
from transactions.storing import flush as flushing
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How chunks of more than one record are stored from here on, and what is refused."""
    seen: list[str] = []
    store = bulk_insert.store

    def watch(*given: Any, straight: bool = False, **options: Any) -> bulk_insert.Counts:
        seen.append("straight" if straight else "with care")
        try:
            return store(*given, straight=straight, **options)
        except psycopg2.IntegrityError:
            seen.append("refused")
            raise

    monkeypatch.setattr(flushing, "STRAIGHT_RECORDS_MIN", 2)
    monkeypatch.setattr(bulk_insert, "store", watch)
    return seen


def test_new_transactions_are_stored_straight(people: list[User], tried: list[str]) -> None:
    take(*(record(f"T{n}", people[n % 3], amount=n) for n in range(10)))
    assert flush().stored == 10
    assert tried == ["straight"]
    assert rows() == [(f"T{n}", people[n % 3].pk, n, "PENDING") for n in range(10)]
    assert [(rollup.count, int(rollup.total)) for rollup in Rollup.objects.all()] == [(10, 45)]
    assert balanced()


def test_a_small_chunk_is_stored_with_care(people: list[User], tried: list[str]) -> None:
    take(record("T1", people[0]))
    flush()
    assert tried == ["with care"]


def test_what_the_straight_way_leaves_is_stored_with_care(people: list[User], tried: list[str]) -> None:
    take(record("T1", people[0]), record("T2", people[0]))
    flush()
    push(queued("T3", people[0]), queued("T1", people[0], status="SUCCESS"), queued("GHOST", 999_999))
    report = flush()
    assert tried == ["straight", "straight", "refused", "with care"]
    assert (report.stored, report.settled, report.rejected) == (1, 1, 1)
    assert [row[3] for row in rows()] == ["SUCCESS", "PENDING", "PENDING"]
    assert RejectedRecord.objects.get().reason == "user 999999 does not exist"
    assert balanced()


def test_a_missing_user_is_found_before_the_commit(people: list[User], tried: list[str]) -> None:
    """At COMMIT the chunk would be refused after rules have judged it."""
    push(queued("T1", people[0]), queued("GHOST", 999_999))
    report = flush()
    assert tried == ["straight", "refused", "with care"]
    assert (report.stored, report.rejected) == (1, 1)


def test_after_a_batch_that_was_not_all_new_the_next_three_are_stored_with_care(
    people: list[User], tried: list[str]
) -> None:
    """Each attempt in vain leaves an error in PostgreSQL's log."""
    took = []
    for number, status in enumerate(("PENDING", "SUCCESS", None, None, None, None)):
        settling = [record("T1", people[0], status=status)] if status else []
        take(*settling, record(f"A{number}", people[0]), record(f"B{number}", people[0]))
        tried.clear()
        flush()
        took.append(" ".join(tried))
    assert took == ["straight", "straight refused with care", *["with care"] * 3, "straight"]
    assert Transaction.objects.count() == 13


def test_an_unreadable_record_does_not_keep_the_others_from_being_stored_straight(
    people: list[User], tried: list[str]
) -> None:
    push(queued("T1", people[0]), "no record", queued("T2", people[0]))
    report = flush()
    assert tried == ["straight"]
    assert (report.stored, report.rejected) == (2, 1)
    assert balanced()
