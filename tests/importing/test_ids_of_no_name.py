"""A column that has an id in every row is taken or asked about, whatever it is called."""

from dataclasses import replace

import pytest

from tests.importing.tables import table
from transactions.importing.first_rows import DISTINCT_ROWS_MIN
from transactions.importing.guess import Guess, guess
from transactions.importing.mapping import Mapping
from transactions.importing.table import Table

GIVEN = Mapping(status="SUCCESS", decimals=2, unit="whole", mark=".", users="key")


def file_of(name: str, *cells: str) -> Table:
    rows = ((cell, "7", "1.00", f"2026-01-31T12:{number:02}:00Z") for number, cell in enumerate(cells))
    return table((name, "customer", "amount", "date"), *rows)


def asked(found: Guess) -> list[str]:
    return [question.key for question in found.open]


NUMBERS = [str(538_814 + number) for number in range(DISTINCT_ROWS_MIN)]


def test_a_column_of_invoices_is_the_id_by_its_name_in_german_too() -> None:
    found = guess(file_of("Rechnung", *NUMBERS), GIVEN)
    assert (found.mapping.named["transaction_id"], found.mapping.ids, found.open) == (
        "Rechnung",
        "column",
        (),
    )


@pytest.mark.parametrize("cell", ["{}", "INV-{}", "a{}b"])
def test_a_filled_column_of_distinct_values_is_asked_about(cell: str) -> None:
    file = file_of("Xyz", *map(cell.format, NUMBERS))
    found = guess(file, GIVEN)
    (question,) = found.open
    assert question.key == "columns.transaction_id"
    assert "each of the first 10 rows has a value of its own in “Xyz”" in question.why
    assert [value for value, _ in question.choices] == ["Xyz", ""]
    assert found.mapping.ids == ""
    assert not any("ids: they are made" in reason for reason in found.reasons)

    taken = guess(file, GIVEN.stating("columns.transaction_id", "Xyz"))
    assert (taken.open, taken.mapping.ids) == ((), "column")
    none = guess(file, replace(GIVEN, columns={"transaction_id": ""}))
    assert (none.open, none.mapping.ids) == ((), "content")


@pytest.mark.parametrize(
    "cells",
    [
        NUMBERS[:-1],
        [*NUMBERS[:-1], ""],
        [*NUMBERS[:-1], NUMBERS[0]],
        [f"{number}.50" for number in NUMBERS],
        [f"a word and {number}" for number in NUMBERS],
        [f"2026-02-{day:02}" for day in range(1, 11)],
        ["abcdefghij"[:number] for number in range(1, 11)],
    ],
    ids=["few rows", "an empty one", "one twice", "decimals", "sentences", "days", "words"],
)
def test_what_is_no_id_in_every_row_is_not_asked_about(cells: list[str]) -> None:
    found = guess(file_of("Xyz", *cells), GIVEN)
    assert (asked(found), found.mapping.ids) == ([], "content")
    assert any(reason.startswith("No column is known to have ids") for reason in found.reasons)


def test_of_several_columns_each_is_offered() -> None:
    rows = ((each, f"K{each}", "7", "1.00") for each in NUMBERS)
    found = guess(table(("Xyz", "Zyx", "customer", "amount"), *rows), GIVEN)
    assert [value for value, _ in found.open[0].choices] == ["Xyz", "Zyx", ""]
