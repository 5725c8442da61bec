"""Rejected records: replayed and discarded, by one operator and by two at once."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections, transaction
from pytest_django import Settings

from tests.support.accepting import NOW, push, queued, record, take
from tests.support.outages import until_somebody_waits
from transactions.books.balance import read as read_books
from transactions.intake import rejected
from transactions.models import RejectedRecord, Transaction
from transactions.queue.keys import QUEUE
from transactions.stores.redis_connection import connection
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

GONE = 424_242


def refused(*lines: str | bytes) -> list[RejectedRecord]:
    """The rejected records that these queued lines have become."""
    push(*lines)
    assert flush().rejected == len(lines)
    return list(RejectedRecord.objects.order_by("-pk")[: len(lines)])[::-1]


def everything() -> Any:
    return RejectedRecord.objects.all()


def only(row: RejectedRecord) -> Any:
    return RejectedRecord.objects.filter(pk=row.pk)


def resolutions() -> list[str]:
    return list(RejectedRecord.objects.order_by("pk").values_list("resolution", flat=True))


def come_back() -> User:
    """Creates the user who was missing when the records were refused."""
    return User.objects.create(pk=GONE, username="back")


def test_it_stores_a_replayed_record_once_its_user_is_back(people: list[User]) -> None:
    (row,) = refused(queued("R1", GONE, amount=70))
    come_back()
    report = rejected.replay(everything())
    assert (report.done, report.before, report.failed) == (1, 0, 0)
    row.refresh_from_db()
    assert row.resolution == "REPLAYED"
    assert row.resolved_at is not None
    assert flush().stored == 1
    assert Transaction.objects.get().amount == 70
    assert read_books().balanced is True
    assert read_books().rejected == 1


def test_a_replayed_record_keeps_the_moment_at_which_its_client_was_told_that_it_was_accepted(
    people: list[User],
) -> None:
    refused(queued("R1", GONE))
    come_back()
    rejected.replay(everything())
    flush()
    assert Transaction.objects.get().created_at == datetime.fromisoformat(NOW)


def test_a_replay_of_one_taken_again_since_resolves_it_and_stores_nothing_twice(people: list[User]) -> None:
    refused(queued("R1", GONE, amount=5))
    back = come_back()
    take(record("R1", back, amount=5))
    flush()
    assert rejected.replay(everything()).done == 1
    assert connection().llen(QUEUE) == 0
    assert resolutions() == ["REPLAYED"]
    assert Transaction.objects.count() == 1


def test_a_replayed_settlement_settles(people: list[User]) -> None:
    created = datetime(2026, 1, 1, tzinfo=UTC)
    refused(queued("R1", GONE, status="SUCCESS"))
    back = come_back()
    take(record("R1", back, created_at=created))
    flush()
    assert rejected.replay(everything()).done == 1
    assert flush().settled == 1
    row = Transaction.objects.get()
    assert (row.status, row.created_at) == ("SUCCESS", created)


def test_records_of_one_id_are_replayed_in_the_order_in_which_they_were_refused(people: list[User]) -> None:
    refused(queued("R1", GONE), queued("R1", GONE, status="FAILED"))
    come_back()
    assert rejected.replay(everything().order_by("-pk")).done == 2
    flush()
    assert Transaction.objects.get().status == "FAILED"


def test_it_leaves_a_conflict_open_and_names_what_differs(people: list[User]) -> None:
    take(record("R1", people[0], amount=1))
    flush()
    refused(queued("R1", people[0], amount=2))
    report = rejected.replay(everything())
    assert (report.done, report.failed) == (0, 1)
    assert report.named[0].why.endswith("accepted since: amount")
    assert resolutions() == [""]


def test_it_leaves_a_record_open_whose_client_gave_another_date(people: list[User]) -> None:
    take(record("R1", people[0], created_at=datetime(2026, 1, 1, tzinfo=UTC)))
    flush()
    refused(queued("R1", people[0], created="2026-01-02T00:00:00.000000Z"))
    report = rejected.replay(everything())
    assert report.named[0].why.endswith("accepted since: created_at")


def test_it_leaves_a_record_open_while_its_user_is_missing(people: list[User]) -> None:
    refused(queued("R1", GONE))
    assert rejected.replay(everything()).named[0].why == f"user {GONE} does not exist"
    assert resolutions() == [""]


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"nonsense", "not in the form"),
        (b"\xff\xfe", "not in the form"),
        (queued("R\x00", 1).encode(), "transaction_id"),
        (queued("R\x1b[2J", 1).encode(), "transaction_id"),
        (queued("R1", 1).encode().replace(b"R1", b"\xff"), "not UTF-8"),
        (queued("R1", 1, amount=2**63).encode(), "amount"),
        (queued("R1", 1, created="2026-13-45T00:00:00.000000Z").encode(), "created_at"),
        (queued("R1", 10**12).encode(), "user"),
    ],
)
def test_it_leaves_open_what_could_not_have_come_through_the_door(
    people: list[User], raw: bytes, why: str
) -> None:
    RejectedRecord.objects.create(reason="unreadable", raw=raw)
    RejectedRecord.objects.create(reason="a test", raw=queued("R9", people[0]).encode())
    report = rejected.replay(everything())
    assert (report.done, report.failed) == (1, 1)
    assert report.named[0].why.startswith("unreadable: ")
    assert why in report.named[0].why


def test_one_that_cannot_be_replayed_does_not_hold_up_the_others(people: list[User]) -> None:
    for n in range(2_500):
        raw = b"nonsense" if n == 1_200 else queued(f"R{n}", people[0]).encode()
        RejectedRecord.objects.create(reason="a test", raw=raw)
    report = rejected.replay(everything())
    assert (report.done, report.failed) == (2_499, 1)
    assert flush().stored == 2_499


def test_it_leaves_everything_open_while_the_buffer_is_full(people: list[User], settings: Settings) -> None:
    refused(queued("R1", GONE))
    come_back()
    settings.MAX_QUEUE_LENGTH = 0
    report = rejected.replay(everything())
    assert (report.done, report.failed) == (0, 1)
    assert "full" in report.named[0].why
    assert resolutions() == [""]


def test_a_second_refusal_tells_how_often_the_record_was_tried(people: list[User]) -> None:
    refused(queued("R1", GONE))
    back = come_back()
    rejected.replay(everything())
    back.delete()
    flush()
    assert list(everything().order_by("pk").values_list("times", "resolution")) == [(1, "REPLAYED"), (2, "")]


def test_a_replayed_record_is_not_replayed_again(people: list[User]) -> None:
    refused(queued("R1", GONE))
    come_back()
    assert rejected.replay(everything()).done == 1
    connection().delete(QUEUE)
    report = rejected.replay(everything())
    assert (report.done, report.before, report.failed) == (0, 1, 0)
    assert connection().llen(QUEUE) == 0


def test_a_discarded_record_is_kept_and_stays_discarded(people: list[User]) -> None:
    refused(queued("R1", GONE))
    assert rejected.discard(everything()).done == 1
    assert rejected.discard(everything()).before == 1
    come_back()
    report = rejected.replay(everything())
    assert report.named[0].why == "was discarded before"
    assert resolutions() == ["DISCARDED"]
    assert connection().llen(QUEUE) == 0
    assert RejectedRecord.objects.get().resolved_at is not None


def test_two_operators_at_once_replay_each_record_once(people: list[User]) -> None:
    for n in range(200):
        RejectedRecord.objects.create(reason="a test", raw=queued(f"R{n}", people[0]).encode())

    def operate(_: int) -> rejected.ResolutionReport:
        try:
            return rejected.replay(everything())
        finally:
            connections.close_all()

    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(operate, range(4)))
    assert sum(report.done for report in reports) == 200
    assert sum(report.done + report.before for report in reports) == 800
    assert connection().llen(QUEUE) == 200
    assert read_books().accepted == 200


def test_a_record_is_not_discarded_while_somebody_replays_it(people: list[User]) -> None:
    row = RejectedRecord.objects.create(reason="a test", raw=queued("R1", people[0]).encode())

    def discard() -> rejected.ResolutionReport:
        try:
            return rejected.discard(everything())
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            assert rejected.replay(only(row)).done == 1
            other = pool.submit(discard)
            until_somebody_waits()
        report = other.result(10)
    assert (report.done, report.failed) == (0, 1)
    assert resolutions() == ["REPLAYED"]
