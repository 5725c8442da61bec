"""A file read as a table: its columns by name, and its rows, as often as asked."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class FileError(Exception):
    """The file cannot be read as a table; the message is one line with the place (line, column).

    Where it holds several, `key` is that of a mapping which states one, and `choices` are those there are.
    """

    def __init__(self, message: str, key: str = "", choices: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.key, self.choices = key, tuple(choices)


class Number(str):
    """A cell that the file holds as a number: plain decimal digits, "." as the point, "-" as the sign.

    Never with an exponent.
    """

    __slots__ = ()
    FORM = re.compile(r"-?[0-9]+(?:\.[0-9]+)?", re.ASCII)


class Moment(str):
    """A cell that the file holds as a moment or a day: ISO 8601, with an offset where the file has one."""

    __slots__ = ()
    FORM = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{2}:[0-9]{2})[0-9:+ .TZ-]*", re.ASCII)


# What a cell is, as a letter where it is kept.
KINDS: dict[str, type[str]] = {"n": Number, "m": Moment, "s": str}


def kind_of(cell: str) -> str:
    """The letter among KINDS for what the file holds a cell as."""
    return "n" if isinstance(cell, Number) else "m" if isinstance(cell, Moment) else "s"


def of_kind(cell: str, kind: str) -> str:
    """A cell of that letter again; a text where it is no longer written as a number or a moment is."""
    found = KINDS.get(kind, str)
    return found(cell) if found is str or found.FORM.fullmatch(cell) else cell  # type: ignore[attr-defined]


class Row(NamedTuple):
    """A row of the file: where it is, its cells by column, and why it cannot be used ("" if it can).

    The line is the file's where the row begins. In xlsx and parquet it is the number of the row (of xlsx as
    its program shows it, so the header counts), in a JSON list or a bank's file that of the entry, from 1.
    Cells have every column of the table, "" where the file leaves it out. A row with a fault may lack some;
    `over` is what it has beyond the last column. `content_id` is the id that was made of the row's content
    when it was refused before.
    """

    line: int
    cells: dict[str, str]
    fault: str = ""
    over: tuple[str, ...] = ()
    content_id: str = ""


@dataclass(frozen=True)
class Table:
    """What a file holds.

    `form` is for people: "CSV, semicolons, UTF-16, gzip". `rows` reads the file anew each time, in memory
    that does not grow with it; of a file object only one such reading may go on at a time. It raises
    FileError where the file cannot be read on, as where it has changed since. `meant` is what the file has
    proved of which these are refused rows: keys of a mapping, and their values as TOML has them. `doubt` is a
    sentence about what was taken for granted as it was opened, "" where all of that is proved.
    """

    form: str
    columns: tuple[str, ...]
    rows: Callable[[], Iterator[Row]]
    meant: Mapping[str, Any] = field(default_factory=dict)
    doubt: str = ""
