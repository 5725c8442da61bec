"""Refused rows as a file: the columns of the file they came from, and why; corrected, it is imported again.

A cell that a spreadsheet would run is guarded, and read again as it was: whoever corrects the file opens it
there.
"""

import re
from collections.abc import Iterator, Sequence

from ..spreadsheets import guarded, unguarded
from .table import Moment, Number, Row, Table

BEFORE, BEHIND = ("line",), ("code", "reason")
# Where the file has a column of such a name itself.
_OURS = "{} (of the import)"
# A spreadsheet takes it for what it is.
_NEGATIVE = re.compile(r"-[0-9][0-9.,]*", re.ASCII)


def header(columns: Sequence[str]) -> list[str]:
    """The columns of the file of refused rows, of a file that has these."""
    named = [name if name not in columns else _OURS.format(name) for name in (*BEFORE, *BEHIND)]
    return [named[0], *columns, *named[1:]]


def cell(text: str) -> str:
    """A cell of the file as it stands there."""
    return text if _NEGATIVE.fullmatch(text) else guarded(text)


def corrected(table: Table) -> Table:
    """The table as the first file had it, if this is one of refused rows; any other as it is.

    Lines are those of this file.
    """
    inner = table.columns[len(BEFORE) : -len(BEHIND)]
    if not inner or header(inner) != list(table.columns):
        return table
    return Table(f"{table.form}, refused rows", inner, lambda: _rows(table, inner))


def _rows(table: Table, columns: Sequence[str]) -> Iterator[Row]:
    for row in table.rows():
        cells = {name: _read(row.cells[name]) for name in columns if name in row.cells}
        yield Row(row.line, cells, row.fault)


def _read(cell: str) -> str:
    return cell if isinstance(cell, Number | Moment) else unguarded(cell)
