"""CSV: with a comma, a semicolon, a tab or a pipe, in whatever encoding."""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from io import TextIOWrapper
from itertools import chain, islice

from transactions.importing.forms.charset import LINE_MAX, Charset, charset_of, opened_text
from transactions.importing.forms.columns import (
    RowFaults,
    first_rows_names,
    header_at,
    is_of_refusals,
    named,
    numbered,
)
from transactions.importing.forms.source import Source
from transactions.importing.table import FileError, Row, Table
from transactions.importing.wording import said

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "pipes"}
# One row, over however many lines a quoted cell may go.
ROW_MAX = 1 << 22
_ROWS_LOOKED_AT = 200
# Excel's own word on the delimiter, as the first line.
_SEP = re.compile(r"sep=(.)\s*", re.IGNORECASE)


def read(
    source: Source, encoding: str | None = None, delimiter: str | None = None, stated: int | None = None
) -> Table:
    """The table of a CSV file; encoding, delimiter and the `stated` line of the header, or as the file shows.

    What stands above the header, as banks have it, is no part of the table. Raises FileError.
    """
    charset = charset_of(source, encoding)
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n\0'):
        raise FileError(f"{source.name}: {delimiter!r} is no delimiter; it is one character, as ; or a tab")
    with opened_text(source, charset) as text:
        lines = list(islice(_lines(text, source.name), _ROWS_LOOKED_AT))
    sep = _SEP.fullmatch(lines[0]) if lines else None
    first = 1 + bool(sep)
    if sep:
        del lines[0]
    begin = stated or first
    if stated and not first <= begin < first + len(lines):
        most = f"{first} to {first + len(lines) - 1}"
        raise FileError(
            f"{source.name}: line {stated} is no header that is looked at: state one of {most} "
            f"({said('header')})"
        )
    del lines[: begin - first]
    found = delimiter or (sep and sep[1]) or ("," if _is_of_refusals(lines) else _told(lines, source.name))
    sample = _sample(lines, found, source.name, begin)
    # Where the first row alone cannot be read, reading it again says why.
    at = header_at(sample) if stated is None else 0
    line, header = sample[at] if sample else next(_cells(iter(lines), found, source.name, begin), (1, []))
    if stated == 0:
        header, columns = [], numbered(len(cells) for _, cells in sample)
    else:
        columns = (named if stated else first_rows_names)(header, source.name, f"line {line}")

    def rows() -> Iterator[Row]:
        with opened_text(source, charset) as text:
            again = _lines(text, source.name)
            # Lines above the header are not read as rows: a quote among them may be open.
            for _ in range(line - 1):
                next(again, None)
            cells = _cells(again, found, source.name, line)
            if header:
                next(cells, None)
            faults = RowFaults(columns, header)
            for number, row in cells:
                fault = faults.of(number, row)
                cells_by_name = dict(zip(columns, row, strict=False))
                yield Row(number, cells_by_name, fault, over=tuple(row[len(columns) :]))

    form = _form(charset, found, source)
    told = ", no header" if stated == 0 else f", header on line {line}" if at or stated else ""
    return Table(form + told, columns, rows, doubt=charset.doubt())


def _is_of_refusals(lines: list[str]) -> bool:
    """Whether they are of refused rows, with commas: what is told there may hold any other delimiter."""
    return bool(lines) and is_of_refusals(lines[0].split(","))


def _form(charset: Charset, delimiter: str, source: Source) -> str:
    words = DELIMITERS.get(delimiter, f"delimiter {delimiter!r}")
    return ", ".join(("CSV", words, charset.words, *source.packed))


def _lines(text: TextIOWrapper, name: str) -> Iterator[str]:
    """The lines with their ends. Raises FileError for one that would fill the memory."""
    number = 0
    while line := text.readline(LINE_MAX):
        number += 1
        if len(line) == LINE_MAX and not line.endswith(("\n", "\r")):
            raise FileError(f"{name}: line {number} is longer than {LINE_MAX:,} characters")
        yield line


def _cells(lines: Iterator[str], delimiter: str, name: str, first: int) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not blank, with the number of the line on which it begins. Raises FileError."""
    size, count = 0, first - 1

    def counted() -> Iterator[str]:
        nonlocal size, count
        for line in lines:
            size, count = size + len(line), count + 1
            if size > ROW_MAX:
                raise FileError(
                    f"{name}: line {begin}: the row that begins there does not end; is a quote open?"
                )
            yield line

    reader = csv.reader(counted(), delimiter=delimiter, strict=True)
    begin = first
    while True:
        size, begin = 0, count + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise FileError(f"{name}: line {begin}: {error} (in the row that begins there)") from None
        if cells is None:
            return
        if any(cell.strip() for cell in cells):
            yield begin, cells


def _told(lines: list[str], name: str) -> str:
    """The delimiter that gives the most rows as many cells as the header; none at all is a comma.

    Raises FileError where two do equally well.
    """
    scores: Counter[str] = Counter()
    for delimiter in DELIMITERS:
        sample = _sample(lines, delimiter, name)
        rows = [cells for _, cells in sample[header_at(sample) :]]
        width = len(rows[0]) if rows else 0
        # Half a quote in a name: the delimiter stands within a quoted cell.
        if width > 1 and not any(cell.count('"') % 2 for cell in rows[0]):
            # A row counts a thousand cells: how many rows fit comes before how many cells they have.
            fitting = sum(len(row) == width for row in rows) / len(rows)
            scores[delimiter] = round(1000 * fitting) * 1000 + width
    if not scores:
        # One column: the first that is in none of its cells.
        return next((each for each in DELIMITERS if not any(each in line for line in lines)), ",")
    best, *others = scores.most_common()
    if others and others[0][1] == best[1]:
        either = f"{DELIMITERS[best[0]]} or {DELIMITERS[others[0][0]]}"
        raise FileError(
            f"{name}: cells are separated by {either}, and both would do; say which delimiter it is "
            f"({said('delimiter')})"
        )
    return best[0]


def _sample(lines: list[str], delimiter: str, name: str, first: int = 1) -> list[tuple[int, list[str]]]:
    """The rows as far as they can be read so; the last may be cut off by the end of the sample."""
    rows: list[tuple[int, list[str]]] = []
    with suppress(FileError):
        rows.extend(_cells(chain(lines), delimiter, name, first))
    return rows
