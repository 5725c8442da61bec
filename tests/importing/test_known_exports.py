"""Exports of systems as they are documented, with made-up rows: what is guessed of each, what is asked."""

import io

import pytest

from tests.importing.tables import Users
from transactions.importing.forms import open_table
from transactions.importing.guess import Guess, guess
from transactions.importing.mapping import Mapping, MappingError
from transactions.importing.plan import plan
from transactions.importing.table import Table


def guessed(*lines: str, given: Mapping | None = None) -> Guess:
    return guess(_table(*lines), given or Mapping())


def _table(*lines: str) -> Table:
    return open_table(io.BytesIO("\n".join(lines).encode()), "export.csv")


def asked(found: Guess) -> list[str]:
    return [question.key for question in found.open]


WISE = (
    "ID,Status,Direction,Created on,Source fee amount,Source name,Source amount (after fees),Source currency,"
    "Target name,Target amount (after fees),Target currency,Exchange rate,Reference",
    "TRANSFER-1,COMPLETED,IN,2026-01-31 10:15:00,0.00,Anna Example,500.0,EUR,Shop,500.0,EUR,1.0,Inv 1",
    "TRANSFER-2,COMPLETED,OUT,2026-02-01 10:15:00,0.50,Shop,100.0,EUR,Cem Example,108.12,USD,1.0812,",
)


def test_a_rate_is_never_the_amount_and_of_several_amounts_it_is_asked() -> None:
    found = guessed(*WISE)
    assert "amount" not in found.mapping.named
    assert "columns.amount" in asked(found)
    (question,) = (each for each in found.open if each.key == "columns.amount")
    assert "“Source amount (after fees)” and “Target amount (after fees)”" in question.why


ADYEN = (
    "Psp Reference,Creation Date,TimeZone,Type,Gross Currency,Gross Debit (GC),Gross Credit (GC),"
    "Net Debit (NC),Net Credit (NC),Commission (NC)",
    "8816000000000001,2026-01-31 10:15:00,CET,Settled,EUR,,49.90,,48.90,1.00",
    "8816000000000001,2026-02-01 09:00:00,CET,Refunded,EUR,49.90,,49.90,,",
)


def test_a_commission_beside_debits_and_credits_is_not_the_amount_nor_is_a_currency() -> None:
    found = guessed(*ADYEN)
    assert "amount" not in found.mapping.named
    (question,) = (each for each in found.open if each.key == "columns.amount")
    assert "(columns.debit and columns.credit)" in question.why
    given = Mapping({"debit": "Gross Debit (GC)", "credit": "Gross Credit (GC)"})
    assert "columns.amount" not in asked(guessed(*ADYEN, given=given))


VENMO = (
    "Account Statement - (@anna-example) ,,,,,,,",
    "Account Activity,,,,,,,",
    ",ID,Datetime,Type,Status,From,To,Amount (total)",
    ",3000000000000000001,2026-01-31T10:15:00,Payment,Complete,Ben Example,Anna Example,+ $12.50",
    ",3000000000000000002,2026-02-01T11:00:00,Payment,Complete,Anna Example,Cem Example,- $600.00",
)


def test_a_header_below_padded_lines_is_found_though_its_first_cell_is_empty() -> None:
    table = _table(*VENMO)
    assert table.form.endswith("header on line 3")
    named = guess(table, Mapping()).mapping.named
    assert {name: named[name] for name in ("transaction_id", "amount", "created_at", "status")} == {
        "transaction_id": "ID", "amount": "Amount (total)", "created_at": "Datetime", "status": "Status",
    }  # fmt: skip


def test_a_column_of_sales_and_refunds_gives_amounts_their_sign() -> None:
    found = guessed(
        "Order,Kind,Created At,Status,Amount,Currency",
        "5001,sale,2026-01-31 10:15:00 +0100,success,49.90,EUR",
        "5001,refund,2026-02-01 09:00:00 +0100,success,49.90,EUR",
    )
    assert found.mapping.named["direction"] == "Kind"
    assert "negative" in asked(found)


YNAB = (
    "Account,Date,Payee,Outflow,Inflow,Cleared",
    "Checking,31/01/2026,Cafe,€3.50,€0.00,Cleared",
    "Checking,01/02/2026,Employer,€0.00,€2500.00,Reconciled",
)


def test_nothing_in_a_currency_is_nothing_beside_a_debit() -> None:
    found = guessed(*YNAB, given=Mapping(user="me", negative="refund", timezone="UTC"))
    assert asked(found) == []
    named = found.mapping.named
    assert (named["debit"], named["credit"], named["status"]) == ("Outflow", "Inflow", "Cleared")
    summary = plan(_table(*YNAB), found.mapping, users=Users(create=True)).summary
    assert {name: (each.rows, each.sum) for name, each in summary.by_status.items()} == {
        "SUCCESS": (1, 250000),
        "SUCCESS, refunds": (1, 350),
    }


def test_a_column_of_distinct_ids_of_any_name_is_the_id() -> None:
    lines = "TransferWise ID,Date,Amount,Currency", "CARD-1,31-01-2026,5.00,EUR", "CARD-2,31-01-2026,6.00,EUR"
    found = guessed(*lines)
    assert found.mapping.named["transaction_id"] == "TransferWise ID"
    assert any("no two rows share one" in reason for reason in found.reasons)
    shared = guessed(lines[0], lines[1], lines[1])
    assert shared.mapping.ids == "content"
    assert (
        guessed("Shop ID,Customer ID,Amount", "1,7,5.00", "2,8,6.00").mapping.named["user"] == "Customer ID"
    )


CREDITCARD = (
    '"Time","V1","Amount","Class"',
    '0,-1.3598071336738,149.62,"0"',
    '86399.5,1.19185711131486,2.69,"1"',
    '172792,0.26615071205963,3.67,"0"',
)


def test_seconds_since_a_moment_of_their_own_are_asked_about_and_can_be_stated() -> None:
    found = guessed(*CREDITCARD)
    (question,) = (each for each in found.open if each.key == "columns.created_at")
    assert "dates=seconds and since=2026-01-01T00:00:00Z" in question.why
    given = Mapping(
        {"created_at": "Time", "status": "Class"}, {"0": "SUCCESS", "1": "FAILED"},
        user="cards", dates="seconds", since="2013-09-01T00:00:00Z",
    )  # fmt: skip
    found = guessed(*CREDITCARD, given=given)
    assert asked(found) == []
    records = [
        each.record for each in plan(_table(*CREDITCARD), found.mapping, users=Users(create=True)).planned()
    ]
    assert [(each["created_at"], each["status"], each["amount"]) for each in records if each] == [
        ("2013-09-01T00:00:00Z", "SUCCESS", 14962),
        ("2013-09-01T23:59:59.500000Z", "FAILED", 269),
        ("2013-09-02T23:59:52Z", "SUCCESS", 367),
    ]


@pytest.mark.parametrize("dates", ["iso", "", "day first"])
def test_since_belongs_to_dates_that_count(dates: str) -> None:
    with pytest.raises(MappingError, match="since: it belongs to dates that count"):
        guessed(*CREDITCARD, given=Mapping({"created_at": "Time"}, dates=dates, since="2013-09-01T00:00:00Z"))


def test_a_data_sets_amount_and_time_are_known_by_their_names() -> None:
    found = guessed(
        "TransactionID,isFraud,TransactionDT,TransactionAmt,card1",
        "2987000,0,86400,68.5,13926",
        "2987001,1,86401,29.25,2755",
    )
    assert found.mapping.named["amount"] == "TransactionAmt"
    assert "columns.created_at" in asked(found)
