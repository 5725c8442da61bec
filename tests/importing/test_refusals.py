"""Rows that would be refused: for which cell, whose user is not there, and what a negative amount may be."""

from dataclasses import replace
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.importing.planned import HEADER, STATED, WHEN, made, records, refusal
from tests.importing.tables import EveryKey, Users
from transactions.importing.plan import RowSum, plan
from transactions.importing.table import Row, Table
from transactions.models import AMOUNT_MAX

# --- Refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (("", "7", "1.00", "ok", WHEN), "column “id”: the id is empty: write one"),
        (("x" * 101, "7", "1.00", "ok", WHEN), "is too long for an id: at most 100 characters"),
        (("a\x00b", "7", "1.00", "ok", WHEN), "column “id”: “a�b” is no id"),
        (("a", "", "1.00", "ok", WHEN), "column “customer”: the user is empty"),
        (("a", "ann", "1.00", "ok", WHEN), "column “customer”: “ann” is no key of a user"),
        (("a", "2147483648", "1.00", "ok", WHEN), "column “customer”: “2147483648” is no key of a user"),
        (("a", "0", "1.00", "ok", WHEN), "column “customer”: “0” is no key of a user"),
        (("a", "7", "", "ok", WHEN), "column “amount”: the amount is empty"),
        (("a", "7", "5²", "ok", WHEN), "column “amount”: “5²” is no amount"),
        (("a", "7", "1.005", "ok", WHEN), "column “amount”: “1.005” is finer than the smallest unit"),
        (("a", "7", str(AMOUNT_MAX), "ok", WHEN), "column “amount”: “9223372036854775807” is too large"),
        (("a", "7", "1.00", "", WHEN), "column “status”: the status is empty"),
        (("a", "7", "1.00", "Refunded", WHEN), "column “status”: “Refunded” is no known status"),
        (("a", "7", "1.00", "ok", ""), "column “when”: the time is empty"),
        (
            ("a", "7", "1.00", "ok", "soon"),
            "column “when”: “soon” is no date and time as in 2026-01-31 23:59:59",
        ),
        (("a", "7", "1.00", "ok", "1969-01-01"), "column “when”: “1969-01-01” is before"),
    ],
)
def test_a_cell_that_cannot_be_right_refuses_its_row_by_its_column(
    cells: tuple[str, ...], reason: str
) -> None:
    code, told = refusal(*cells)
    assert code == "invalid"
    assert reason in told


def test_everything_that_is_wrong_with_a_row_is_told() -> None:
    _, told = refusal("", "ann", "x", "Refunded", "soon")
    assert [part.partition(":")[0] for part in told.split("; ")] == [
        f"column “{name}”" for name in ("id", "customer", "status", "amount", "when")
    ]


def test_a_time_ahead_of_the_clock_is_refused() -> None:
    later = (timezone.now() + timedelta(days=2)).strftime("%Y-%m-%d %H:%M:%S")
    assert "is in the future" in refusal("a", "7", "1.00", "ok", later)[1]


def test_a_row_that_the_file_could_not_give_is_refused_as_malformed() -> None:
    broken = Table("CSV", HEADER, lambda: iter([Row(5, {"id": "a"}, "column customer is missing")]))
    found = plan(broken, STATED, users=EveryKey())
    assert [(each.line, each.code, each.reason, each.record) for each in found.planned()] == [
        (5, "malformed", "column customer is missing", None)
    ]


def test_refusals_are_counted_by_reason_without_what_differs() -> None:
    found = made(
        ("a", "7", "lots", "ok", WHEN), ("b", "7", "more", "ok", WHEN), ("c", "7", "1.00", "odd", WHEN)
    )
    assert [count for _, count in found.summary.refusals.most_common()] == [2, 1]
    assert all("lots" not in kind and "odd" not in kind for kind in found.summary.refusals)
    assert found.summary.unknown_statuses == {"odd": 1}


def test_reasons_and_unknown_words_have_an_end() -> None:
    found = made(*((str(at), "7", "1.00", f"odd {at}", WHEN) for at in range(200)))
    assert found.summary.refusals.total() == 200
    assert len(found.summary.unknown_statuses) == 50


def test_of_another_currency_than_the_stated_one_rows_are_refused() -> None:
    by = replace(STATED, currency="EUR")
    found = made(("a", "7", "€1.00", "ok", WHEN), ("b", "7", "2.00 USD", "ok", WHEN), by=by)
    assert [each.reason for each in found.planned()] == [
        "",
        "column “amount”: the currency is “USD”, and only EUR is taken",
    ]


def test_a_column_of_currencies_is_believed_whatever_it_says() -> None:
    by = replace(STATED, currency="EUR", columns={**STATED.columns, "currency": "id"}, ids="content")
    by.columns.pop("transaction_id")
    found = made(*((word, "7", "1.00", "ok", WHEN) for word in ("eur", "€", "US Dollar", "USD", "")), by=by)
    assert [bool(each.record) for each in found.planned()] == [True, True, False, False, True]


# --- Users --------------------------------------------------------------------------------------


