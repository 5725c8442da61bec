"""A file read as a table: its columns by name, and its rows, as often as asked."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple


class FileError(Exception):
    """The file cannot be read as a table; the message is one line with the place (line, column)."""


class Number(str):
    """A cell that the file holds as a number: plain decimal digits, "." as the point, "-" as the sign.

    Never with an exponent.
    """

    __slots__ = ()


class Moment(str):
    """A cell that the file holds as a moment or a day: ISO 8601, with an offset where the file has one."""

    __slots__ = ()


class Row(NamedTuple):
    """A row of the file: where it is, its cells by column, and why it cannot be used ("" if it can).

    The line is the file's where the row begins. In xlsx and parquet it is the number of the row (of xlsx as
    its program shows it, so the header counts), in a JSON list or a bank's file that of the entry, from 1.
    Cells have every column of the table, "" where the file leaves it out. A row with a fault may lack some.
    """

    line: int
    cells: dict[str, str]
    fault: str = ""


@dataclass(frozen=True)
class Table:
    """What a file holds.

    `form` is for people: "CSV, semicolons, UTF-16, gzip". `rows` reads the file anew each time, in memory
    that does not grow with it; of a file object only one such reading may go on at a time. It raises
    FileError where the file cannot be read on, as where it has changed since.
    """

    form: str
    columns: tuple[str, ...]
    rows: Callable[[], Iterator[Row]]
