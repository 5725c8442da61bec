"""What a file means: which column is which field, and how its money, words and times are read.

A mapping is kept as TOML. Whatever it leaves open is proved by the whole column, or asked.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

# What a record is made of, in the order in which the API tells them.
FIELDS = ("transaction_id", "user", "amount", "status", "created_at")
# What else a column may tell: the time of the day beside created_at, the zone of both, the currency.
BESIDE = ("time", "timezone", "currency")
NEGATIVE = ("refund", "failed", "refuse")
UNITS = ("whole", "smallest")
MARKS = (".", ",")
USERS = ("key", "name")
IDS = ("column", "content")


class MappingError(Exception):
    """A mapping that cannot be right; the message is one line that names the key and what would be right."""


@dataclass(frozen=True, slots=True)
class Mapping:
    """What a file means. An empty value is one that was not stated: it is guessed, proved or asked.

    Each name here is a key of the TOML, of `stating`, and of a question.
    """

    # From one of FIELDS or BESIDE to the file's column.
    columns: dict[str, str] = field(default_factory=dict)
    # From a status's word in the file, in any case, to PENDING, SUCCESS or FAILED.
    statuses: dict[str, str] = field(default_factory=dict)
    # From a column to the words in it with which a row is passed over.
    skip: dict[str, tuple[str, ...]] = field(default_factory=dict)
    # "column", or "content": made of what the row says, the same at every run.
    ids: str = ""
    # Further columns without which the id's own is not unique; the id is all of them, joined by "-".
    id_parts: tuple[str, ...] = ()
    # Whether the user's column has keys ("key") or usernames ("name").
    users: str = ""
    # The key or name of the one user of all rows, where no column tells.
    user: str = ""
    # How many decimals the smallest unit is away: 2 for cents.
    decimals: int | None = None
    # What a number without decimals counts: "whole" units (12 is 12.00), or the "smallest" (12 is 0.12).
    unit: str = ""
    # The decimal mark: "." or ",".
    mark: str = ""
    # What a negative amount is: a "refund" (a transaction of its own, whose id begins with refund-), one that
    # "failed", or to "refuse".
    negative: str = ""
    # The one currency whose rows are taken, as EUR.
    currency: str = ""
    # The status of rows whose status is empty, or of all where no column tells.
    status: str = ""
    # One of `columns.moments.KINDS`, or a format as strptime has it: %d.%m.%Y %H:%M.
    dates: str = ""
    # For dates that count hours or days: the moment of 0, in ISO 8601.
    since: str = ""
    # The IANA name of the zone of times that have no offset.
    timezone: str = ""
    # Whether cells are guarded against spreadsheets by an apostrophe, as in the admin's exports.
    guarded: bool = False

    def over(self, base: "Mapping") -> "Mapping":
        """This one, and of `base` what this one does not state."""
        raise NotImplementedError

    def stating(self, key: str, text: str) -> "Mapping":
        """The same with one key more, as an option or a form's field has it: an answer to a question.

        `key` is a name above, or one in a table as `columns.amount`, `statuses.Completed`, `skip.Type` (words
        separated by commas). Raises MappingError.
        """
        raise NotImplementedError

    def checked(self, columns: Collection[str]) -> "Mapping":
        """The mapping itself, if the file with these columns has what it names; else MappingError."""
        raise NotImplementedError


def read(path_or_name: Path | str) -> Mapping:
    """The mapping of a TOML file, or the shipped one of this name. Raises MappingError."""
    raise NotImplementedError


def parse(toml: str) -> Mapping:
    """The mapping of a TOML text. Raises MappingError."""
    raise NotImplementedError


def write(mapping: Mapping) -> str:
    """The mapping as TOML, which `parse` reads as the same."""
    raise NotImplementedError


def shipped() -> list[str]:
    """The names of the mappings that come with the system."""
    raise NotImplementedError
