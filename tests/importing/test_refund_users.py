"""Whose a refund is, where a file has a column of who pays and one of who is paid."""

from collections.abc import Sequence
from typing import Any

import pytest

from tests.importing.tables import Users, table
from transactions.importing.guess import guess
from transactions.importing.mapping import Mapping, MappingError
from transactions.importing.plan import plan

SHOP = "shop@example.com"
PAYPAL = ("Date", "Gross", "From Email Address", "To Email Address", "Status", "Transaction ID")
PAID = ("2026-01-31 12:00:00Z", "20.50", "ann@example.com", SHOP, "Completed", "T1")
GIVEN_BACK = ("2026-02-01 12:00:00Z", "-20.50", SHOP, "ann@example.com", "Completed", "T2")
KNOWN = Users({"ann@example.com": 7, SHOP: 9})
REFUNDS = Mapping(negative="refund")


def users_of(header: Sequence[str], *rows: Sequence[str], given: Mapping = REFUNDS) -> list[Any]:
    found = guess(table(header, *rows), given)
    assert found.open == ()
    planned = plan(table(header, *rows), found.mapping, users=KNOWN).planned()
    return [each.record and each.record["user"] for each in planned]


@pytest.mark.parametrize(
    ("payer", "payee"),
    [
        ("From Email Address", "To Email Address"),
        ("Absender E-Mail-Adresse", "Empfänger E-Mail-Adresse"),
        ("Payer", "Payee"),
        ("Auftraggeber", "Begünstigter"),
        ("Payer Name", "Payee Name"),
    ],
)
def test_a_guess_takes_who_is_paid_for_the_customer_of_a_refund(payer: str, payee: str) -> None:
    header = (*PAYPAL[:2], payer, payee, *PAYPAL[4:])
    assert users_of(header, PAID, GIVEN_BACK) == [7, 7]
    found = guess(table(header, PAID, GIVEN_BACK), Mapping())
    assert f"Column “{payee}” is the user of negative amounts, by its name." in found.reasons


def test_without_a_refund_nobody_is_looked_for() -> None:
    assert "refund_user" not in guess(table(PAYPAL, PAID), Mapping()).mapping.columns


def test_a_column_of_customers_is_theirs_of_refunds_too() -> None:
    header = (*PAYPAL[:2], "Customer", "Recipient", *PAYPAL[4:])
    rows = (PAID, (*GIVEN_BACK[:2], "ann@example.com", SHOP, *GIVEN_BACK[4:]))
    assert users_of(header, *rows) == [7, 7]


def test_who_changes_places_with_the_customer_in_refunds_is_known_by_that() -> None:
    header = (*PAYPAL[:2], "Customer", "Merchant", *PAYPAL[4:])
    assert users_of(header, PAID, GIVEN_BACK) == [7, 7]


def test_a_refund_of_which_nobody_is_named_is_refused_by_that_column() -> None:
    by = guess(table(PAYPAL, PAID, GIVEN_BACK), REFUNDS).mapping
    nobody = (*GIVEN_BACK[:3], "", *GIVEN_BACK[4:])
    stranger = (*GIVEN_BACK[:3], "who@example.com", *GIVEN_BACK[4:5], "T3")
    found = list(plan(table(PAYPAL, PAID, nobody, stranger), by, users=KNOWN).planned())
    assert [each.reason.split(":")[0] for each in found] == ["", *["column “To Email Address”"] * 2]


def test_debits_of_a_column_of_their_own_are_of_who_is_paid() -> None:
    header = ("id", "Date", "Debit", "Credit", "Sender", "Recipient")
    by = Mapping(columns={"refund_user": "Recipient", "user": "Sender"}, negative="refund", status="SUCCESS")
    rows = (
        ("T1", "2026-01-31 12:00:00Z", "", "20.50", "ann@example.com", SHOP),
        ("T2", "2026-01-31 13:00:00Z", "20.50", "", SHOP, "ann@example.com"),
    )
    assert users_of(header, *rows, given=by) == [7, 7]


def test_the_customer_of_refunds_needs_one_of_payments() -> None:
    with pytest.raises(MappingError, match=r"columns\.refund_user: it goes with columns\.user"):
        guess(table(PAYPAL, PAID), Mapping({"user": "", "refund_user": "To Email Address"}))
