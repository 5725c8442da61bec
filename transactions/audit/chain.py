"""Whether the trail is what was written: each entry's hash is over itself and the hash before.

Reckoned here and not by PostgreSQL's function, which whoever changes rows could change as well. Who
changes a row and everything after it, the head too, is found by a head that was kept elsewhere.
"""

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from django.db import connection

from .models import Entry

FIRST_PREVIOUS = "0" * 64
# Entries that are read at a time.
PORTION = 5_000
# In the order in which the hash is over them.
FIELDS = (
    "number", "at", "action", "actor", "actor_id", "via", "token", "address", "request_id",
    "target", "target_id", "reason", "details", "previous",
)  # fmt: skip

SELECT_HEAD = "SELECT number, hash FROM audit_head"
# Purpose: entries that are past the head, or not in the chain at all.
SELECT_BEYOND = """
    SELECT count(*), min(number) FROM audit_entry
     WHERE number IS NULL OR hash IS NULL OR number > (SELECT number FROM audit_head)
"""
_HEAD = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})")


class Head(NamedTuple):
    """The last entry's number and hash; number 0 while there is none."""

    number: int
    hash: str

    def __str__(self) -> str:
        return f"{self.number}:{self.hash}"


class ChainBroken(Exception):
    """The trail is not what was written; says where that shows first."""


def moment_text(moment: datetime) -> str:
    """A moment as the hash has it: UTC, with all six digits of the microseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def hash_of(entry: Entry) -> str:
    """The hash of an entry, over FIELDS as netstrings."""
    digest = hashlib.sha256()
    for name in FIELDS:
        value = getattr(entry, name)
        text = moment_text(value) if isinstance(value, datetime) else "" if value is None else str(value)
        encoded = text.encode()
        digest.update(b"%d:%b," % (len(encoded), encoded))
    return digest.hexdigest()


def parse_head(text: str) -> Head:
    """A head as `str` writes it. Raises ValueError."""
    found = _HEAD.fullmatch(text)
    if found is None:
        raise ValueError(text)
    return Head(int(found[1]), found[2])


def check(kept: Head | None = None) -> Head:
    """The head of a trail that is whole. Raises ChainBroken, django.db.Error.

    With a head that was `kept` from an earlier check, that entry must still be what it was.
    """
    head = _head()
    last = Head(0, FIRST_PREVIOUS)
    seen = kept is None or kept == last
    for entry in _up_to(head.number):
        if entry.number != last.number + 1:
            raise ChainBroken(_missing(last.number + 1, entry.number))
        if entry.previous != last.hash:
            raise ChainBroken(f"Entry {entry.number} does not follow the entry before it.")
        if entry.hash != hash_of(entry):
            raise ChainBroken(f"Entry {entry.number} is not what was written.")
        last = Head(entry.number, entry.hash)
        if kept is not None and kept.number == last.number:
            if kept != last:
                raise ChainBroken(f"Entry {last.number} is another one than the head that was kept.")
            seen = True
    if last.number != head.number:
        raise ChainBroken(_missing(last.number + 1, head.number + 1))
    if last != head:
        raise ChainBroken(f"Entry {last.number} is another one than the head says.")
    _check_beyond()
    if not seen:
        raise ChainBroken(f"The trail ends at entry {last.number}, before the head that was kept.")
    return head


def _head() -> Head:
    with connection.cursor() as cursor:
        cursor.execute(SELECT_HEAD)
        row = cursor.fetchone()
    if row is None:
        raise ChainBroken("The head of the trail is missing.")
    return Head(*row)


def _up_to(number: int) -> Iterator[Entry]:
    last = -1
    entries = Entry.objects.filter(number__lte=number).order_by("number")
    while found := list(entries.filter(number__gt=last)[:PORTION]):
        yield from found
        last = found[-1].number


def _missing(first: int, after: int | None) -> str:
    if after is None or after - 1 == first:
        return f"Entry {first} is missing."
    return f"Entries {first} to {after - 1} are missing."


def _check_beyond() -> None:
    with connection.cursor() as cursor:
        cursor.execute(SELECT_BEYOND)
        number_of, first = cursor.fetchone()
    if number_of:
        which = "An entry without a number" if first is None else f"Entry {first}"
        raise ChainBroken(f"{which} was put in beside the chain.")
