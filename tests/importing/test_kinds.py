"""Columns that say of which kind a row is: what is no payment is asked about before anything is posted."""

import pytest

from tests.importing.tables import EveryKey, table
from transactions.importing.columns.proofs import ColumnError
from transactions.importing.guess import Guess, guess
from transactions.importing.mapping import Mapping, parse, write
from transactions.importing.plan import plan

GIVEN = Mapping(user="7", users="key", status="SUCCESS", ids="content", negative="refund")
# As many as a guess looks at.
MANY = 1000


def asked(found: Guess) -> dict[str, list[str]]:
    return {each.key: [value for value, _ in each.choices] for each in found.open}


def rows(*pairs: tuple[str, str]) -> list[list[str]]:
    return [list(pair) for pair in pairs]


@pytest.mark.parametrize("name", ["Kind", "Type", "Event Type", "direction", "D/C"])
def test_a_later_debit_without_a_minus_is_asked_about(name: str) -> None:
    """Of whatever the first rows are: all of them payments."""
    file = table(["amount", name], *rows(*[("5.00", "payment")] * MANY, ("6.00", "refund")))
    found = guess(file, GIVEN)
    assert asked(found) == {"columns.direction": [name, ""]}
    assert f"says “refund” on line {MANY + 2}" in found.open[0].why


def test_a_later_debit_is_found_by_words_alone() -> None:
    file = table(["amount", "x"], *rows(*[("5.00", "CR")] * MANY, ("6.00", "DR")))
    assert asked(guess(file, GIVEN)) == {"columns.direction": ["x", ""]}


def test_a_later_debit_ends_a_plan_before_anything_is_posted() -> None:
    """Also where a mapping says all else, and nothing is guessed."""
    meant = parse(
        'ids = "content"\nusers = "key"\nuser = "7"\nstatus = "SUCCESS"\ndecimals = 2\nunit = "whole"\n'
        'mark = "."\nnegative = "refund"\n[columns]\namount = "amount"\n'
    )
    file = table(["amount", "Type"], *rows(("5.00", "payment"), ("6.00", "refund")))
    with pytest.raises(ColumnError, match="says “refund” on line 3") as refused:
        plan(file, meant, users=EveryKey())
    assert refused.value.key == "columns.direction"
    taken = plan(file, meant.stating("columns.direction", ""), users=EveryKey())
    assert taken.summary.by_status["SUCCESS"].sum == 1100
    by_word = plan(file, meant.stating("columns.direction", "Type"), users=EveryKey())
    assert by_word.summary.by_status["SUCCESS, refunds"].sum == 600


def test_a_debit_with_a_minus_of_its_own_is_not_asked_about() -> None:
    file = table(["amount", "Type"], *rows(("5.00", "card payment"), ("-6.00", "refund"), ("7.00", "topup")))
    assert asked(guess(file, GIVEN)) == {}


def test_by_which_card_somebody_pays_makes_no_debit() -> None:
    for name in ("card6", "Card type", "Payment method", "funding"):
        file = table(["amount", name], *rows(("5.00", "credit"), ("6.00", "debit")))
        found = guess(file, GIVEN)
        assert (asked(found), found.mapping.named) == ({}, {"amount": "amount"})


@pytest.mark.parametrize("word", ["FEE", "payout", "MerchantPayout", "authorization", "ItemFees", "Gebühr"])
def test_rows_that_may_be_no_payments_are_asked_about(word: str) -> None:
    file = table(["amount", "Type"], *rows(*[("5.00", "SALE")] * MANY, ("-0.20", word)))
    found = guess(file, GIVEN)
    assert asked(found) == {"skip.Type": [word, "none"]}
    assert f"line {MANY + 2}: “{word}”" in found.open[0].why
    passed = guess(file, GIVEN.stating("skip.Type", word))
    assert (asked(passed), passed.mapping.skip) == ({}, {"Type": (word,)})


def test_that_all_are_transactions_can_be_said_and_is_kept() -> None:
    file = table(["amount", "Type"], *rows(("5.00", "sale"), ("-0.20", "fee")))
    stated = GIVEN.stating("skip.Type", "none")
    assert asked(guess(file, stated)) == {}
    assert parse(write(stated)) == stated
    assert not stated.passes_over({"Type": "fee", "amount": "1"})


def test_several_words_are_passed_over_together() -> None:
    file = table(["amount", "Type"], *rows(("5.00", "sale"), ("-0.20", "fee"), ("-5.00", "payout")))
    found = guess(file, GIVEN)
    assert asked(found) == {"skip.Type": ["fee,payout", "none"]}
    taken = plan(
        file, GIVEN.over(guess(file, GIVEN.stating("skip.Type", "fee,payout")).mapping), users=EveryKey()
    )
    assert (taken.summary.records, taken.summary.passed_over) == (1, 2)


def test_a_text_with_such_a_word_is_no_kind() -> None:
    file = table(["amount", "Description"], *rows(("5.00", "late fee"), ("6.00", "payout of a prize")))
    assert asked(guess(file, GIVEN)) == {}
