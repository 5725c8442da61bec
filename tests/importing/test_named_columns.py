"""Columns whose names say what they are: read as that, or asked about."""

from typing import Any

import pytest
from pytest_django import Settings

from tests.importing.tables import EveryKey, table
from transactions.importing.agreement import NotAgreed, understood
from transactions.importing.columns.proofs import ColumnError
from transactions.importing.columns.statuses import KNOWN, plain
from transactions.importing.guess import Guess, guess
from transactions.importing.mapping import Mapping, MappingError
from transactions.importing.options import SINGLE, given
from transactions.importing.plan import plan

NOTHING = Mapping()


def guessed(header: list[str], *rows: list[str], given: Mapping = NOTHING) -> Guess:
    return guess(table(header, *rows), given)


def keys(found: Guess) -> list[str]:
    return [question.key for question in found.open]


# --- Times ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["date", "Datum", "created_at", "Payment date"])
@pytest.mark.parametrize(
    "cell",
    ["3. März 2026", "03-APR-26 10.15.00.000000 AM", "46115", "2026-04-03T10:15:00+02:00[Europe/Berlin]"],
)
def test_a_date_that_cannot_be_read_is_asked_about(name: str, cell: str) -> None:
    found = guessed(["id", "user", "amount", "status", name], ["1", "7", "9.00", "paid", cell])
    assert keys(found) == ["columns.created_at"]
    assert f"“{name}”" in found.open[0].why
    assert f"line 2: “{cell}”" in found.open[0].why
    assert [value for value, _ in found.open[0].choices] == [name, ""]
    assert not any("No column has times" in reason for reason in found.reasons)


def test_of_dates_that_are_partly_none_the_lines_are_named() -> None:
    rows = [["7", "9.00", "paid", "2026-01-31T10:00:00Z"]] * 6 + [["7", "9.00", "paid", "n/a"]] * 4
    found = guessed(["user", "amount", "status", "date"], *rows)
    assert keys(found) == ["columns.created_at"]
    assert "(line 8: “n/a”, line 9: “n/a”, line 10: “n/a” and 1 more)" in found.open[0].why


def test_another_date_does_not_take_the_place_of_one_that_cannot_be_read() -> None:
    found = guessed(
        ["user", "amount", "status", "Date", "Updated date"],
        ["7", "9.00", "paid", "3. März 2026", "2026-04-03T10:00:00Z"],
    )
    assert keys(found) == ["columns.created_at"]
    assert [value for value, _ in found.open[0].choices] == ["Date", "Updated date", ""]


def test_a_clock_beside_a_day_is_not_asked_about() -> None:
    found = guessed(
        ["user", "amount", "status", "Transaction Time", "Transaction Date"],
        ["7", "9.00", "paid", "10:15", "2026-04-03"],
        given=Mapping(timezone="UTC"),
    )
    assert (found.mapping.named["created_at"], found.open) == ("Transaction Date", ())


def test_a_form_of_dates_that_is_stated_is_taken() -> None:
    found = guessed(["user", "amount", "status", "date"], ["7", "9.00", "paid", "20260403 x"],
                    given=Mapping(dates="%Y%m%d x", timezone="UTC"))  # fmt: skip
    assert (found.mapping.named["created_at"], found.open) == ("date", ())


def test_who_says_that_no_column_has_times_is_not_asked() -> None:
    found = guessed(
        ["user", "amount", "status", "date"], ["7", "9.00", "paid", "?"], given=Mapping({"created_at": ""})
    )
    assert found.open == ()


def test_at_a_terminal_none_is_an_answer() -> None:
    read = table(["user", "amount", "status", "date"], ["7", "9.00", "paid", "?"])
    said: list[str] = []
    found = understood(read, NOTHING, said.append, lambda _: "none")
    assert "created_at" not in found.mapping.named
    ways = r"Give --map created_at=date \(rows [a-z ]+\) or --map created_at= \(each happens"
    with pytest.raises(NotAgreed, match=ways):
        understood(read, NOTHING, said.append, None)


# --- Amounts --------------------------------------------------------------------------------------


def test_tax_is_not_the_amount_where_the_amount_cannot_be_read() -> None:
    found = guessed(
        ["id", "user", "Amount", "Tax amount", "status"], ["1", "7", "500.00 of them", "1.50", "paid"]
    )
    assert keys(found) == ["columns.amount"]
    assert "line 2: “500.00 of them”" in found.open[0].why


