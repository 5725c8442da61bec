"""Columns that are known by their values alone, and those that are never taken without a question."""

import io

import pytest
from pytest_django import Settings

from tests.importing.tables import EveryKey, table
from transactions.importing.forms import open_table
from transactions.importing.guess import Guess, guess
from transactions.importing.mapping import Mapping
from transactions.importing.plan import plan

GIVEN = Mapping(users="key", status="SUCCESS", ids="content", negative="refund", timezone="UTC")
ALL = Mapping(user="7").over(GIVEN)


def asked(found: Guess) -> dict[str, list[str]]:
    return {each.key: [value for value, _ in each.choices] for each in found.open}


# --- Currencies -----------------------------------------------------------------------------------


def test_a_column_of_codes_states_the_currency_whatever_its_name(settings: Settings) -> None:
    settings.CURRENCY = "GBP"
    file = table(["Umsatz", "WKZ Umsatz", "Text"], ["1000000.00", "EUR", "all"], ["5.00", "GBP", "top"])
    found = guess(file, ALL)
    assert (asked(found), found.mapping.named["currency"]) == ({}, "WKZ Umsatz")
    summary = plan(file, found.mapping, users=EveryKey()).summary
    assert (summary.records, summary.others["EUR"].sum) == (1, 100_000_000)


def test_words_in_small_letters_are_no_codes() -> None:
    file = table(["amount", "Text"], ["5.00", "all"], ["6.00", "try"])
    assert "currency" not in guess(file, ALL).mapping.named


def test_of_columns_with_other_codes_it_is_asked_which_is_the_currency() -> None:
    header = ["amount", "WKZ", "Basis"]
    found = guess(table(header, ["5.00", "EUR", "USD"], ["6.00", "EUR", "USD"]), ALL)
    assert asked(found) == {"columns.currency": ["WKZ", "Basis", ""]}
    same = guess(table(header, ["5.00", "EUR", "EUR"], ["6.00", "EUR", "EUR"]), ALL)
    assert (asked(same), same.mapping.named["currency"]) == ({}, "WKZ")


# --- Times ----------------------------------------------------------------------------------------


def test_a_column_of_moments_is_the_time_whatever_its_name() -> None:
    found = guess(table(["amount", "x"], ["5.00", "2026-01-31 10:00"], ["6.00", "2026-02-01 10:00"]), ALL)
    assert (asked(found), found.mapping.named["created_at"]) == ({}, "x")


@pytest.mark.parametrize(
    ("header", "cells"),
    [
        (["amount", "Belegdatum"], ["5.00", "3101"]),
        (["amount", "x", "y"], ["5.00", "2026-01-31 10:00", "2026-02-01 10:00"]),
    ],
)
def test_columns_that_may_say_when_are_never_passed_over_in_silence(
    header: list[str], cells: list[str]
) -> None:
    found = guess(table(header, cells), ALL)
    assert [*asked(found)] == ["columns.created_at"]
    assert f"“{header[1]}”" in found.open[0].why
    none = guess(table(header, cells), ALL.stating("columns.created_at", ""))
    assert asked(none) == {}
    assert "No column has times: a transaction's is the moment of its import." in none.reasons


def test_days_without_a_year_are_asked_about_with_what_would_read_them() -> None:
    file = table(["amount", "Belegdatum"], ["5.00", "3101"], ["6.00", "0102"])
    (question,) = guess(file, ALL).open
    assert "days without a year are stated, as columns.created_at=Belegdatum, dates=%d%m and" in question.why
    stated = ALL.stating("columns.created_at", "Belegdatum").stating("dates", "%d%m")
    found = guess(file, stated.stating("since", "2026-01-01T00:00:00Z").stating("timezone", "UTC"))
    assert asked(found) == {}
    assert plan(file, found.mapping, users=EveryKey()).summary.latest.startswith("2026-02-01")


HOURS = ["amount", "Transaction Date", "Transaction Time"]
BY_DAY = ALL.stating("columns.created_at", "Transaction Date")


