"""What a file means as options of a command state it."""

import re
import shlex
from argparse import _ArgumentGroup
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from . import mapping as mappings
from .keys import DATES
from .mapping import MappingError
from .wording import said

# Options that state one key of a mapping, by the key, with what stands for the value and a word of help.
SINGLE = {
    "decimals": ("--decimals", "N", "How many decimals the smallest unit is away: 2 where it is the cent."),
    "mark": ("--decimal", "MARK", 'The decimal mark: "." or ",".'),
    "negative": ("--negative", "WHAT", "What a negative amount is: refund, failed or refuse."),
    "dates": ("--dates", "FORM", f"One of {', '.join(DATES)}; or a format, as %%d.%%m.%%Y %%H:%%M."),
    "timezone": ("--timezone", "ZONE", "Of times without an offset, as Europe/Berlin."),
}
# The same of how a file is read.
OF_READING = {
    "encoding": ("--encoding", "NAME", "Of a file of CSV or JSON, as utf-16 or latin-1."),
    "delimiter": ("--delimiter", "C", "What separates the cells of CSV: a character, or tab."),
    "header": (
        "--header-line",
        "N",
        "The line of CSV, or the row of an xlsx sheet, that names the columns, where others stand above; 0 "
        "where none does.",
    ),
    "sheet": ("--sheet", "NAME", "Of an xlsx file in which several have values."),
    "member": ("--member", "NAME", "Of a zip that holds several tables."),
}
# What a shell takes as it stands.
_PLAIN = re.compile(r"[\w.,:/@%+=…-]*")


def option(key: str, value: str | None = None) -> str:
    """How the command's options state a key, with a value or for any; as a shell wants it."""
    table, _, name = key.partition(".")
    stated = "…" if value is None else value
    if table in ("columns", "statuses"):
        return f"--{'map' if table == 'columns' else 'status'} {_quoted(f'{name}={stated}')}"
    known = SINGLE | OF_READING
    if key in known or key == "status":
        called = known[key][0] if key in known else "--status"
        return called if value is None else f"{called} {_quoted(stated)}"
    return f"--set {_quoted(f'{key}={stated}')}"


def _quoted(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else shlex.quote(text)


def add_to(parser: _ArgumentGroup, reading: _ArgumentGroup) -> None:
    """The options, those of how a file is read into a group of their own; `given` reads them."""
    for key, (option, value, told) in OF_READING.items():
        reading.add_argument(option, dest=key, metavar=value, help=told)
    parser.add_argument(
        "--mapping",
        metavar="NAME",
        help=f"A mapping's file, or a shipped one: {', '.join(mappings.shipped())}.",
    )
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="FIELD=COLUMN,…",
        help="Which column is which field: transaction_id, user, amount, status, created_at.",
    )
    for key, (option, value, told) in SINGLE.items():
        parser.add_argument(option, dest=key, metavar=value, help=told)
    parser.add_argument(
        "--status",
        action="extend",
        nargs="+",
        default=[],
        metavar="WORD=STATUS",
        help="What a word of the status's column means: PENDING, SUCCESS or FAILED. Alone it is that of "
        "rows that have none.",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="stated",
        metavar="KEY=VALUE",
        help="Any other key of a mapping, as currency=EUR.",
    )
    parser.add_argument(
        "--save", type=Path, metavar="FILE", help="Keep what the file means as a mapping, for the next one."
    )


def given(options: dict[str, Any]) -> mappings.Mapping:
    """The mapping that the options state: each of them over --mapping.

    Raises MappingError, also for a key that is stated in two ways: of two nobody knows which is meant.
    """
    found, known = mappings.Mapping(), dict[str, str]()
    for key, value in _stated(options):
        if known.setdefault(key, value) != value:
            raise MappingError(f"{said(key)}: it is stated as {known[key]} and as {value}; state one")
        found = found.stating(key, value)
    return found.over(mappings.read(options["mapping"])) if options["mapping"] else found


def _stated(options: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for text in options["map"]:
        yield from _columns(text)
    for key in (*SINGLE, *OF_READING):
        if options.get(key) is not None:
            yield key, options[key]
    for text in options["status"]:
        word, sign, status = text.rpartition("=")
        yield (f"statuses.{word}", status) if sign else ("status", status)
    for text in options["stated"]:
        key, sign, value = text.partition("=")
        if not sign:
            raise MappingError(f"--set {text}: say KEY=VALUE, as currency=EUR")
        yield key, value


def _columns(text: str) -> Iterator[tuple[str, str]]:
    """FIELD=COLUMN, and more of them behind commas; a comma may also be a column's own."""
    parts: list[str] = []
    for part in text.split(","):
        if "=" in part or not parts:
            parts.append(part)
        else:
            parts[-1] += f",{part}"
    for part in parts:
        name, sign, column = part.partition("=")
        if not sign:
            raise MappingError(f"--map {text}: say FIELD=COLUMN, as amount=Amount")
        yield f"columns.{name.strip()}", column