def test_of_two_columns_that_may_have_the_amounts_by_words_it_is_asked() -> None:
    found = guessed(["user", "Total Boxes", "Total Price", "status"], ["7", "2.0", "10.50", "paid"])
    assert keys(found) == ["columns.amount"]
    assert [value for value, _ in found.open[0].choices][:2] == ["Total Boxes", "Total Price"]


# --- Currencies -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["Currency", "Währung", "Waehrung", "Wahrung", "Transaction Currency", "Settlement Currency",
     "Original Currency", "currency_iso", "Moneda", "Valuta", "Curr", "Devise"],
)  # fmt: skip
def test_the_currencys_column_is_known(name: str, settings: Settings) -> None:
    settings.CURRENCY = "EUR"
    read = table(["id", "user", "amount", "status", name], ["1", "7", "9.00", "paid", "USD"],
                 ["2", "7", "9.00", "paid", "EUR"])  # fmt: skip
    found = guess(read, NOTHING)
    assert found.mapping.named["currency"] == name
    assert plan(read, found.mapping, users=EveryKey()).summary.records == 1


def test_days_that_are_called_valuta_are_no_currency() -> None:
    found = guessed(["user", "amount", "status", "Datum", "Valuta"],
                    ["7", "9.00", "paid", "31.01.2026", "31.01.2026"],
                    given=Mapping(timezone="UTC"))  # fmt: skip
    assert ("currency" in found.mapping.named, found.open) == (False, ())


def test_a_currency_that_is_no_code_is_asked_about(settings: Settings) -> None:
    settings.CURRENCY = "EUR"
    rows = [["7", "9.00", "paid", cell] for cell in ("€", "US Dollar", "US Dollar")]
    found = guessed(["user", "amount", "status", "Currency"], *rows)
    assert keys(found) == ["columns.currency"]
    assert "line 3: “US Dollar”" in found.open[0].why


@pytest.mark.parametrize("name", ["Amount (USD)", "amount_usd", "Amount USD", "Amount [usd]"])
def test_a_currency_in_the_amounts_name_is_the_amounts(name: str, settings: Settings) -> None:
    header, row = ["user", name, "status"], ["7", "9.00", "paid"]
    assert guessed(header, row).mapping.currency == "USD"
    settings.CURRENCY = "EUR"
    with pytest.raises(ColumnError, match="its name says USD, and only EUR is taken"):
        guessed(header, row)
    settings.CURRENCY = "USD"
    assert guessed(header, row).open == ()


# --- Debits and credits ---------------------------------------------------------------------------

REFUND = Mapping(negative="refund", status="SUCCESS", timezone="UTC", users="key", user="7", decimals=2)


@pytest.mark.parametrize(
    ("debit", "credit"),
    [("Debit Amount", "Credit Amount"), ("Withdrawn", "Paid In"), ("Withdrawal Amt.", "Deposit Amt."),
     ("Soll", "Haben")],
)  # fmt: skip
def test_debits_and_credits_in_columns_of_their_own_are_one_amount(debit: str, credit: str) -> None:
    amounts = [("12.34", ""), ("0.00", "2,000.00"), ("5.00", "0.00"), ("1.00", "2.00"), ("", "")]
    rows = [[f"A{number}", *pair, "1.00"] for number, pair in enumerate(amounts)]
    read = table(["Ref no", debit, credit, "Balance"], *rows)
    found = guess(read, REFUND)
    assert (found.mapping.named["debit"], found.mapping.named["credit"], found.open) == (debit, credit, ())
    made = plan(read, found.mapping, users=EveryKey())
    assert [each.money for each in made.planned()] == [-1234, 200000, -500, 0, 0]
    reasons = [each.reason for each in made.planned()]
    assert f"column “{debit}”: a debit and a credit in one row" in reasons[3]
    assert f"out of “{debit}” and “{credit}”" in reasons[3]
    assert "the amount is empty" in reasons[4]


def test_debits_are_negative_and_so_asked_about() -> None:
    found = guessed(
        ["user", "Debit", "Credit", "status"], ["7", "12.34", "", "paid"], ["7", "", "1.00", "paid"]
    )
    assert keys(found) == ["negative"]


