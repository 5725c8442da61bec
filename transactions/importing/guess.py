"""A good guess at what a file means, by its header and rows: shown and agreed to, never taken silently."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import islice

from .columns import moments, money, statuses
from .columns.proofs import OpenQuestion
from .headers import OF_EXPORT, OF_LIST, OF_REFUSALS, OWN_FIELDS, candidates
from .mapping import Mapping
from .proving import TableProof
from .table import Table

# Rows by which a column is recognised.
FIRST_ROWS = 1000
# The part of their cells that has to look like what the column is taken for.
ALIKE_MIN = 0.8
# Columns that a question offers.
CHOICES_MAX = 30
_UTC = re.compile(r"\b(UTC|GMT)\b", re.IGNORECASE)
_CLOCK = re.compile(r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?(\.[0-9]+)?( ?[AP]M)?", re.ASCII | re.IGNORECASE)
_CURRENCY = re.compile(r"[A-Za-z]{3}", re.ASCII)

_SAID = {
    "transaction_id": "the id", "user": "the user", "amount": "the amount", "status": "the status",
    "created_at": "the time", "time": "the time of the day", "timezone": "the timezone",
    "currency": "the currency",
}  # fmt: skip

Share = Callable[[Iterable[str]], float]


@dataclass(frozen=True, slots=True)
class Guess:
    """The mapping as far as it is known, a sentence for each thing guessed or proved, and what is open."""

    mapping: Mapping
    reasons: tuple[str, ...]
    open: tuple[OpenQuestion, ...]


def guess(table: Table, given: Mapping) -> Guess:
    """Columns by their names and first rows, forms by all rows.

    What is `given` stands, however the file looks. Raises FileError, ColumnError where a column contradicts
    itself, and MappingError where what is given does not fit the file.
    """
    columns = _Columns(table, given.fitting(table.columns))
    proof = TableProof(columns.guessed().checked(table.columns))
    for row in table.rows():
        proof.see(row)
    settled = proof.settled()
    questions = [columns.with_choices(question) for question in settled.open]
    return Guess(settled.mapping, (*columns.reasons, *settled.reasons), tuple(questions))


class _Columns:
    """Which column is which field, as far as names and first rows tell."""

    def __init__(self, table: Table, given: Mapping) -> None:
        self.reasons: list[str] = []
        self._names = table.columns
        self._mapping = given
        first = [row for row in islice(table.rows(), FIRST_ROWS) if not row.fault]
        self._cells = {name: [row.cells[name] for row in first] for name in table.columns}
        taken = {*given.named.values(), *given.id_parts}
        own = OF_REFUSALS if {*OF_REFUSALS} <= {*table.columns} else ()
        self._free = [name for name in table.columns if name not in taken and name not in own]

    def guessed(self) -> Mapping:
        """What is given, with the columns that are likely."""
        if {*self._names} >= OF_EXPORT:
            self._take_own("The header is that of the admin's export", guarded=True)
        elif {*self._names} - {*OF_REFUSALS} == OF_LIST and not _fractions(self._cells["amount"]):
            self._take_own("The columns are those of the API's transactions")
        if self._mapping.ids != "content":
            self._find("transaction_id", _any)
        self._find("created_at", moments.readable_share, by_cells=_written_moments)
        if "created_at" in self._mapping.named:
            self._find("time", _clocks)
            self._find("timezone", _zones)
            self._take_utc()
        self._find("currency", _currencies)
        self._find("amount", money.readable_share, by_cells=_fractions)
        self._find("status", _any, by_cells=statuses.known_share)
        self._find("user", _any)
        if "created_at" not in self._mapping.named:
            self.reasons.append("No column has times: a transaction's is the moment at which it is accepted.")
        return self._mapping

    def _take_own(self, why: str, *, guarded: bool = False) -> None:
        own = {name: field for field, names in OWN_FIELDS.items() for name in names}
        own = {own[name]: name for name in self._free if name in own}
        self._free = [name for name in self._free if name not in own.values()]
        # With a currency beside them they are in its unit.
        unit = "whole" if "currency" in self._names else "smallest"
        base = Mapping(own, ids="column", users="key", mark=".", unit=unit, dates="iso")
        self._mapping = self._mapping.over(replace(base, guarded=guarded))
        said = "the unit of the currency" if unit == "whole" else "the smallest unit"
        self.reasons.append(f"{why}: users are keys, and amounts are in {said}.")

    def _find(self, field: str, alike: Share, by_cells: Share | None = None) -> None:
        """Takes the likeliest column for a field that has none; `by_cells` where no name tells."""
        if field in self._mapping.columns:
            return
        named = [each for each in candidates(field, self._free) if alike(self._cells[each]) >= ALIKE_MIN]
        if named:
            self._take(field, named[0], "by its name")
        elif by_cells:
            found = [each for each in self._free if by_cells(self._cells[each]) >= ALIKE_MIN]
            # Of several nobody knows.
            if len(found) == 1:
                self._take(field, found[0], "by what is in it")

    def _take(self, field: str, column: str, how: str) -> None:
        self._mapping = replace(self._mapping, columns={**self._mapping.columns, field: column})
        self._free.remove(column)
        self.reasons.append(f"Column “{column}” is {_SAID[field]}, {how}.")

    def _take_utc(self) -> None:
        column = self._mapping.named["created_at"]
        if not self._mapping.timezone and "timezone" not in self._mapping.named and _UTC.search(column):
            self._mapping = replace(self._mapping, timezone="UTC")
            self.reasons.append(f"Times are in UTC, as “{column}” says.")

    def with_choices(self, question: OpenQuestion) -> OpenQuestion:
        """The question, with the columns that may be meant where it is about one."""
        if not question.key.startswith("columns."):
            return question
        may_be = [
            each
            for each in self._free
            if question.key != "columns.amount" or money.readable_share(self._cells[each]) >= ALIKE_MIN
        ]
        return replace(question, choices=tuple((each, f"column “{each}”") for each in may_be[:CHOICES_MAX]))


# --- How much of a column looks like something --------------------------------------------------


def _share(cells: Iterable[str], fits: Callable[[str], object]) -> float:
    found = [bool(fits(cell.strip())) for cell in cells if cell.strip()]
    return sum(found) / len(found) if found else 0.0


def _any(cells: Iterable[str]) -> float:
    return _share(cells, bool)


def _clocks(cells: Iterable[str]) -> float:
    return _share(cells, _CLOCK.fullmatch)


def _currencies(cells: Iterable[str]) -> float:
    return _share(cells, _CURRENCY.fullmatch)


def _zones(cells: Iterable[str]) -> float:
    return _share(cells, moments.is_zone)


def _written_moments(cells: Iterable[str]) -> float:
    """Of moments that are no mere digits, which may be anything."""
    return _share(cells, lambda cell: not cell.replace(".", "").isdigit() and moments.readings(cell))


def _fractions(cells: Iterable[str]) -> float:
    """Of amounts, where some have decimals: whole numbers may be anything."""
    known = list(cells)
    return money.readable_share(known) if any("." in cell or "," in cell for cell in known) else 0.0
