"""Statuses of files by their words."""

import pytest

from transactions.importing.columns.proofs import CellError
from transactions.importing.columns.statuses import form_of


@pytest.mark.parametrize(
    ("word", "right"),
    [
        ("SUCCESS", "SUCCESS"),
        ("Completed", "SUCCESS"),
        (" paid ", "SUCCESS"),
        ("BOOK", "SUCCESS"),
        ("In Progress", "PENDING"),
        ("requires_action", "PENDING"),
        ("Canceled", "FAILED"),
        ("DECLINED", "FAILED"),
    ],
)
def test_common_words_are_known(word: str, right: str) -> None:
    assert form_of({}, "").read(word) == right


@pytest.mark.parametrize("word", ["Refunded", "Reversed", "Partially Refunded", "7", "𝕊"])
def test_a_word_that_may_mean_either_is_refused_until_it_is_stated(word: str) -> None:
    with pytest.raises(CellError, match=f"“{word}” is no known status: state whether it is SUCCESS"):
        form_of({}, "").read(word)
    assert form_of({word: "FAILED"}, "").read(word.upper()) == "FAILED"


def test_a_stated_word_comes_before_a_common_one() -> None:
    assert form_of({"Completed": "PENDING"}, "").read("completed") == "PENDING"


def test_an_empty_status_is_refused_unless_it_is_stated() -> None:
    with pytest.raises(CellError, match="the status is empty"):
        form_of({}, "").read("  ")
    assert form_of({}, "SUCCESS").read("") == "SUCCESS"
