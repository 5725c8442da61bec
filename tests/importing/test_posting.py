"""What is planned of a file is posted in batches, and summed up in rows and money."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from transactions.client.api import BatchAnswer, PostingError
from transactions.importing.plan import Planned, RowSum
from transactions.importing.posting import ImportProgress, ImportStopped, posted

pytestmark = pytest.mark.django_db(transaction=True)

WHEN = "2026-01-31T12:00:00Z"


def post(records: Sequence[Mapping[str, Any]]) -> BatchAnswer:
    """Posts to the API in this process."""
    said = APIClient().post("/api/add-transactions/", records, format="json").json()
    counts = {name: said[name] for name in ("accepted", "duplicates", "conflicts", "invalid", "errors")}
    return BatchAnswer(**counts)


def row(
    line: int, id: str, user: User, amount: int, status: str = "SUCCESS", money: int | None = None
) -> Planned:
    record = {"transaction_id": id, "user": user.pk, "amount": amount, "status": status, "created_at": WHEN}
    return Planned(line, {"Id": id}, record, money=amount if money is None else money)


def bad(line: int, money: int = 0) -> Planned:
    return Planned(line, {"Id": ""}, None, "invalid", "column “Id”: it is empty", money)


def imported(rows: Iterable[Planned], batch: int = 3) -> ImportProgress:
    progress = ImportProgress()
    for one in posted(rows, post, batch=batch):
        progress.take(one)
    return progress


def test_rows_and_sums_are_those_of_accepted_replayed_and_refused(people: list[User]) -> None:
    alice, bob, _ = people
    rows = [
        row(2, "A", alice, 100),
        row(3, "B", bob, 250, money=-250),
        bad(4, 7),
        row(5, "A", alice, 100),
        row(6, "A", alice, 101),
        row(7, "C", bob, 30, "PENDING"),
        row(8, "C", bob, 30, "SUCCESS"),
        row(9, "C", bob, 30, "PENDING"),
    ]
    progress = imported(rows)
    assert (progress.accepted, progress.replayed, progress.refused) == (4, 2, 2)
    assert progress.accepted_money == {"SUCCESS": RowSum(3, 380), "PENDING": RowSum(1, 30)}
    assert progress.replayed_money == {"SUCCESS": RowSum(1, 100), "PENDING": RowSum(1, 30)}
    assert progress.either_money == {}
    assert progress.refused_money == RowSum(2, 108)
    assert progress.kinds["invalid: column “Id”: it is empty"] == 1


def test_what_failed_and_what_was_paid_back_moves_nothing_of_what_succeeded(people: list[User]) -> None:
    alice = people[0]
    back = replace(row(4, "refund-A", alice, 100, money=-100), refund=True)
    progress = imported([row(2, "A", alice, 150), row(3, "B", alice, 2**63 - 1, "FAILED"), back])
    assert progress.accepted_money == {
        "SUCCESS": RowSum(1, 150), "FAILED": RowSum(1, 2**63 - 1), "SUCCESS, refunds": RowSum(1, 100),
    }  # fmt: skip


def test_a_run_before_is_told_of_behind_a_batch_that_is_all_refused(people: list[User]) -> None:
    rows = [*(bad(line) for line in (2, 3, 4)), *(row(n, f"T{n}", people[0], n) for n in range(5, 11))]
    imported(rows[:6])
    again = imported(rows)
    assert (again.accepted, again.replayed, again.refused, again.before_line) == (3, 3, 3, 7)


def test_a_second_run_is_all_replays_and_says_how_far_the_first_had_come(people: list[User]) -> None:
    rows = [row(line, f"T{line}", people[0], line) for line in range(2, 12)]
    first = imported(rows[:6])
    again = imported(rows)
    whole = imported(rows)

    assert first.before_line == 0
    assert (again.accepted, again.replayed, again.before_line) == (4, 6, 7)
    assert again.accepted_money == {"SUCCESS": RowSum(4, 8 + 9 + 10 + 11)}
    assert again.replayed_money == {"SUCCESS": RowSum(6, 2 + 3 + 4 + 5 + 6 + 7)}
    assert (whole.accepted, whole.before_line) == (0, 11)


def test_where_a_batch_is_both_its_money_is_told_together(people: list[User]) -> None:
    """The API counts replays of a batch, and does not tell which they are."""
    rows = [row(line, f"T{line}", people[0], line) for line in range(2, 5)]
    imported(rows[:2])
    again = imported(rows)
    assert (again.accepted, again.replayed) == (1, 2)
    assert (again.accepted_money, again.replayed_money) == ({}, {})
    assert again.either_money == {"SUCCESS": RowSum(3, 9)}
    assert again.either_accepted == 1


def test_where_replays_are_named_the_money_of_each_is_known(people: list[User]) -> None:
    rows = [row(line, f"T{line}", people[0], line) for line in range(2, 5)]
    imported(rows[1:2])

    def named(records: Sequence[Mapping[str, Any]]) -> BatchAnswer:
        return replace(post(records), replays=frozenset({1}))

    (batch,) = posted(rows, named)
    assert (batch.accepted, batch.replayed, batch.either) == (
        {"SUCCESS": RowSum(2, 6)},
        {"SUCCESS": RowSum(1, 3)},
        {},
    )


def test_replays_of_a_batch_that_was_sent_again_may_be_of_this_run(people: list[User]) -> None:
    rows = [row(line, f"T{line}", people[0], line) for line in range(2, 4)]
    imported(rows)
    progress = ImportProgress()
    for one in posted(rows, lambda records: replace(post(records), resent=True)):
        progress.take(one)
    assert (progress.replayed, progress.resent_rows) == (2, 2)


def test_it_stops_with_the_line_where_the_api_takes_no_more(people: list[User]) -> None:
    def refuse(records: Sequence[Mapping[str, Any]]) -> BatchAnswer:
        if records[0]["transaction_id"] == "T5":
            raise PostingError("gave up after 1 s: it does not answer")
        return post(records)

    rows = [row(line, f"T{line}", people[0], line) for line in range(2, 8)]
    progress = ImportProgress()
    batches = posted(rows, refuse, batch=3)
    progress.take(next(batches))
    with pytest.raises(ImportStopped, match=r"^stopped at the row on line 5: gave up after 1 s"):
        next(batches)
    assert (progress.accepted, progress.line) == (3, 4)


def test_a_batch_without_anything_to_post_asks_nobody(people: list[User]) -> None:
    def fail(records: Sequence[Mapping[str, Any]]) -> BatchAnswer:
        raise AssertionError

    (batch,) = posted([bad(2), bad(3)], fail)
    assert [(one.row.line, one.code) for one in batch.refused] == [(2, "invalid"), (3, "invalid")]
