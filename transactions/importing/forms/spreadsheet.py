"""Excel's files: one sheet, row by row, with the values that its formulas had."""

import datetime as dt
import re
import warnings
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, NamedTuple
from xml.etree.ElementTree import Element, ParseError, iterparse

from defusedxml.common import DefusedXmlException
from openpyxl.reader.excel import ExcelReader
from openpyxl.styles.stylesheet import apply_stylesheet
from openpyxl.utils.exceptions import InvalidFileException
from openpyxl.worksheet._reader import ROW_TAG, WorkSheetParser

from transactions.importing.forms.columns import (
    COLUMNS_MAX,
    RowFaults,
    first_rows_names,
    header_at,
    named,
    numbered,
)
from transactions.importing.forms.numbers import number_of_spreadsheet
from transactions.importing.forms.source import DAMAGED, PORTION, Metered, Source, seekable, told_names
from transactions.importing.table import FileError, Moment, Row, Table
from transactions.importing.wording import said

# Excel's own bound.
ROWS_MAX = 1_048_576
SHEET_MAX = 1 << 31
# Of all sheets together, and so how long it takes to look which of them has values.
SHEETS_MAX = 1 << 32
# openpyxl holds all texts of the sheets at once.
TEXTS_MAX = 1 << 26
_OVERLAP = 1 << 10
_ROWS_LOOKED_AT = 200
_VALUE = re.compile(rb"<(?:\w+:)?(?:v|t)[ >]")
# A formula that no program has reckoned: Excel does when it opens the file and saves it.
_NOT_RECKONED = re.compile(
    rb"(?:</(?:\w+:)?f>|<(?:\w+:)?f(?: [^<>]*)?/>)\s*(?:<(?:\w+:)?v\s*/>\s*)?</(?:\w+:)?c>"
)
_CELL = re.compile(rb"<(?:\w+:)?c [^<>]*?\br=[\"']([A-Z]{1,3}[0-9]{1,7})[\"']")
_DOCTYPE = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_WRONG = (
    *DAMAGED, InvalidFileException, DefusedXmlException, ParseError,
    TypeError, IndexError, AttributeError, OSError,
)  # fmt: skip


class _Sheet(NamedTuple):
    """A sheet of an open file."""

    reader: ExcelReader
    title: str
    path: str


def read(source: Source, sheet: str | None = None, stated: int | None = None) -> Table:
    """The table of an xlsx file: of the `sheet`, or of the only one with values.

    `stated` is the header's row. What stands above the header is no part of the table. Raises FileError.
    """
    source = seekable(source)
    with _opened(source, sheet) as opened:
        # Blank rows behind the last value are not read.
        end = _last_value(opened, source.name)
        title = opened.title
    first = list(islice(_rows(source, title, end), _ROWS_LOOKED_AT))
    at = _header_at(first, stated, source.name)
    number, header = first[at] if first else (1, [])
    if stated == 0:
        at, columns = -1, numbered(len(cells) for _, cells in first)
    else:
        columns = (named if stated else first_rows_names)(header, source.name, f"row {number}")

    def rows() -> Iterator[Row]:
        faults = RowFaults(columns, [] if stated == 0 else header)
        for number_here, cells in islice(_rows(source, title, end), at + 1, None):
            cells += [""] * (len(columns) - len(cells))
            yield Row(
                number_here,
                dict(zip(columns, cells, strict=False)),
                _fault(columns, cells) or faults.of(number_here, cells),
            )

    words = ["Excel", f"sheet {title!r}", *source.packed]
    said = ["no header"] if stated == 0 else [f"header in row {number}"] * bool(at or stated)
    return Table(", ".join(words + said), columns, rows)


def _header_at(first: list[tuple[int, list[str]]], stated: int | None, name: str) -> int:
    if not stated:
        return header_at(first, even=False)
    found = [place for place, (number, _) in enumerate(first) if number == stated]
    if not found:
        looked = f"rows {first[0][0]} to {first[-1][0]} have values" if first else "the sheet is empty"
        raise FileError(f"{name}: row {stated} is no header: {looked}")
    return found[0]


@contextmanager
def _opened(source: Source, title: str | None) -> Iterator[_Sheet]:
    """The sheet called so, or the only one with values, step by step.

    load_workbook would read each sheet whole that does not say how large it is.
    Whatever is wrong with the file is a FileError, without its content.
    """
    # They tell of what a table does not have (charts, formats, conditions), and of values.
    warnings.filterwarnings("ignore", module=r"openpyxl\.")
    with source.open() as file:
        try:
            _check_sizes(file, source.name)
            reader = ExcelReader(file, read_only=True, data_only=True, keep_links=False)
            reader.read_manifest()
            reader.read_strings()
            reader.read_workbook()
            apply_stylesheet(reader.archive, reader.wb)
            found = [(each, rel) for each, rel in reader.parser.find_sheets() if each.state == "visible"]
            sheets = [(each.name, rel.target) for each, rel in found if "worksheet" in rel.Type]
            if not sheets:
                raise FileError(f"{source.name}: no sheet is shown")
            yield _chosen(reader, sheets, title, source.name)
        except _WRONG as error:
            kind = type(error).__name__
            raise FileError(f"{source.name}: the Excel file is cut off or damaged ({kind})") from None


