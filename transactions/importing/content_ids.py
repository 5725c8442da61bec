"""Ids made of what a row says, where a file has none: the same at every run, and in the next export.

An id names its row for good, so what it is made of may never change: another word among _OF_STATUS, say,
would give other ids to rows that are in already.
"""

import hashlib
import re
from typing import NamedTuple

from .headers import words
from .mapping import Mapping
from .table import Row

# What such an id begins with, and how many letters of its hash follow.
CONTENT, CONTENT_LETTERS = "row-", 24
_MADE = re.compile(rf"{CONTENT}[0-9a-f]{{{CONTENT_LETTERS}}}", re.ASCII)
# A column with one of these words in its name tells how far a transaction is, which changes.
_OF_STATUS = frozenset(("status", "state", "zustand", "estado", "stato", "statut"))


class ContentId(NamedTuple):
    """An id, and whether a row that says the same stood before it in the file."""

    id: str
    is_equal: bool


class ContentIds:
    """Makes the ids of one file's rows once, in their order: how often the same stood before is part of them.

    A row is its cells as they stand in the file, so that by whatever mapping it is read it is the same; and
    without its status, so that what is pending in one export and completed in the next is one transaction.
    Where the mapping names `id_parts`, it is these alone.
    """

    def __init__(self, mapping: Mapping) -> None:
        self._parts = mapping.id_parts
        self._status = mapping.named.get("status", "")
        # By column, whether its cells are part of the id.
        self._said: dict[str, bool] = {}
        # How often the same content was there, by a number of its hash.
        self._times: dict[int, int] = {}

    def of(self, row: Row) -> ContentId:
        """A row that was refused before, and is corrected now, keeps the id that it had then.

        By its new content it could be another row.
        """
        if row.content_id:
            return ContentId(row.content_id, False)
        cells = [cell for column, cell in row.cells.items() if self._is_said(column)]
        said = "\x1f".join((*cells, *row.over))
        number = fingerprint(said)
        times = self._times[number] = self._times.get(number, 0) + 1
        digest = hashlib.sha256(f"{said}\x1e{times}".encode("utf-8", "surrogatepass")).hexdigest()
        return ContentId(CONTENT + digest[:CONTENT_LETTERS], times > 1)

    def _is_said(self, column: str) -> bool:
        if column not in self._said:
            self._said[column] = self._judged(column)
        return self._said[column]

    def _judged(self, column: str) -> bool:
        if self._parts:
            return column in self._parts
        return column != self._status and not words(column) & _OF_STATUS


def is_made(id: str) -> bool:
    """Whether it is an id that was made of a row's content."""
    return bool(_MADE.fullmatch(id))


def fingerprint(text: str) -> int:
    """A number of 62 bits that stands for a text."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()) >> 2
