"""Refused rows as a file that can be corrected and read again."""

import csv
import io
from pathlib import Path

import pytest
from django.core.management.base import OutputWrapper

from transactions.client.refusals import Refusals, ToldRow
from transactions.client.status_line import StatusLine
from transactions.importing import errors_file
from transactions.importing.forms import open_table
from transactions.importing.mapping import Mapping
from transactions.importing.plan import Planned, plan
from transactions.importing.table import Moment, Number, Row, Table

from .tables import EveryKey

OURS = ("7", "invalid", "why", "", "")


def read(tmp_path: Path, header: list[str], *rows: list[str]) -> tuple[tuple[str, ...], list[dict[str, str]]]:
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([header, *rows])
    file = tmp_path / "refused.csv"
    file.write_text(out.getvalue())
    table = errors_file.corrected(open_table(file, file.name))
    return table.columns, [row.cells for row in table.rows()]


@pytest.mark.parametrize(
    "columns",
    [["Amount", "Who"], ["line", "Amount"], ["Amount", "code", "reason"], ["line", "code", "reason"]],
)
def test_the_columns_of_the_first_file_come_back(columns: list[str], tmp_path: Path) -> None:
    header = errors_file.header(columns)
    assert len({*header}) == len(columns) + 5
    found, rows = read(tmp_path, header, [*OURS, *(f"cell {name}" for name in columns)])
    assert found == tuple(columns)
    assert rows == [{name: f"cell {name}" for name in columns}]


@pytest.mark.parametrize(
    "columns",
    [
        ["=1+1", "B"],
        ["'=1+1", "=1+1"],
        ["@x", "-y;=z", "+é"],
        ["=" + "x" * 199, "a"],
        ["=HYPERLINK(1)", "'code"],
    ],
)
def test_no_name_of_a_column_is_a_formula_and_each_comes_back(columns: list[str], tmp_path: Path) -> None:
    header = errors_file.header(columns)
    assert [name for name in header if name[0] in "=+-@"] == []
    found, rows = read(tmp_path, header, [*OURS, *(f"cell {name}" for name in columns)])
    assert found == tuple(columns)
    assert rows == [{name: f"cell {name}" for name in columns}]


@pytest.mark.parametrize("cell", ["a\rb", "a\nb", "a\r\nb", "\rb", "a\r"])
def test_an_end_of_a_line_within_a_cell_ends_no_row(cell: str, tmp_path: Path) -> None:
    file, source = tmp_path / "refused.csv", tmp_path / "source.csv"
    source.touch()
    row = errors_file.written(Planned(2, {"A": cell, "B": "b"}, None), "invalid", f"why {cell}")
    with Refusals(
        StatusLine(OutputWrapper(io.StringIO())), file, source, errors_file.header(["A", "B"])
    ) as refusals:
        refusals.tell([ToldRow(2, "", "invalid", "why", row)])
    found = errors_file.corrected(open_table(file, file.name))
    assert [(row.cells, row.fault) for row in found.rows()] == [({"A": cell, "B": "b"}, "")]


def test_another_file_is_read_as_it_is(tmp_path: Path) -> None:
    found, rows = read(tmp_path, ["line", "amount", "reason"], ["1", "'-x", "gift"])
    assert found == ("line", "amount", "reason")
    assert rows == [{"line": "1", "amount": "'-x", "reason": "gift"}]


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"), ("-neg-1", "'-neg-1"), ("'-neg-1", "''-neg-1"), ("-12,50", "-12,50"), ("-5", "-5"),
        ("+5", "'+5"), ("@x", "'@x"), ("O'Neill", "O'Neill"), ("12.50", "12.50"), ("", ""),
    ],
)  # fmt: skip
def test_no_cell_is_a_formula_and_each_is_read_again(cell: str, written: str, tmp_path: Path) -> None:
    assert errors_file.cell(cell) == written
    header = errors_file.header(["A", "B"])
    _, rows = read(tmp_path, header, [*OURS, errors_file.cell(cell), "b"])
    assert rows == [{"A": cell, "B": "b"}]


def test_cells_are_what_the_file_held_them_as_unless_they_are_written_otherwise_now(tmp_path: Path) -> None:
    cells = {"A": Number("1234.5"), "B": Moment("2026-01-05T12:30:00"), "C": "1234.5"}
    kept = errors_file.written(Planned(2, cells, None), "invalid", "why")
    changed = [*kept[:5], "1.234,50", "05.01.2026", "9"]
    out = tmp_path / "refused.csv"
    with out.open("w", newline="") as file:
        csv.writer(file).writerows([errors_file.header(list(cells)), kept, changed])
    first, second = errors_file.corrected(open_table(out, out.name)).rows()
    assert first.cells == cells
    assert [type(cell) for cell in first.cells.values()] == [Number, Moment, str]
    assert [type(cell) for cell in second.cells.values()] == [str, str, str]


def test_a_row_keeps_the_id_that_was_made_of_it_and_no_other_may_stand_there(tmp_path: Path) -> None:
    table = Table(
        "CSV", ("User", "Amount"), lambda: iter([Row(2, {"User": "7", "Amount": "x"}, "", (), "row-1")])
    )
    by = Mapping(
        columns={"user": "User", "amount": "Amount"}, status="SUCCESS", users="key", ids="content",
        decimals=2, unit="whole", mark=".", negative="refuse",
    )  # fmt: skip
    (row,) = plan(table, by, users=EveryKey()).planned()
    assert "“row-1” is no id made of a row: leave content_id as it was" in row.reason


def test_the_refusals_of_replay_are_known_too(tmp_path: Path) -> None:
    found, rows = read(
        tmp_path, ["line", "user", "amount", "code", "reason"], ["3", "7", "x", "invalid", "y"]
    )
    assert (found, rows) == (("user", "amount"), [{"user": "7", "amount": "x"}])