def test_a_time_of_the_day_that_nobody_can_read_is_never_passed_over_in_silence() -> None:
    """Digits without their zeros, as one public set of a bank's payments has them."""
    rows = (["5.00", "21/08/2016", "143207"], ["6.00", "21/08/2016", "940"], ["7.00", "22/08/2016", "12345"])
    file = table(HOURS, *rows)
    # Both are called so, and one of them can be read as neither.
    assert "columns.created_at" in asked(guess(file, ALL))
    found = guess(file, BY_DAY)
    assert asked(found) == {"columns.time": ["Transaction Time", ""]}
    assert "line 2: “143207”, line 3: “940”, line 4: “12345”" in found.open[0].why
    stated = guess(
        file, BY_DAY.stating("columns.time", "Transaction Time").stating("dates", "%d/%m/%Y %H%M%S")
    )
    assert asked(stated) == {}
    times = [
        str((each.record or {})["created_at"])
        for each in plan(file, stated.mapping, users=EveryKey()).planned()
    ]
    assert times == ["2016-08-21T14:32:07Z", "2016-08-21T00:09:40Z", "2016-08-22T01:23:45Z"]
    days = guess(file, BY_DAY.stating("columns.time", ""))
    assert asked(days) == {}


def test_a_moment_with_its_time_needs_no_column_beside_it() -> None:
    rows = (["5.00", "2016-08-21 14:32:07", "3"], ["6.00", "2016-08-22 14:32:07", "4"])
    assert asked(guess(table(HOURS, *rows), BY_DAY)) == {}


# --- Whose ----------------------------------------------------------------------------------------

LLOYDS = ["Transaction Date", "Sort Code", "Account Number", "Details", "Debit Amount", "Credit Amount"]


@pytest.mark.parametrize(
    "accounts",
    [["12345678"] * 3, ["11111111", "22222222"] * 20, [f"1111111{n}" for n in range(4)] * 10],
    ids=["few rows", "two accounts", "four accounts"],
)
def test_the_own_account_is_never_the_customer_without_a_question(accounts: list[str]) -> None:
    rows = [["31/01/2026", "'30-00-00", each, f"Shop {n}", "5.00", ""] for n, each in enumerate(accounts)]
    found = guess(table(LLOYDS, *rows), GIVEN)
    assert "user" not in found.mapping.named
    assert "columns.user" in asked(found)
    assert "Column “Account Number” has accounts" in found.open[0].why
    stated = guess(table(LLOYDS, *rows), GIVEN.stating("columns.user", "Account Number"))
    assert "columns.user" not in asked(stated)


def test_many_accounts_are_customers_and_so_are_cards() -> None:
    many = [["5.00", f"ACC{n}"] for n in range(21)]
    assert guess(table(["amount", "Account"], *many), GIVEN).mapping.named["user"] == "Account"
    cards = table(["amount", "cc_num"], ["5.00", "4111"], ["6.00", "4222"])
    assert guess(cards, GIVEN).mapping.named["user"] == "cc_num"


# --- Headers --------------------------------------------------------------------------------------


def test_a_header_below_a_preamble_may_have_names_that_end_with_a_digit() -> None:
    lines = (
        "Settlement report,,,",
        "Merchant,K1234,,",
        "sale_date,merchant_reference1,amount,currency_code",
        "2026-01-31,R-1,5.00,EUR",
        "2026-02-01,R-2,6.00,EUR",
    )
    found = open_table(io.BytesIO("\n".join(lines).encode()), "klarna.csv")
    assert found.columns == ("sale_date", "merchant_reference1", "amount", "currency_code")
    bare = "\n".join(each.rstrip(",") for each in lines)
    assert open_table(io.BytesIO(bare.encode()), "klarna.csv").columns == found.columns


def test_values_below_a_preamble_are_no_header_that_ends_with_a_digit() -> None:
    lines = "Report,,", "INV1,Anna1,x5", "INV2,Ben2,x6", "INV3,Cem3,x7"
    assert "header on line 2" not in open_table(io.BytesIO("\n".join(lines).encode()), "a.csv").form
