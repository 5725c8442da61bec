"""A record: as a client states it, as it waits in Redis, and the state that it stands for."""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple


class Record(NamedTuple):
    """What one POST says of a transaction, checked, on its way from the door to the queue.

    `amount` in the smallest unit; `created_at` aware, None where the client states none.
    """

    transaction_id: str
    user: int
    amount: int
    status: str
    created_at: datetime | None


# The fields of a queued record, in order, as columns of a table.
COLUMNS = "version, transaction_id, status, user_id, amount, created_at, accepted_at, request_id"

_STAMP = rb"\d{4}-[\d:.T-]{21}Z"
_STATE = (
    rb"(?P<status>PENDING|SUCCESS|FAILED)\t(?P<user>\d{1,18})\t(?P<amount>\d{1,19})"
    rb"\t(?P<created_at>\\N|%b)\t(?P<accepted_at>%b)\t(?P<request_id>[\w.-]{0,64})" % (_STAMP, _STAMP)
)
# An id as `escape` writes it: without control characters (those from U+0080 on are two bytes of UTF-8), every
# backslash doubled. It has up to 100 characters, of four bytes at the most.
_ESCAPED_ID = rb"(?=[^\t]{1,400}\t)(?![^\t]*\xc2[\x80-\x9f])[^\x00-\x1f\x7f\\]*(?:\\\\[^\x00-\x1f\x7f\\]*)*"
# A queued record of version 1: its fields, separated by tabs. It is also one line of COPY's text format, so
# the flush hands on unread what matches; PostgreSQL refuses what is no UTF-8, and too many characters.
LINE = re.compile(rb"1\t(?P<transaction_id>%b)\t(?P<state>%b)" % (_ESCAPED_ID, _STATE))
# The same with whatever stands in place of the id: of what is no record, for whoever is to put it right.
FIELDS = re.compile(rb"1\t(?P<transaction_id>[^\t\n\r]{1,400})\t(?P<state>%b)" % _STATE)
# A state in the index; with a time behind it where the transaction settled as of another than its own.
INDEXED = re.compile(rb"%b(?:\t%b)?" % (_STATE, _STAMP))
ID_CHARACTERS_MAX = 100

# What COPY's text format has for NULL: no `created_at` was stated.
ABSENT = "\\N"


class State(NamedTuple):
    """The latest accepted state of a transaction; `created_at` as given, else when it was accepted.

    `settled_as_of` is the time that the record which settled it stated, where that was another.
    """

    status: str
    user: int
    amount: int
    created_at: datetime
    accepted_at: datetime
    request_id: str
    settled_as_of: datetime | None = None


def stamp(moment: datetime) -> str:
    """An aware moment as 27 characters of UTC, in microseconds: 2026-01-31T23:59:59.000000Z."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def escape(transaction_id: str) -> str:
    """An id as it stands in Redis: the one character that COPY's text format reads otherwise, doubled.

    Ids hold no control characters, so a backslash is the only one.
    """
    return transaction_id.replace("\\", "\\\\")


def unescape(escaped: str) -> str:
    """The id that stands so in Redis."""
    return escaped.replace("\\\\", "\\")


def lines_of(records: Iterable[Record], accepted_at: str, request_id: str) -> list[str]:
    """The records of a request as they are queued; `accepted_at` as `stamp` writes it, or a placeholder."""
    rest = f"{accepted_at}\t{request_id}"
    return [
        f"1\t{escape(id)}\t{status}\t{user}\t{amount}\t{stamp(at) if at else ABSENT}\t{rest}"
        for id, user, amount, status, at in records
    ]


def state_text(
    status: str,
    user: int,
    amount: int,
    created_at: datetime,
    accepted_at: datetime,
    settled_as_of: datetime | None = None,
) -> str:
    """A state that PostgreSQL holds, as a string of the index: nobody asks there for its request's id."""
    settled = f"\t{stamp(settled_as_of)}" if settled_as_of else ""
    return f"{status}\t{user}\t{amount}\t{stamp(created_at)}\t{stamp(accepted_at)}\t{settled}"


def read_line(line: bytes) -> tuple[str, State] | None:
    """The id in a queued record and the State that it stands for; None for what is no such record."""
    found = LINE.fullmatch(line)
    if found is None or (state := _state(found["state"])) is None:
        return None
    try:
        id = unescape(found["transaction_id"].decode())
    except UnicodeDecodeError:
        return None
    return (id, state) if len(id) <= ID_CHARACTERS_MAX else None


def read_state(text: bytes) -> State | None:
    """The State that a string of the index stands for; None for what is no such string."""
    found = INDEXED.fullmatch(text)
    return None if found is None else _state(text)


def _state(text: bytes) -> State | None:
    """The State in what has its form; None where a date in it is none."""
    status, user, amount, created, accepted, request_id, *settled = text.decode().split("\t")
    try:
        accepted_at = datetime.fromisoformat(accepted)
        created_at = accepted_at if created == ABSENT else datetime.fromisoformat(created)
        as_of = datetime.fromisoformat(settled[0]) if settled else None
    except ValueError:
        return None
    return State(status, int(user), int(amount), created_at, accepted_at, request_id, as_of)