@pytest.mark.parametrize(
    ("header", "rows"),
    [
        (["id", "Debit", "Credit"], [["A", "5.00", ""], ["B", "-3.00", ""], ["C", "", "1.00"]]),
        (["id", "Debit", "Credit"], [["A", "(5.00)", ""], ["B", "", "-9.00"], ["C", "3.00", "0.00"]]),
        (["id", "Amount", "DR/CR"], [["A", "5.00", "DR"], ["B", "-3.00", "DR"], ["C", "1.00", "CR"]]),
    ],
)
def test_debits_with_a_minus_and_without_are_refused_by_two_lines(
    header: list[str], rows: list[list[str]]
) -> None:
    """Such a minus may say that it is a debit, or that one was taken back."""
    by = Mapping(user="7", users="key", status="SUCCESS", negative="refund")
    if "Amount" in header:
        by = by.holding("columns.direction", "DR/CR")
    with pytest.raises(
        ColumnError, match=r"has debits with a minus \(line \d: .*\) and without \(line \d: "
    ) as mixed:
        guess(table(header, *rows), by)
    assert "write all debits in one way" in str(mixed.value)


def test_debits_may_all_have_a_minus_and_credits_that_are_taken_back_one() -> None:
    by = Mapping(user="7", users="key", status="SUCCESS", negative="refund")
    rows = [
        ["A", "-5.00", ""],
        ["B", "-3.00", "0.00"],
        ["C", "", "-1.00"],
        ["D", "", "2.50"],
        ["E", "-0.00", "4.00"],
    ]
    read = table(["id", "Debit", "Credit"], *rows)
    found = plan(read, guess(read, by).mapping, users=EveryKey())
    assert [row.money for row in found.planned()] == [-500, -300, -100, 250, 400]


def test_debits_alone_are_not_taken_for_payments() -> None:
    found = guessed(["user", "Debit Amount", "status"], ["7", "12.34", "paid"])
    assert keys(found) == ["columns.amount"]


@pytest.mark.parametrize(
    ("name", "debit", "credit"),
    [("Dr/Cr", "DR", "CR"), ("Type", "refund", "payment"), ("Soll/Haben", "S", "H")],
)
def test_a_column_that_says_debit_or_credit_gives_the_amount_its_sign(
    name: str, debit: str, credit: str
) -> None:
    read = table(["Ref no", "Amount", name], ["A", "12.34", debit], ["B", "2.00", credit])
    found = guess(read, REFUND)
    assert (found.mapping.named["direction"], found.open) == (name, ())
    made = plan(read, found.mapping, users=EveryKey())
    assert [each.money for each in made.planned()] == [-1234, 200]


