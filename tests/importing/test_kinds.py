"""Columns that say of which kind a row is: what is no payment is asked about before anything is posted."""

import pytest

from tests.importing.tables import EveryKey, table
from transactions.importing.columns.proofs import ColumnError
from transactions.importing.guess import Guess, guess
from transactions.importing.mapping import Mapping, MappingError, parse, write
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


RETAIL = [("5.00", "SALE"), ("6.00", "card payment"), ("7.00", "Mobile Payment"), ("8.00", "TOPUP")]


@pytest.mark.parametrize(
    "word",
    [
        "RETURN", "REVERSAL", "Chargeback", "Partial refund", "Credit note", "Refund issued",
        "Payment reversal", "Money back",
    ],
)  # fmt: skip
def test_what_goes_back_without_a_minus_is_asked_about(word: str) -> None:
    file = table(["amount", "Type"], *rows(*RETAIL, ("9.00", word)))
    found = guess(file, GIVEN)
    assert asked(found) == {"refunds.Type": [word, "none"]}
    assert f"line 6: “{word}”" in found.open[0].why
    back = guess(file, GIVEN.stating("refunds.Type", word))
    assert asked(back) == {}
    summary = plan(file, back.mapping, users=EveryKey()).summary
    assert (summary.by_status["SUCCESS"].sum, summary.by_status["SUCCESS, refunds"].sum) == (2600, 900)
    kept = guess(file, GIVEN.stating("refunds.Type", "none"))
    assert asked(kept) == {}
    assert plan(file, kept.mapping, users=EveryKey()).summary.by_status["SUCCESS"].sum == 3500


@pytest.mark.parametrize("word", ["POS", "Contactless", "E-commerce", "Payment by card", "Online order"])
def test_how_somebody_pays_is_not_asked_about(word: str) -> None:
    assert asked(guess(table(["amount", "Type"], *rows(*RETAIL, ("9.00", word))), GIVEN)) == {}


@pytest.mark.parametrize("name", ["Event", "Activity", "Description", "Reason", "Kategorie"])
@pytest.mark.parametrize("word", ["Refund", "Chargeback", "Partial refund", "Credit note", "Retoure"])
def test_a_cell_that_says_only_that_money_goes_back_is_asked_about_in_any_column(
    name: str, word: str
) -> None:
    file = table(["amount", name], *rows(*RETAIL, ("9.00", word)))
    assert asked(guess(file, GIVEN)) == {f"refunds.{name}": [word, "none"]}
    assert asked(guess(file, GIVEN.stating(f"refunds.{name}", word))) == {}
    assert asked(guess(file, GIVEN.stating(f"refunds.{name}", "none"))) == {}


@pytest.mark.parametrize("text", ["Return flight", "refund of a deposit", "note", "Back to school", "Credit"])
def test_a_text_that_says_more_is_not_asked_about(text: str) -> None:
    file = table(["amount", "Description"], *rows(*RETAIL, ("9.00", text)))
    assert asked(guess(file, GIVEN)) == {}


@pytest.mark.parametrize(
    "word",
    [
        "Payment sent",
        "Bounced payment",
        "Non-payment",
        "Payment to supplier",
        "CASH_OUT",
        "Withdrawal by card",
        "Transfer",
        "Convert",
        "Payout",
        "EXCHANGED",
        "Deposit",
        "Staking Income",
        "Gutschrift",
        "Credit",
        "Xyz",
    ],
)
def test_a_kind_that_is_not_known_to_be_a_payment_is_asked_about(word: str) -> None:
    """Closed by default: what no list has may be anything."""
    file = table(["amount", "Type"], *rows(*RETAIL, *[("5.00", "SALE")] * MANY, ("9.00", word)))
    found = guess(file, GIVEN)
    assert asked(found) == {"skip.Type": [word, "none"]}
    assert f"line {MANY + 6}: “{word}”" in found.open[0].why
    assert f"refunds.Type={word}" in found.open[0].why
    # It may be a refund that nobody knows by its word.
    back = guess(file, GIVEN.stating("refunds.Type", word))
    assert asked(back) == {}
    assert plan(file, back.mapping, users=EveryKey()).summary.by_status["SUCCESS, refunds"].sum == 900


@pytest.mark.parametrize(
    ("debit", "credit"), [("Lastschrift", "Gutschrift"), ("Debit", "Credit"), ("D", "C")]
)
def test_a_credit_beside_debits_with_a_minus_comes_in(debit: str, credit: str) -> None:
    file = table(["amount", "Type"], *rows(("-5.00", debit), ("9.00", credit)))
    assert asked(guess(file, GIVEN)) == {}


def test_a_credit_beside_sales_alone_may_be_one_that_goes_back() -> None:
    file = table(["amount", "Type"], *rows(("5.00", "Sale"), ("9.00", "Gutschrift")))
    assert asked(guess(file, GIVEN)) == {"skip.Type": ["Gutschrift", "none"]}


@pytest.mark.parametrize("word", ["Transfer", "Withdrawal", "Convert"])
def test_what_only_moves_money_is_asked_about_also_with_a_minus(word: str) -> None:
    file = table(["amount", "Type"], *rows(("5.00", "Order"), ("-6.00", word)))
    assert asked(guess(file, GIVEN)) == {"skip.Type": [word, "none"]}


def test_more_kinds_than_are_told_are_never_passed_over_as_if_they_were_all() -> None:
    file = table(["amount", "Type"], *rows(*[("5.00", f"kind {chr(97 + n % 26)}{n}") for n in range(60)]))
    assert asked(guess(file, GIVEN)) == {"skip.Type": ["none"]}


def test_a_stated_word_for_refunds_leaves_an_amount_with_a_minus_as_it_is() -> None:
    file = table(["amount", "Type"], *rows(("5.00", "SALE"), ("-6.00", "RETURN"), ("2.00", "RETURN")))
    meant = guess(file, GIVEN.stating("refunds.Type", "RETURN")).mapping
    assert parse(write(meant)) == meant
    assert plan(file, meant, users=EveryKey()).summary.by_status["SUCCESS, refunds"].sum == 800


def test_refunds_of_a_column_that_the_file_lacks_are_named() -> None:
    with pytest.raises(MappingError, match=r"refunds\.Kind: the file has no column “Kind”"):
        guess(table(["amount", "Type"], ["5.00", "SALE"]), GIVEN.stating("refunds.Kind", "RETURN"))