def _chosen(reader: ExcelReader, shown: list[tuple[str, str]], title: str | None, name: str) -> _Sheet:
    """The sheet that is stated, or else the only one in which there is a value. Raises FileError."""
    titles = [each for each, _ in shown]
    if title is not None:
        found = [_Sheet(reader, *each) for each in shown if each[0] == title]
        if not found:
            raise FileError(f"{name}: no sheet is called {title!r}; it has {told_names(titles)}")
        return found[0]
    filled = [each for each in shown if len(shown) == 1 or _has_values(reader, each[1])] or shown[:1]
    if len(filled) > 1:
        told = told_names([each for each, _ in filled])
        raise FileError(
            f"{name}: {len(filled):,} sheets have values ({told}); state the one to import ({said('sheet')})",
            "sheet",
            [each for each, _ in filled],
        )
    return _Sheet(reader, *filled[0])


def _has_values(reader: ExcelReader, path: str) -> bool:
    """Whether a cell of the sheet holds anything, by its bytes."""
    rest = b""
    with reader.archive.open(path) as raw:
        while portion := raw.read(PORTION):
            if _VALUE.search(rest + portion):
                return True
            rest = portion[-_OVERLAP:]
    return False


def _check_sizes(file: Any, name: str) -> None:
    with zipfile.ZipFile(file) as packed:
        parts = packed.infolist()
        sheets = sum(part.file_size for part in parts if "/worksheets/" in part.filename)
        if sheets > SHEETS_MAX:
            raise FileError(
                f"{name}: the sheets have {sheets >> 20:,} MiB once unpacked; save the one to import as CSV"
            )
        for part in parts:
            if part.file_size > (SHEET_MAX if "/worksheets/" in part.filename else TEXTS_MAX):
                told = (
                    f"{part.filename} has {part.file_size >> 20:,} MiB once unpacked; save the sheet as CSV"
                )
                raise FileError(f"{name}: {told}")
    file.seek(0)


def _last_value(sheet: _Sheet, name: str) -> int:
    """At which byte of the sheet's XML its last value is. Reading bytes takes a fraction of reading cells."""
    rest, start, last = b"", 0, 0
    with sheet.reader.archive.open(sheet.path) as raw:
        while portion := raw.read(PORTION):
            text = rest + portion
            if _DOCTYPE.search(text) or text.startswith((b"\xff\xfe", b"\xfe\xff")):
                raise FileError(
                    f"{name}: the sheet's XML has what no program writes (a document type, UTF-16)"
                )
            if wrong := _NOT_RECKONED.search(text):
                cells = _CELL.findall(text, 0, wrong.start())
                where = f"cell {cells[-1].decode()} of sheet {sheet.title!r}: " if cells else ""
                told = "a formula has no value yet; open the file in a spreadsheet program and save it"
                raise FileError(f"{name}: {where}{told}")
            for match in _VALUE.finditer(text):
                last = start + match.start()
            rest = text[-_OVERLAP:]
            start += len(text) - len(rest)
    return last


def _rows(source: Source, title: str, end: int) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not blank, with its number."""
    with _opened(source, title) as sheet, sheet.reader.archive.open(sheet.path) as raw:
        book, metered, before = sheet.reader.wb, Metered(raw, source.name), 0
        parser = WorkSheetParser(
            metered,
            sheet.reader.shared_strings,
            data_only=True,
            epoch=book.epoch,
            date_formats=book._date_formats,
            timedelta_formats=book._timedelta_formats,
        )
        parents: list[Element] = []
        for event, element in iterparse(metered, ("start", "end")):
            if event == "start":
                parents.append(element)
                continue
            parents.pop()
            if element.tag != ROW_TAG:
                continue
            number, cells = parser.parse_row(element)
            # What was read is let go of, also by what it stood in.
            parents[-1].clear()
            parser.row_dimensions.clear()
            metered.let_go()
            if number > ROWS_MAX or number <= before:
                raise FileError(
                    f"{source.name}: row {number:,}: a sheet has {ROWS_MAX:,} rows, one after the other"
                )
            before = number
            texts = _texts(cells)
            if any(text.strip() for text in texts):
                yield number, texts
            if metered.given - PORTION > end:
                return


def _texts(cells: list[dict[str, Any]]) -> list[str]:
    texts: list[str] = []
    for cell in cells:
        if cell["value"] is None:
            continue
        column = cell["column"]
        if column > COLUMNS_MAX:
            raise ValueError("too many columns")
        texts += [""] * (column - len(texts))
        texts[column - 1] = _text(cell["value"], cell["data_type"])
    return texts


class _Wrong(str):
    """What a cell has instead of a value: #N/A and the like."""

    __slots__ = ()


class _TooLong(str):
    """A number of which the file has not all digits, or more than it shows."""

    __slots__ = ()


def _text(value: Any, kind: str) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if kind == "e":
        return _Wrong(value)
    if isinstance(value, int | float):
        return number_of_spreadsheet(value) or _TooLong(value)
    if isinstance(value, dt.datetime):
        return Moment(
            value.isoformat(" ", "milliseconds" if value.microsecond else "seconds").replace(" ", "T")
        )
    if isinstance(value, dt.date | dt.time):
        return Moment(value.isoformat())
    return str(value)


def _fault(columns: tuple[str, ...], cells: list[str]) -> str:
    """Why a value of a row is none; "" if all are."""
    for name, cell in zip(columns, cells, strict=False):
        if isinstance(cell, _Wrong):
            return f"column {name!r} holds {str(cell)[:50]!r}, which is no value"
        if isinstance(cell, _TooLong):
            return (
                f"column {name!r} has a number of more than 15 digits, of which a spreadsheet keeps no more: "
                "write it as a text"
            )
    return ""
