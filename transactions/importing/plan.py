"""What would be posted of a file: found out in one pass that proves its columns, told row by row in the next."""

from collections import Counter
from collections.abc import Collection, Iterator
from collections.abc import Mapping as Found
from dataclasses import dataclass, field
from typing import Any, Protocol

from .mapping import Mapping
from .table import Table

# Of the records as they would be posted, how many a summary keeps.
FIRST_MAX = 10


class UserKeys(Protocol):
    """Whose the rows are. `by` is "key" or "name"; `wanted` are texts of the file, of at most 1,000 rows."""

    def look_up(self, wanted: Collection[str], by: str) -> Found[str, int | str]:
        """Of each who is there, or would be made, what a record's user is: the key, or as yet the name.

        Makes nobody. One that is left out is refused.
        """

    def keys(self, wanted: Collection[str], by: str) -> Found[str, int | str]:
        """The same for posting: those to be made are made."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A row and what becomes of it: the `record` to post, or a `code` and a `reason` why none is.

    `money` is the amount as the file has it, with its sign, in the smallest unit; 0 where it cannot be read.
    `reason` names the column and what would be right; the line is `line`.
    """

    line: int
    cells: dict[str, str]
    record: dict[str, Any] | None
    code: str = ""
    reason: str = ""
    money: int = 0


@dataclass(slots=True)
class Money:
    """So many rows, and the sum of their amounts in the smallest unit."""

    rows: int = 0
    sum: int = 0


@dataclass(slots=True)
class Summary:
    """What would happen. rows = records + replays + the refusals + passed_over."""

    rows: int = 0
    # To be posted and new, or settling one before; as far as the file alone can tell.
    records: int = 0
    # The same once more, of an id before.
    replays: int = 0
    # Rows that the mapping passes over.
    passed_over: int = 0
    # By reason, without what differs from row to row; conflicts of ids within the file are among them.
    refusals: Counter[str] = field(default_factory=Counter)
    # All rows whose amount can be read, with signs.
    in_file: Money = field(default_factory=Money)
    # Of the records that count above, by status; of refunds among them; of rows refused or passed over, with signs.
    by_status: dict[str, Money] = field(default_factory=dict)
    refunds: Money = field(default_factory=Money)
    refused: Money = field(default_factory=Money)
    # Words of the status's column that nobody knows, to be stated as statuses.WORD.
    unknown_statuses: Counter[str] = field(default_factory=Counter)
    first: list[Planned] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Plan:
    """A file that can be posted. `mapping` has all that the columns proved."""

    table: Table
    mapping: Mapping
    summary: Summary
    users: UserKeys

    def planned(self) -> Iterator[Planned]:
        """Each row that is not passed over, in the file's order: read anew, users made where that is asked.

        A conflict of ids within the file is not told again: the API finds it. Raises FileError.
        """
        raise NotImplementedError


def plan(table: Table, mapping: Mapping, *, users: UserKeys) -> Plan:
    """Reads the whole file once, and keeps of it a number for each id.

    Raises MappingError, FileError, and ColumnError where a column contradicts itself or what is stated, or
    cannot tell what it means.
    """
    raise NotImplementedError
