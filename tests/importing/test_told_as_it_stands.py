"""What is said of a file quotes what stands in it: the cell, its own column, and the line."""

import io
import re
from collections.abc import Mapping as Record
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.management.base import OutputWrapper
from openpyxl import Workbook

from tests.importing.tables import Users, table
from tests.importing.test_sums_agree import HEADER, MEANT, ROWS, accepts_all, end_of, found_of
from transactions.client.api import BatchAnswer
from transactions.client.refusals import Refusals, ToldRow
from transactions.client.status_line import StatusLine
from transactions.importing import agreement, sums
from transactions.importing.agreement import NotAgreed
from transactions.importing.columns.proofs import ColumnError
from transactions.importing.forms import open_table
from transactions.importing.guess import guess
from transactions.importing.mapping import Mapping
from transactions.importing.plan import plan
from transactions.importing.posting import ImportProgress, posted
from transactions.importing.table import FileError

BANK = ("id", "user", "Debit Amount", "Credit Amount")
STATED = Mapping(status="SUCCESS", users="name")


def why(*rows: tuple[str, str], given: Mapping = STATED) -> list[str]:
    file = table(BANK, *((str(number), "ann", *sides) for number, sides in enumerate(rows)))
    return [question.why for question in guess(file, given).open]


def test_a_debit_is_quoted_as_it_stands() -> None:
    assert why(("", "534.09"), ("41.85", "")) == [
        "Columns “Debit Amount” and “Credit Amount” have debits, which are negative amounts (line 3: "
        "“41.85”), and a transaction has none."
    ]
    assert "have negative amounts (line 2: “-41.85”)" in why(("-41.85", ""), ("", "1.00"))[0]


def test_two_columns_that_mix_forms_are_told_as_two() -> None:
    said = "columns “Debit Amount” and “Credit Amount” mix decimal marks: line 2 has “1.234,50” and line 3"
    with pytest.raises(ColumnError, match=re.escape(said)):
        why(("1.234,50", ""), ("", "7.25"))


@pytest.mark.parametrize(
    ("sides", "reason"),
    [
        (
            ("41.85", ""),
            "column “Debit Amount”: “41.85” is a debit, and negative amounts are refused (negative)",
        ),
        (
            ("-41.85", ""),
            "column “Debit Amount”: “-41.85” is negative, and such amounts are refused (negative)",
        ),
        (("41.855", ""), "column “Debit Amount”: “41.855” is finer than the smallest unit"),
        (("", "41.855"), "column “Credit Amount”: “41.855” is finer than the smallest unit"),
        (("", ""), "column “Debit Amount”: the amount is empty"),
    ],
)
def test_a_refused_row_names_the_column_in_which_its_amount_stands(
    sides: tuple[str, str], reason: str
) -> None:
    meant = Mapping(
        {"transaction_id": "id", "user": "user", "debit": "Debit Amount", "credit": "Credit Amount"},
        ids="column", users="name", status="SUCCESS", mark=".", decimals=2, unit="whole", negative="refuse",
    )  # fmt: skip
    (planned,) = plan(table(BANK, ("1", "ann", *sides)), meant, users=Users({"ann": 1})).planned()
    assert planned.reason.startswith(reason)


def test_a_reason_is_told_with_its_first_line_before_and_at_the_end() -> None:
    found = found_of(*ROWS[:4], by=replace(MEANT, users="name"))
    told = "2  column “customer”: no user has the name “bob” (line 4, and 1 more with this or another value)"
    for lines in (sums.of_plan(found), sums.of_end(end_of(found), found)):
        assert told in [line.strip() for line in lines]


def test_a_reason_of_the_api_is_told_with_its_value_and_line() -> None:
    rows = [(*row[:3], "1.00", *row[4:]) for row in ROWS[:2]]
    found = plan(table(HEADER, *rows), MEANT, users=Users({"ann": 1}))

    def refuses(records: Sequence[Record[str, Any]]) -> BatchAnswer:
        answer = accepts_all(records)
        said = {"user": ['No user has the key "1".']}
        errors = [{"index": 1, "code": "invalid", "errors": said}]
        return replace(answer, accepted=1, duplicates=0, invalid=1, errors=errors)

    progress = ImportProgress()
    for batch in posted(found.planned(), refuses):
        progress.take(batch)
    assert progress.reasons() == [('user: No user has the key "1". (line 3)', 1)]


def test_a_row_that_is_called_nothing_is_told_by_its_line() -> None:
    out = io.StringIO()
    rows = [
        ToldRow(211, "", "invalid", "the user is empty", []),
        ToldRow(212, "P1", "conflict", "no", []),
    ]
    with Refusals(StatusLine(OutputWrapper(out)), None, Path("a.csv"), []) as refusals:
        refusals.tell(rows)
    assert out.getvalue().splitlines() == [
        "line 211: invalid: the user is empty",
        "line 212: 'P1' conflict: no",
    ]


def test_a_formula_without_a_value_is_told_with_its_cell(tmp_path: Path) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Q3"
    for row in (["id", "amount"], ["a", 1.5], ["b", "=B2*2"]):
        sheet.append(row)
    file = tmp_path / "report.xlsx"
    book.save(file)
    with pytest.raises(FileError, match=r"report\.xlsx: cell B3 of sheet 'Q3': a formula has no value yet"):
        open_table(file, file.name)


def test_the_option_that_takes_a_column_says_what_becomes_of_its_rows() -> None:
    file = table(("id", "user", "amount"), ("1", "ann", "1.50"), ("2", "ann", "NaN"))
    with pytest.raises(NotAgreed) as left:
        agreement.understood(file, STATED, lambda line: None, None)
    assert "(line 3: “NaN”)" in str(left.value)
    assert "Give --map amount=amount (rows in which it cannot be read are refused)." in str(left.value)
