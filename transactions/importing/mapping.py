"""What a file means: which column is which field, and how its money, words and times are read.

A mapping is kept as TOML. Whatever it leaves open is proved by the whole column, or asked.
"""

import json
import re
import tomllib
from collections.abc import Collection
from collections.abc import Mapping as Found
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypedDict, cast

from .. import money, names
from . import keys
from .keys import BESIDE, COUNTED, COUNTED_FROM, FIELDS, lacks_year
from .wording import as_key, named_by, said

SHIPPED = Path(__file__).parent / "mappings"
# Bytes of a whole file: no person writes more.
BYTES_MAX = 256 * 1024
# Of a file's columns, how many a sentence names.
COLUMNS_TOLD_MAX = 30
_BARE = re.compile("[A-Za-z0-9_-]+")
# Of each table an entry, as an example.
_ENTRIES = {
    "columns": "columns.amount",
    "statuses": "statuses.Paid",
    "skip": "skip.Type",
    "refunds": "refunds.Type",
}


class MappingError(Exception):
    """A mapping that cannot be right; the message is one line that names the key and what would be right."""


class ReadAs(TypedDict, total=False):
    """How a file is read, as far as it is stated."""

    encoding: str
    delimiter: str
    header: int
    sheet: str
    member: str


@dataclass(frozen=True, slots=True)
class Mapping:
    """What a file means. An empty value is one that was not stated: it is guessed, proved or asked.

    Each name here is a key: of the TOML, of an option or a form's field, of a question.
    """

    # From one of FIELDS or BESIDE to the file's column; "" where none is to be looked for.
    columns: dict[str, str] = field(default_factory=dict)
    # From a status's word in the file, in any case, to PENDING, SUCCESS or FAILED.
    statuses: dict[str, str] = field(default_factory=dict)
    # From a column to the words in it with which a row is passed over.
    skip: dict[str, tuple[str, ...]] = field(default_factory=dict)
    # From a column to the words in it of which an amount without a minus has gone the other way, as refunds.
    refunds: dict[str, tuple[str, ...]] = field(default_factory=dict)
    # Of the columns of `skip`, those that a file may lack: nothing is passed over by them then.
    optional: tuple[str, ...] = ()
    # "column", or "content": made of what the row says, the same at every run.
    ids: str = ""
    # Further columns without which the id's own is not unique; the id is all of them, joined by "-". Of ids
    # made of content: the columns of which they are made, where it is not all but those of a status.
    id_parts: tuple[str, ...] = ()
    # Whether the user's column has keys ("key") or usernames ("name").
    users: str = ""
    # The key or name of whose the rows are whose user is empty, or all where no column tells.
    user: str = ""
    # How many decimals the file's smallest unit is away: 2 for cents. Amounts are kept in CURRENCY's.
    decimals: int | None = None
    # What a number without decimals counts: "whole" units (12 is 12.00), or the "smallest" (12 is 0.12).
    unit: str = ""
    # The decimal mark: "." or ",".
    mark: str = ""
    # What a negative amount is: a "refund" (a transaction of its own), one that "failed", or to "refuse". The
    # id begins with refund- either way.
    negative: str = ""
    # The one currency whose rows are taken, as EUR.
    currency: str = ""
    # The status of rows whose status is empty, or of all where no column tells.
    status: str = ""
    # One of DATES, or a format as strptime has it: %d.%m.%Y %H:%M.
    dates: str = ""
    # For dates that count: the moment of 0, in ISO 8601; without it seconds and less count from 1970.
    since: str = ""
    # The IANA name of the zone of times that have no offset.
    timezone: str = ""
    # Whether cells are guarded against spreadsheets by an apostrophe, as in the admin's exports.
    guarded: bool | None = None

    # --- How the file is read, where it does not show it or holds several tables.
    # Of CSV and JSON, a name that Python knows; of CSV, what separates the cells.
    encoding: str = ""
    delimiter: str = ""
    # The line of CSV, or the row of a sheet, that names the columns; 0 where none does.
    header: int | None = None
    # Which sheet of an xlsx file, and which member of a zip.
    sheet: str = ""
    member: str = ""

    @property
    def reading(self) -> "ReadAs":
        """What is stated of how the file is read, as opening the file takes it."""
        stated = {name: getattr(self, name) for name in keys.READING}
        return cast("ReadAs", {name: value for name, value in stated.items() if _is_stated(value)})

    def read_as(self, other: "Mapping") -> "Mapping":
        """The same, read as the other states it."""
        return replace(self, **{name: getattr(other, name) for name in keys.READING})

    def lacking(self, columns: Collection[str]) -> list[str]:
        """The columns by which rows would be passed over and that a file with these has not."""
        return [column for column in self.skip if column not in columns]

    @property
    def named(self) -> dict[str, str]:
        """From field to column, of those that have one."""
        return {field: column for field, column in self.columns.items() if column}

    def passes_over(self, cells: dict[str, str]) -> bool:
        """Whether a row with these cells is not looked at."""
        return any(cells.get(column, "").strip() in words for column, words in self.skip.items())

    def over(self, base: "Mapping") -> "Mapping":
        """This one, and of `base` what this one does not state."""
        found: dict[str, Any] = {}
        for each in fields(self):
            mine, below = getattr(self, each.name), getattr(base, each.name)
            if isinstance(mine, dict):
                found[each.name] = {**below, **mine}
            else:
                found[each.name] = mine if _is_stated(mine) else below
        return Mapping(**found)

    def stating(self, key: str, text: str) -> "Mapping":
        """The same with one key more, as an option or a form's field has it: an answer to a question.

        `key` is a name above, or one of a table behind the table's name and a point: of columns a field, of
        statuses a word, of skip and refunds a column, whose words are separated by commas. Raises
        MappingError.
        """
        return self.holding(key, keys.typed(key, text))

    def holding(self, key: str, value: object) -> "Mapping":
        """The same with one key more, its value as TOML has it. Raises MappingError."""
        table, dot, name = key.partition(".")
        if dot and table in keys.TABLES:
            entries: Any = {**getattr(self, table), name: _entry(table, name, value)}
            return replace(self, **{table: entries})
        if key not in keys.VALUES:
            kind = f"a table, as {said(_ENTRIES[key])}" if key in keys.TABLES else "unknown"
            raise MappingError(
                f"{said(key)}: it is {kind}{names.suggestion(key, (*keys.VALUES, *keys.TABLES))}"
            )
        try:
            return replace(self, **{key: keys.VALUES[key](value)})
        except ValueError as error:
            raise MappingError(f"{said(key)}: {error}") from None

    def fitting(self, columns: Collection[str]) -> "Mapping":
        """The mapping itself, if the file with these columns has what it names; else MappingError."""
        named = [(f"columns.{name}", column) for name, column in self.named.items()]
        named += [("id_parts", column) for column in self.id_parts]
        named += [(f"refunds.{column}", column) for column in self.refunds]
        for column in self.skip:
            if column not in columns and column not in self.optional:
                raise MappingError(
                    f"{said(f'skip.{column}')}: the file has no column “{names.shortened(column)}” by which "
                    "rows are passed over: state it as optional if no row of this file is to be "
                    f"({said('optional', ','.join((*self.optional, column)))})"
                )
        for key, column in named:
            if column not in columns:
                known = names.suggestion(
                    column, [names.shortened(each) for each in columns][:COLUMNS_TOLD_MAX]
                )
                raise MappingError(f"{said(key)}: the file has no column “{names.shortened(column)}”{known}")
        return self

    def checked(self, columns: Collection[str]) -> "Mapping":
        """The same, once nothing is missing; MappingError also where what it says does not go together."""
        self.fitting(columns)
        of_column = self.ids == "column" or (self.id_parts and self.ids != "content")
        if of_column and "transaction_id" not in self.named:
            raise MappingError(
                f"{said('ids')}: {said('columns.transaction_id')} has to name the column of the ids"
            )
        if "amount" in self.named and ("debit" in self.named or "credit" in self.named):
            raise MappingError(
                f"{said('columns.amount')}: it is one column, or {said('columns.debit')} and "
                f"{said('columns.credit')} are"
            )
        if ("debit" in self.named) != ("credit" in self.named):
            raise MappingError(
                f"{said('columns.debit')}: it goes with {said('columns.credit')}; one column alone is "
                f"{said('columns.amount')}"
            )
        if "refund_user" in self.named and "user" not in self.named:
            raise MappingError(
                f"{said('columns.refund_user')}: it goes with {said('columns.user')}, for amounts that are "
                "negative"
            )
        if "direction" in self.named and "amount" not in self.named:
            raise MappingError(
                f"{said('columns.direction')}: it tells of {said('columns.amount')} whether it is a "
                "debit or a credit"
            )
        if self.since and self.dates not in COUNTED_FROM and not lacks_year(self.dates):
            raise MappingError(
                f"{said('since')}: it belongs to dates that count ({', '.join(COUNTED_FROM)}), and to "
                "those without a year"
            )
        if lacks_year(self.dates) and not self.since:
            raise MappingError(
                f"{said('since')}: dates as {self.dates} say no year; state the first that they may be, as "
                "2026-01-01T00:00:00Z"
            )
        if self.dates in COUNTED and not self.since:
            raise MappingError(
                f"{said('since')}: dates that count {self.dates} need the moment from which they do"
            )
        if self.currency and (right := money.code()) and self.currency != right:
            raise MappingError(
                f"{said('currency')}: it is {self.currency}, and amounts here are in {right} (CURRENCY): "
                f"state {right}, or none"
            )
        return self