@pytest.mark.parametrize(
    ("debit", "credit"),
    [
        ("D", "C"), ("DR", "CR"), ("S", "H"), ("Debit", "Credit"), ("DBIT", "CRDT"), ("Af", "Bij"),
        ("-", "+"),
        ("Soll", "Haben"), ("Débit", "Crédit"), ("refund", "sale"), ("-1", "1"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["D/C", "Soll/Haben-Kennzeichen", "Af Bij", "Sens", "Event Type", "Foo"])
def test_a_column_of_two_words_for_debit_and_credit_is_one_whatever_its_name(
    name: str, debit: str, credit: str
) -> None:
    read = table(["id", "Amount", name], ["A", "5.00", debit], ["B", "6.00", debit], ["C", "7.00", credit])
    found = guess(read, REFUND)
    assert (found.mapping.named["direction"], found.open) == (name, ())
    made = plan(read, found.mapping, users=EveryKey())
    assert [each.money for each in made.planned()] == [-500, -600, 700]


@pytest.mark.parametrize(("debit", "credit"), [("S", "C"), ("D", "D"), ("DR", "DR"), ("Soll", "H")])
def test_words_for_debits_that_are_no_pair_are_asked_about(debit: str, credit: str) -> None:
    found = guessed(["id", "Amount", "Foo"], ["A", "5.00", debit], ["B", "7.00", credit], given=REFUND)
    assert keys(found) == ["columns.direction"]
    assert [value for value, _ in found.open[0].choices] == ["Foo", ""]
    assert (
        guess(
            table(["id", "Amount", "Foo"], ["A", "5.00", "D"]), REFUND.holding("columns.direction", "")
        ).open
        == ()
    )


@pytest.mark.parametrize(
    ("name", "cells"), [("Note", ("-", "-")), ("status", ("D", "C")), ("customer", ("s", "h"))]
)
def test_what_has_such_words_and_is_something_else_is_no_direction(name: str, cells: tuple[str, str]) -> None:
    found = guessed(["id", "Amount", name], *(["A", "5.00", cell] for cell in cells), given=REFUND)
    assert "direction" not in found.mapping.named
    assert "columns.direction" not in keys(found)


@pytest.mark.parametrize(
    ("name", "debit", "credit"), [("direction", "DR", "CR"), ("Type", "Debit", "Credit"), ("Foo", "D", "C")]
)
@pytest.mark.parametrize(
    "amounts", [("5.00", "-6.00", "7.00"), ("-5.00", "-6.00", "-7.00"), ("5.00", "5.00", "-7.00")]
)
def test_a_minus_that_says_otherwise_than_the_word_beside_it_is_asked_about(
    name: str, debit: str, credit: str, amounts: tuple[str, ...]
) -> None:
    rows = [["A", amounts[0], debit], ["B", amounts[1], debit], ["C", amounts[2], credit]]
    found = guessed(["id", "Amount", name], *rows, given=REFUND)
    assert keys(found) == ["columns.direction"]
    assert f"“{name}”" in found.open[0].why


def test_signs_and_words_that_agree_are_held_against_each_other_to_the_last_row() -> None:
    rows = [["A", "-12.34", "Debit"], ["B", "2.00", "Credit"]]
    found = guessed(["Ref no", "Amount", "Type"], *rows, given=REFUND)
    assert (found.mapping.named["direction"], found.open) == ("Type", ())
    with pytest.raises(ColumnError, match=r"without \(line 1002: “5.00”\)"):
        guessed(["Ref no", "Amount", "Type"], *rows * 500, ["C", "5.00", "Debit"], given=REFUND)


@pytest.mark.parametrize(
    ("columns", "told"),
    [({"amount": "A", "debit": "B", "credit": "C"}, "columns.amount"),
     ({"debit": "B"}, "goes with columns.credit"), ({"direction": "B"}, "columns.direction")],
)  # fmt: skip
def test_amounts_are_stated_in_one_way(columns: dict[str, str], told: str) -> None:
    with pytest.raises(MappingError, match=told):
        guessed(["A", "B", "C"], ["1.00", "1.00", "1.00"], given=Mapping(columns))


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Amount (€)", "EUR"), ("Betrag €", "EUR"), ("Amount (US$)", "USD"), ("Betrag in Euro", "EUR"),
        ("Betrag (Euro)", "EUR"), ("usd_amount", "USD"), ("GBP Amount", "GBP"), ("AmountUSD", "USD"),
        ("amount.eur", "EUR"), ("EUR", "EUR"), ("AMOUNT EUR", "EUR"), ("Amount US$ (USD)", "USD"),
        ("Total TRY", "TRY"), ("Amount $ (CAD)", "CAD"),
    ],
)  # fmt: skip
def test_however_a_name_says_the_currency_whole_numbers_are_asked_about(name: str, code: str) -> None:
    found = guessed(["user", name, "status"], ["7", "230", "paid"], given=Mapping({"amount": name}))
    assert (found.mapping.currency, keys(found)) == (code, ["unit"])


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("Amount $", ["decimals"]),
        ("Amount in dollars", ["decimals"]),
        ("Amount ¥", ["decimals"]),
        ("Amount (kr)", ["decimals"]),
        ("Kwota zł", ["unit"]),
        ("Amount EUR/USD", ["unit", "currency"]),
    ],
)
def test_currencies_in_a_name_are_asked_about_as_beside_an_amount(name: str, asked: list[str]) -> None:
    found = guessed(["user", name, "status"], ["7", "230", "paid"], given=Mapping({"amount": name}))
    assert keys(found) == asked


def test_a_sign_of_several_currencies_in_a_name_is_taken_for_the_deployments(settings: Settings) -> None:
    settings.CURRENCY = "CAD"
    header, row = ["user", "Amount $", "status"], ["7", "9.00", "paid"]
    assert guessed(header, row).open == ()
    settings.CURRENCY = "EUR"
    with pytest.raises(ColumnError, match=r"its name says .*, and only EUR is taken"):
        guessed(header, row)


