"""Refused rows as a file that can be corrected and read again."""

import csv
import io
from pathlib import Path

import pytest

from transactions.importing import errors_file
from transactions.importing.forms import open_table


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
    assert len({*header}) == len(columns) + 3
    found, rows = read(tmp_path, header, ["7", *(f"cell {name}" for name in columns), "invalid", "why"])
    assert found == tuple(columns)
    assert rows == [{name: f"cell {name}" for name in columns}]


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
    _, rows = read(tmp_path, header, ["2", errors_file.cell(cell), "b", "invalid", "why"])
    assert rows == [{"A": cell, "B": "b"}]
