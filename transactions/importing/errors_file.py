"""Refused rows as a file: why each was refused, and the row as it stood; corrected, it is imported again.

What we say stands before the row's cells, so that a row that is too short or too long stays so. A cell that a
spreadsheet would run is guarded, and read again as it was: whoever corrects the file opens it there.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from ..spreadsheets import guarded, unguarded
from .forms import open_table
from .forms.columns import PROVED
from .mapping import MappingError, ReadAs, of_keys
from .plan import Planned
from .table import FileError, Moment, Number, Row, Table, kind_of, of_kind

# `content_id`: the id that was made of the row's content, which it keeps however it is corrected. `kinds`: a
# letter for each cell where the file held one as a number or a moment, which CSV would forget.
FRONT = ("line", "code", "reason", "content_id", "kinds")
# What a replay of a file writes around a row that it refuses.
BEFORE, BEHIND = ("line",), ("code", "reason")
# Where the file has a column of such a name itself.
_OURS = "{} (of the import)"
# A spreadsheet takes it for what it is.
_NEGATIVE = re.compile(r"-[0-9][0-9.,]*", re.ASCII)


def header(columns: Sequence[str], meant: Mapping[str, Any] | None = None) -> list[str]:
    """The columns of the file of refused rows, of a file that has these: names are guarded as cells are.

    `meant` is what the whole file has proved (`plan.Summary`). It stands in the last name of ours, where it
    stays whatever rows are taken out: alone a row may prove something else.
    """
    ours = [name if name not in columns else _OURS.format(name) for name in FRONT]
    if meant:
        ours[-1] += f" {json.dumps(meant, ensure_ascii=True)}"
    return [*map(cell, ours), *map(cell, columns)]


def written(row: Planned, code: str, reason: str) -> list[str]:
    """A refused row as a line of the file, below `header`."""
    kinds = "".join(map(kind_of, row.cells.values()))
    ours = [str(row.line), code, cell(reason), row.content_id, kinds if kinds.strip("s") else ""]
    return [*ours, *map(cell, (*row.cells.values(), *row.over))]


def cell(text: str) -> str:
    """A cell of the file as it stands there; of what no file of text holds, as JSON would write it."""
    if _NEGATIVE.fullmatch(text):
        return text
    return guarded(text.replace("\0", "\\u0000").encode("utf-8", "backslashreplace").decode())


def opened(file: Path | BinaryIO, name: str, reading: ReadAs) -> Table:
    """The table of a file that is read as it is stated; of a file of refused rows as the first file had it.

    How the first file was read is no matter of that one. Raises FileError.
    """
    return corrected(open_table(file, name, **({} if reading and _is_ours(file, name) else reading)))


def _is_ours(file: Path | BinaryIO, name: str) -> bool:
    try:
        table = open_table(file, name)
    except FileError:
        return False
    return corrected(table) is not table


def corrected(table: Table) -> Table:
    """The table as the first file had it, if this is one of refused rows; any other as it is.

    Lines are those of this file. Raises FileError where what the first one has proved was written over.
    """
    inner, found = tuple(map(unguarded, table.columns[len(FRONT) :])), _rows
    ours, proved = _ours(table.columns[: len(FRONT)])
    if not inner or header(inner) != [*ours, *table.columns[len(FRONT) :]]:
        inner, found = table.columns[len(BEFORE) : -len(BEHIND)], _rows_of_replay
        if not inner or (*BEFORE, *inner, *BEHIND) != table.columns:
            return table
        proved = ""
    form, meant = f"{table.form}, refused rows", _meant(proved, table)
    return Table(form, inner, lambda: found(table, inner), meant, table.doubt)


def _ours(columns: Sequence[str]) -> tuple[list[str], str]:
    """The columns of ours, and what the name of the last says besides."""
    last = PROVED.fullmatch(unguarded(columns[-1])) if columns else None
    return ([*columns[:-1], last["name"]], last["meant"]) if last else ([*columns], "")


def _meant(proved: str, table: Table) -> dict[str, Any]:
    try:
        meant = json.loads(proved) if proved else {}
        of_keys(meant)
    except (ValueError, AttributeError, RecursionError, MappingError):
        name = table.columns[len(FRONT) - 1]
        raise FileError(f"column {len(FRONT)}: leave the name as it was, {name[:40]!r}…") from None
    found: dict[str, Any] = meant
    return found


def _rows(table: Table, columns: Sequence[str]) -> Iterator[Row]:
    content_id, kinds = table.columns[3:5]
    written = table.columns[len(FRONT) :]
    for row in table.rows():
        letters = row.cells.get(kinds, "").strip().ljust(len(columns), "s")
        cells = {
            name: of_kind(_read(row.cells[kept]), letter)
            for name, kept, letter in zip(columns, written, letters, strict=False)
            if kept in row.cells
        }
        over = tuple(map(_read, row.over))
        yield Row(row.line, cells, row.fault, over, row.cells.get(content_id, "").strip())


def _rows_of_replay(table: Table, columns: Sequence[str]) -> Iterator[Row]:
    for row in table.rows():
        cells = {name: _read(row.cells[name]) for name in columns if name in row.cells}
        yield Row(row.line, cells, row.fault, row.over)


def _read(cell: str) -> str:
    return cell if isinstance(cell, Number | Moment) else unguarded(cell)
