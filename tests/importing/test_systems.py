"""Exports of systems that are known: told by their columns, and read where a column of choice is missing."""

import csv
from pathlib import Path

import pytest

from tests.importing.tables import table
from tests.support.imported import SAMPLES
from transactions.importing import agreement, mapping
from transactions.importing.agreement import NotAgreed
from transactions.importing.forms import open_table
from transactions.importing.guess import guess
from transactions.importing.mapping import Mapping, MappingError
from transactions.importing.plan import plan
from transactions.importing.systems import SYSTEMS, system_of
from transactions.importing.table import Table

from .tables import Users

SAMPLE_OF = {"camt": "camt.xml"}


def sample(name: str) -> Table:
    file = SAMPLES / SAMPLE_OF.get(name, f"{name}.csv")
    return open_table(file, file.name)


def without(file: Path, column: str) -> Table:
    """A sample whose export was made without a column."""
    with file.open(encoding="utf-8-sig", newline="") as source:
        header, *rows = csv.reader(source)
    place = header.index(column)
    return table(*([*each[:place], *each[place + 1 :]] for each in (header, *rows)))


def test_each_shipped_mapping_is_of_a_system_with_a_name_for_people() -> None:
    assert [each.name for each in SYSTEMS] == mapping.shipped()
    assert all(each.words[0].isupper() and ":" in each.words for each in SYSTEMS)


@pytest.mark.parametrize("name", [each.name for each in SYSTEMS])
def test_a_file_is_known_by_its_columns(name: str) -> None:
    found = system_of(sample(name))
    assert found is not None
    assert found.name == name


def test_other_files_are_of_no_system() -> None:
    assert system_of(table(("id", "counterparty", "amount", "status", "created_at", "currency"))) is None
    assert system_of(table(("id", "customer", "amount"))) is None


def test_without_a_mapping_the_command_says_that_there_is_one() -> None:
    said: list[str] = []
    with pytest.raises(NotAgreed):
        agreement.understood(sample("paypal"), Mapping(), said.append, None)
    assert said[0].startswith(
        "the columns are those of “PayPal: activity report, in English”: --mapping paypal"
    )
    said.clear()
    agreement.understood(sample("paypal"), mapping.read("paypal"), said.append, None)
    assert not any("--mapping" in line for line in said)


@pytest.mark.parametrize(
    ("name", "column"), [("paypal", "Balance Impact"), ("paypal-de", "Auswirkung auf Guthaben")]
)
def test_an_export_without_a_column_of_choice_is_read_and_that_is_said(name: str, column: str) -> None:
    file = without(SAMPLES / f"{name}.csv", column)
    said: list[str] = []
    found = agreement.understood(file, mapping.read(name), said.append, None)
    assert f"  - The file has no column “{column}”: no row is passed over by it." in said
    # Those of its type are passed over all the same.
    assert plan(file, found.mapping, users=Users(create=True)).summary.passed_over == 2


def test_a_column_by_which_rows_are_passed_over_has_to_be_there_or_be_stated_as_optional() -> None:
    file = table(("id", "customer", "amount", "Kin"), ("a", "7", "1.50", "Fee"))
    given = Mapping(skip={"Kind": ("Fee",)}, status="SUCCESS")
    with pytest.raises(MappingError) as refused:
        guess(file, given)
    assert str(refused.value) == (
        "skip.Kind: the file has no column “Kind” by which rows are passed over: state it as optional if no "
        "row of this file is to be (optional=Kind)"
    )
    assert guess(file, given.stating("optional", "Kind")).open == ()


def test_what_is_optional_is_kept_by_a_mapping() -> None:
    assert mapping.parse(mapping.write(Mapping(optional=("A b", "C")))).optional == ("A b", "C")


def test_words_that_are_known_are_told_also_where_a_mapping_states_all_else() -> None:
    file = table(("id", "user", "amount", "status"), ("a", "7", "150", "Voided"))
    whole = guess(file, Mapping()).mapping
    said: list[str] = []
    assert agreement.understood(file, whole, said.append, None).mapping == whole
    assert said == [
        "Words for a status, as usual: “Voided” is FAILED. What differs is stated: --status WORD=STATUS."
    ]
