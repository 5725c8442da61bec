"""Reading a CSV file of transactions row by row, however long it is."""

import csv
import io
from collections.abc import Generator, Iterator, Sequence
from typing import BinaryIO, NamedTuple

from ..fields import user_key

COLUMNS = ("transaction_id", "user", "amount", "status", "created_at")


class ReplayFileError(Exception):
    """The file is no table of transactions; the message is one line, with the line and the column."""


class ReplayRow(NamedTuple):
    """A row of the file: the line where it begins, its cells, and why it cannot be posted ("" if it can)."""

    line: int
    cells: dict[str, str]
    fault: str = ""

    def record(self) -> dict[str, str]:
        """What is posted of it: an empty cell is a field that was not given.

        Of a user's key like 13085.0 the whole number. Never of an amount: which unit a point stands in, the
        file's owner knows.
        """
        given = {name: cell for name, cell in self.cells.items() if cell}
        if "user" in given:
            given["user"] = self.user()
        return given

    def user(self) -> str:
        """The user's key, as whole as the API wants it; "" where none is given."""
        text = self.cells["user"]
        return str(user_key(text) or text)


def rows(source: BinaryIO) -> Generator[ReplayRow]:
    """The rows of a UTF-8 CSV file with a header that names COLUMNS, in any order.

    A byte order mark, CRLF and empty lines are let pass. Raises ReplayFileError for a header that is
    none, at the first row, and for quotes that do not match, where they stand.
    """
    # Bytes that are no UTF-8 are kept, and told with their row.
    text = io.TextIOWrapper(source, encoding="utf-8-sig", errors="surrogateescape", newline="")
    try:
        found = _cells(text)
        line, header = next(found, (1, []))
        names = _names(line, header)
        for line, cells in found:
            yield ReplayRow(line, dict(zip(names, cells, strict=False)), _fault(names, cells))
    finally:
        # The file is the caller's to close.
        text.detach()


def _cells(text: io.TextIOWrapper) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not empty, with the number of the line on which it begins."""
    reader = csv.reader(text, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise ReplayFileError(f"line {line}: {error} (in the row that begins there)") from None
        if cells is None:
            return
        if any(cell.strip() for cell in cells) or len(cells) > 1:
            yield line, cells


def _names(line: int, header: Sequence[str]) -> list[str]:
    names = [name.strip() for name in header]
    expected = f"expected the header {','.join(COLUMNS)}"
    for number, name in enumerate(names, start=1):
        if name not in COLUMNS:
            raise ReplayFileError(
                f"line {line}, column {number}: {name!r} belongs to no transaction; {expected}"
            )
        if name in names[: number - 1]:
            raise ReplayFileError(
                f"line {line}, column {number}: {name!r} is there a second time; {expected}"
            )
    for name in COLUMNS:
        if name not in names:
            raise ReplayFileError(f"line {line}: the column {name!r} is missing; {expected}")
    return names


def _fault(names: Sequence[str], cells: Sequence[str]) -> str:
    if len(cells) < len(names):
        return f"column {names[len(cells)]} is missing: {len(cells)} columns where {len(names)} are expected"
    if len(cells) > len(names):
        return f"column {len(names) + 1} is too many: {cells[len(names)][:50]!r}"
    for name, cell in zip(names, cells, strict=True):
        if not cell.isascii() and any("\ud800" <= character <= "\udfff" for character in cell):
            return f"column {name} is not UTF-8"
    return ""