def read(path_or_name: Path | str) -> Mapping:
    """The mapping of a TOML file, or the shipped one of this name. Raises MappingError."""
    with named_by(as_key):
        return _read(path_or_name)


def _read(path_or_name: Path | str) -> Mapping:
    path = Path(path_or_name)
    if str(path_or_name) in shipped():
        path = SHIPPED / f"{path_or_name}.toml"
    elif path.suffix != ".toml" and not path.exists():
        known = names.suggestion(str(path_or_name), shipped())
        raise MappingError(f"no mapping is called “{path_or_name}”{known}")
    try:
        with path.open("rb") as source:
            text = source.read(BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        raise MappingError(f"{path}: {getattr(error, 'strerror', None) or error}") from None
    if len(text) > BYTES_MAX:
        raise MappingError(f"{path}: a mapping has at most {BYTES_MAX:,} bytes")
    try:
        return parse(text.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise MappingError(f"{path}: this is not UTF-8") from None
    except MappingError as error:
        raise MappingError(f"{path}: {error}") from None


def parse(toml: str) -> Mapping:
    """The mapping of a TOML text. Raises MappingError."""
    try:
        stated = tomllib.loads(toml)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise MappingError(f"this is no TOML: {error}") from None
    return of_keys(stated)


def of_keys(stated: Found[str, Any]) -> Mapping:
    """The mapping of these keys with their values as TOML has them. Raises MappingError."""
    mapping = Mapping()
    for key, value in stated.items():
        if key not in keys.TABLES:
            mapping = mapping.holding(key, value)
        elif not isinstance(value, dict):
            raise MappingError(f"{said(key)}: it is a table, [{key}]")
        else:
            for name, inner in value.items():
                mapping = mapping.holding(f"{key}.{name}", inner)
    return mapping


def write(mapping: Mapping) -> str:
    """The mapping as TOML, which `parse` reads as the same."""
    lines, tables = [], []
    for each in fields(mapping):
        value = getattr(mapping, each.name)
        if not _is_stated(value):
            continue
        if isinstance(value, dict):
            tables += ["", f"[{each.name}]", *(f"{_key(name)} = {_toml(it)}" for name, it in value.items())]
        else:
            lines.append(f"{each.name} = {_toml(value)}")
    return "\n".join([*lines, *tables]).strip("\n") + "\n"


def shipped() -> list[str]:
    """The names of the mappings that come with the system."""
    return sorted(path.stem for path in SHIPPED.glob("*.toml"))


def _is_stated(value: Any) -> bool:
    return value not in ("", None, (), {})


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _quoted(name)


def _toml(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(map(_quoted, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int) else _quoted(value)


def _quoted(text: str) -> str:
    # JSON's strings are TOML's, but for the one control character that JSON leaves as it is.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _entry(table: str, name: str, value: object) -> Any:
    if table == "columns" and name not in (*FIELDS, *BESIDE):
        raise MappingError(
            f"{said(f'columns.{name}')}: it is no field{names.suggestion(name, (*FIELDS, *BESIDE))}"
        )
    if table == "columns" and value == "":
        return ""
    if not name.strip():
        says = {"statuses": f"a word in front; what an empty status means is said by {said('status')}"}
        raise MappingError(f"{table}: it has {says.get(table, 'a name of a column behind the point')}")
    try:
        return keys.TABLES[table](value)
    except ValueError as error:
        raise MappingError(f"{said(f'{table}.{name}')}: {error}") from None