def test_a_user_who_is_not_there_refuses_the_row() -> None:
    by = replace(STATED, users="name")
    rows = (("a", "ann", "1.00", "ok", WHEN), ("b", "bob", "2.00", "ok", WHEN))
    found = made(*rows, by=by, users=Users({"ann": 7}))
    assert [(each.code, each.reason) for each in found.planned()] == [
        ("", ""),
        ("unknown_user", "column “customer”: no user has the name “bob”"),
    ]
    assert (found.summary.records, found.summary.refused) == (1, RowSum(1, 200))


def test_users_are_made_when_rows_are_posted_and_not_when_they_are_planned() -> None:
    users = Users(create=True)
    found = made(
        ("a", "ann", "1.00", "ok", WHEN),
        ("b", "ann", "1.00", "ok", WHEN),
        by=replace(STATED, users="name"),
        users=users,
    )
    assert (found.summary.records, users.made) == (2, [])
    assert [each and each["user"] for each in records(found)] == [100, 100]
    assert users.made == ["ann"]


# --- Negative amounts ---------------------------------------------------------------------------


def test_a_refund_is_a_transaction_of_its_own() -> None:
    found = made(
        ("a", "7", "5.00", "ok", WHEN), ("a", "7", "-3.00", "ok", WHEN), by=replace(STATED, negative="refund")
    )
    assert [(each["transaction_id"], each["amount"], each["status"]) for each in records(found) if each] == [
        ("a", 500, "SUCCESS"),
        ("refund-a", 300, "SUCCESS"),
    ]
    assert [each.money for each in found.planned()] == [500, -300]
    assert (found.summary.in_file, found.summary.by_status["SUCCESS, refunds"]) == (
        RowSum(2, 200),
        RowSum(1, 300),
    )


@pytest.mark.parametrize("ids", ["column", "content"])
def test_a_negative_amount_has_one_id_whatever_it_is_taken_for(ids: str) -> None:
    """Taken for something else at a second run it meets a conflict, and is not there twice."""
    rows = [("a", "7", "5.00", "ok", WHEN), ("a", "7", "-3.00", "ok", WHEN)]
    found = [
        records(made(*rows, by=replace(STATED, negative=negative, ids=ids)))
        for negative in ("refund", "failed")
    ]
    by_choice = [[each["transaction_id"] for each in some if each] for some in found]
    assert by_choice[0] == by_choice[1]
    assert len({*by_choice[0]}) == 2
    assert by_choice[0][1].startswith("refund-")


def test_an_id_that_says_that_it_is_a_refund_is_not_that_of_another_rows_refund() -> None:
    refund, own = ("a", "7", "-3.00", "ok", WHEN), ("refund-a", "7", "-3.00", "ok", WHEN)
    found = made(refund, own, by=replace(STATED, negative="refund"))
    assert [each and each["transaction_id"] for each in records(found)] == ["refund-a", "refund-refund-a"]
    assert (found.summary.records, found.summary.replays) == (2, 0)


@pytest.mark.parametrize("name", ["Total", "SUM:", "Grand total", "Gesamtsumme"])
def test_the_sum_of_the_rows_above_is_no_transaction_where_ids_are_made(name: str) -> None:
    by = replace(
        STATED,
        ids="content",
        users="name",
        columns={"user": "customer", "amount": "amount", "status": "status"},
    )
    rows = [("", "ann", "5.00", "ok", ""), ("", "bob", "-1.50", "ok", ""), ("", name, "3.50", "ok", "")]
    users = Users({"ann": 1, "bob": 2, name: 3})
    by = replace(by, negative="refund")
    found = made(*rows, by=by, users=users)
    assert [row.code for row in found.planned()] == ["", "", "invalid"]
    assert "is the sum of the rows above" in [*found.planned()][2].reason
    # Another amount of somebody who is called so is a transaction.
    other = made(*rows[:2], ("", name, "3.60", "ok", ""), by=by, users=users)
    assert [row.code for row in other.planned()] == ["", "", ""]
    alone = made(rows[2], by=by, users=users)
    assert [row.code for row in alone.planned()] == [""]


@pytest.mark.parametrize("turn", [1, -1])
def test_a_row_with_the_id_of_a_refund_that_is_made_here_is_refused(turn: int) -> None:
    rows = [("a", "7", "-3.00", "ok", WHEN), ("refund-a", "7", "3.00", "ok", WHEN)][::turn]
    found = made(*rows, by=replace(STATED, negative="refund"))
    first, second = found.planned()
    assert (first.code, second.code, found.summary.records) == ("", "conflict", 1)
    assert "“refund-a” is the id of a refund that is made here" in second.reason


def test_a_negative_amount_may_be_a_transaction_that_failed() -> None:
    found = made(("a", "7", "(3.00)", "ok", WHEN), by=replace(STATED, negative="failed"))
    assert [(each["amount"], each["status"]) for each in records(found) if each] == [(300, "FAILED")]


def test_a_negative_amount_may_be_refused() -> None:
    assert (
        "“-3.00” is negative"
        in refusal("a", "7", "-3.00", "ok", WHEN, by=replace(STATED, negative="refuse"))[1]
    )