@pytest.mark.parametrize(
    "name", ["Total all", "Top amount", "Amount", "amount_cents", "Try Total", "Amount due"]
)
def test_words_that_are_no_currency_say_none(name: str) -> None:
    found = guessed(["user", name, "status"], ["7", "230", "paid"])
    assert (found.mapping.currency, found.open) == ("", ())


@pytest.mark.parametrize(
    "name",
    [
        "Amount TEUR",
        "Amount (Mio)",
        "Betrag T€",
        "Amount k$",
        "Amount in thousands",
        "Total (000s)",
        "Amount (k)",
    ],
)
def test_a_name_that_says_thousands_is_asked_about(name: str) -> None:
    header, row = ["user", name, "status"], ["7", "230.50", "paid"]
    found = guessed(header, row)
    assert keys(found) == ["columns.amount"]
    assert f"“{name}” has thousands or millions by its name" in found.open[0].why
    assert name in [value for value, _ in found.open[0].choices]
    assert guessed(header, row, given=Mapping({"amount": name})).mapping.named["amount"] == name


# --- Ids and users --------------------------------------------------------------------------------


def test_a_reference_that_most_rows_lack_is_no_id() -> None:
    rows = [["7", "9.00", "paid", cell] for cell in ("", "Lohn", "")]
    found = guessed(["user", "amount", "status", "Payment Reference"], *rows)
    assert found.mapping.ids == "content"
    assert any(
        "“Payment Reference” is not taken for the id: it is empty in 2 of" in each for each in found.reasons
    )


def test_a_receipts_number_is_an_id() -> None:
    found = guessed(["Receipt No.", "user", "amount", "status"], ["QK1", "7", "9.00", "paid"])
    assert found.mapping.named["transaction_id"] == "Receipt No."


@pytest.mark.parametrize(
    "name", ["Account Number", "accountid", "Account", "BANKACCTFROM/ACCTID", "account_number"]
)
def test_numbers_of_accounts_are_no_keys_of_users(name: str) -> None:
    found = guessed([name, "amount", "status"], ["2", "9.00", "paid"], given=Mapping({"user": name}))
    assert (found.mapping.users, found.open) == ("name", ())


# --- Units and words ------------------------------------------------------------------------------


def test_a_csv_with_the_apis_columns_is_asked_for_its_unit(settings: Settings) -> None:
    settings.CURRENCY = "EUR"
    header = ["id", "transaction_id", "user", "amount", "status", "created_at"]
    found = guessed(header, ["1", "SN1", "1", "12", "paid", "2026-04-03T10:15:00Z"])
    assert (found.mapping.named["transaction_id"], keys(found)) == ("transaction_id", ["unit"])


@pytest.mark.parametrize(
    ("word", "status"),
    [("Abgeschlossen", "SUCCESS"), ("Ausstehend", "PENDING"), ("Umsatz vorgemerkt", "PENDING"),
     ("payé", "SUCCESS"), ("Storniert", "FAILED")],
)  # fmt: skip
def test_words_of_other_languages_are_known(word: str, status: str) -> None:
    assert KNOWN[plain(word)] == status


def test_unknown_words_are_asked_at_a_terminal() -> None:
    read = table(
        ["user", "amount", "status"], ["7", "9.00", "paid"], ["7", "9.00", "weird"], ["7", "9.00", "odd"]
    )
    answers = iter(["perhaps", "failed", ""])
    said: list[str] = []
    found = understood(read, NOTHING, said.append, lambda _: next(answers))
    assert found.mapping.statuses == {"weird": "FAILED"}
    assert any("“odd”" in line and "line 4" in line for line in said)
    assert understood(read, NOTHING, said.append, None).mapping.statuses == {}


@pytest.mark.parametrize(
    "stated",
    [{"status": ["SUCCESS", "FAILED"]}, {"status": ["paid=SUCCESS", "paid=FAILED"]},
     {"map": ["amount=A,amount=B"]}, {"decimals": "2", "stated": ["decimals=3"]}],
)  # fmt: skip
def test_a_key_that_is_stated_in_two_ways_is_refused(stated: dict[str, Any]) -> None:
    nothing: dict[str, Any] = dict.fromkeys(["mapping", *SINGLE])
    nothing |= {"map": [], "status": [], "stated": []}
    with pytest.raises(MappingError, match=r"it is stated as .* and as .*; state one"):
        given({**nothing, **stated})
