"""What the first rows of a file show of its columns: what is found, and what has to be asked."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import islice

from .amount_names import is_scaled
from .columns import moments, money, sides
from .columns.proofs import OpenQuestion, told
from .currencies import CODES
from .headers import OF_REFUSALS, candidates, is_other, twins, words
from .kinds import WITHOUT_DIRECTION
from .mapping import Mapping
from .table import Table
from .wording import said

# Rows by which a column is recognised.
FIRST_ROWS = 1000

# The part of their cells that has to look like what the column is taken for.
ALIKE_MIN = 0.8

# The part of rows that may lack an id.
EMPTY_IDS_MAX = 0.1

# Rows without which it says nothing that no two of them share a value.
DISTINCT_ROWS_MIN = 10

# Cells that cannot be read, of those that a question names.
LINES_TOLD_MAX = 3

# Columns that a question offers.
CHOICES_MAX = 30

_CLOCK = re.compile(r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?(\.[0-9]+)?( ?[AP]M)?", re.ASCII | re.IGNORECASE)

# Codes, and signs that mean one currency.
_PLACE = re.compile("[A-Z]{2}", re.ASCII)
_CURRENCY = re.compile("[A-Za-z]{3}|[€₹₽₺₪₫]")

_SAID = {
    "transaction_id": "the id", "user": "the user", "amount": "the amount", "status": "the status",
    "created_at": "the time", "time": "the time of the day", "timezone": "the timezone",
    "currency": "the currency", "debit": "the debits", "credit": "the credits",
    "direction": "whether an amount is a debit or a credit", "refund_user": "the user of negative amounts",
}  # fmt: skip

# What a cell of such a column would be, as a question has it.
_READ_AS = {
    "amount": "no amount", "created_at": "no date and time in any form that is known",
    "currency": "no code of a currency, as EUR", "timezone": "no timezone, as Europe/Berlin",
    "time": "no time of the day, as 23:59:59",
}  # fmt: skip

# What no column at all is taken for, where the one that looks like it is none.
_WITHOUT = {
    "created_at": "no column tells: each happens at the moment at which it is accepted",
    "currency": "no column tells: all are in one currency",
    "timezone": "no column tells: all are in one",
    "time": "no column tells: each happens as its day begins",
    "transaction_id": "no column: ids are made of what a row says, the same at every run",
    "direction": WITHOUT_DIRECTION,
}

Share = Callable[[Iterable[str]], float]


class FirstRows:
    """Which column is which field, as far as names and first rows tell."""

    def __init__(self, table: Table, given: Mapping) -> None:
        self.reasons: list[str] = []
        # What has the name of a field and cannot be read as such: questions, and the columns.
        self.unread: dict[str, OpenQuestion] = {}
        self.unread_columns: dict[str, str] = {}
        # Columns that nobody knows and that may have the ids.
        self.distinct: list[str] = []
        self.names = table.columns
        self.is_csv = table.form.startswith("CSV")
        self.mapping = given
        first = [row for row in islice(table.rows(), FIRST_ROWS) if not row.fault]
        self.has_rows = bool(first)
        self.lines = [row.line for row in first]
        self.cells = {name: [row.cells[name] for row in first] for name in table.columns}
        # What ids are made of may be anything besides.
        parts = () if given.ids == "content" else given.id_parts
        taken = {*given.named.values(), *parts}
        own = OF_REFUSALS if {*OF_REFUSALS} <= {*table.columns} else ()
        self.free = [name for name in table.columns if name not in taken and name not in own]

    def find(self, field: str, alike: Share, by_cells: Share | None = None) -> None:
        """Takes the likeliest column for a field that has none; `by_cells` where no name tells.

        What is called so and cannot be read is asked about: another in its place would be another thing.
        """
        if field in self.mapping.columns:
            return
        whole, partly = candidates(field, self.free)
        named = self.likely(field, whole) or self.likely(field, partly)
        if named and (same := twins(named[0], self.names)):
            self._ask_about_twins(field, same)
        elif named and field == "amount" and is_scaled(named[0]):
            self.ask_about_scale(named[0])
        elif named and alike(self.cells[named[0]]) >= ALIKE_MIN:
            self.take(field, named[0], "by its name")
        elif named and field in _READ_AS:
            self._ask_about(field, named[0])
        elif by_cells:
            free = [each for each in self.free if not is_other(field, each)]
            found = [each for each in free if by_cells(self.cells[each]) >= ALIKE_MIN]
            # Of several nobody knows.
            if len(found) == 1 and field == "amount" and is_scaled(found[0]):
                self.ask_about_scale(found[0])
            elif len(found) == 1:
                self.take(field, found[0], "by what is in it")

    def ask_about_scale(self, column: str) -> None:
        why = (
            f"Column “{column}” has thousands or millions by its name, and amounts are taken as they stand: "
            "write them out in the file, or state the column where its cells are plain units."
        )
        self.unread["amount"] = OpenQuestion("columns.amount", why)

    def _ask_about_twins(self, field: str, same: list[str]) -> None:
        choices = tuple((each, f"column “{each}”") for each in same)
        none = (("", _WITHOUT[field]),) if field in _WITHOUT else ()
        why = f"Several columns have the name of {_SAID[field]}: {', '.join(f'“{each}”' for each in same)}."
        self.unread[field] = OpenQuestion(f"columns.{field}", why, (*choices, *none))

    def likely(self, field: str, named: list[str]) -> list[str]:
        """Without columns that hold nothing, or plainly something else that is called alike."""
        filled = [each for each in named if any(cell.strip() for cell in self.cells[each])]
        other = _ALSO_CALLED.get(field)
        # What few rows have, as those that sum up, is told by another column where there is one.
        filled.sort(key=self._is_sparse)
        if field == "status":
            return [each for each in filled if not _are_places(each, self.cells[each])]
        if field == "transaction_id":
            return [each for each in filled if self._is_full(each)]
        return [each for each in filled if not (other and other(self.cells[each]) >= ALIKE_MIN)]

    def _is_sparse(self, column: str) -> bool:
        cells = self.cells[column]
        return 2 * sum(map(bool, map(str.strip, cells))) < len(cells)

    def _is_full(self, column: str) -> bool:
        cells = self.cells[column]
        empty = sum(not cell.strip() for cell in cells)
        if empty > len(cells) * EMPTY_IDS_MAX:
            self.reasons.append(
                f"Column “{column}” is not taken for the id: it is empty in {empty:,} of the first "
                f"{len(cells):,} rows."
            )
        return empty <= len(cells) * EMPTY_IDS_MAX

    def _ask_about(self, field: str, column: str) -> None:
        alike = _CELL_ALIKE[field]
        wrong = [
            (line, cell)
            for line, cell in zip(self.lines, self.cells[column], strict=True)
            if cell.strip() and not alike(cell)
        ]
        lines = ", ".join(f"line {line}: {told(cell)}" for line, cell in wrong[:LINES_TOLD_MAX])
        more = f" and {len(wrong) - LINES_TOLD_MAX:,} more" if len(wrong) > LINES_TOLD_MAX else ""
        why = f"Column “{column}” is {_SAID[field]} by its name, and has what is {_READ_AS[field]}"
        why += f" ({lines}{more})."
        if field == "created_at":
            why += (
                f" Its form may be stated ({said('dates')}), as %d.%m.%Y; of numbers that count, since when "
                f"too, as {said('dates', 'seconds')} and {said('since', '2026-01-01T00:00:00Z')}."
            )
        if field == "time":
            why += (
                f" Day and time are read together by a form that is stated ({said('dates')}), as "
                "%d.%m.%Y %H%M%S."
            )
        self.unread[field] = OpenQuestion(f"columns.{field}", why)
        self.unread_columns[field] = column

    def take(self, field: str, column: str, how: str) -> None:
        self.mapping = replace(self.mapping, columns={**self.mapping.columns, field: column})
        self.free.remove(column)
        self.reasons.append(f"Column “{column}” is {_SAID[field]}, {how}.")

    def about_found(self, field: str) -> OpenQuestion:
        """Whether the column that was found for a field is its."""
        column = self.mapping.named[field]
        choices = ((column, f"column “{column}”"), ("", _WITHOUT.get(field, "no column")))
        return OpenQuestion(f"columns.{field}", f"Column “{column}” may have {_SAID[field]}.", choices)

    def asked(self, open: Iterable[OpenQuestion]) -> list[OpenQuestion]:
        """The questions of the proof; of a field whose column cannot be read, the one about that."""
        unread = {question.key: question for question in self.unread.values()}
        return [*unread.values(), *(question for question in open if question.key not in unread)]

    def with_choices(self, question: OpenQuestion) -> OpenQuestion:
        """The question, with the columns that may be meant where it is about one."""
        table, _, field = question.key.partition(".")
        if table != "columns" or question.choices:
            return question
        choices = [(each, f"column “{each}”") for each in self._may_be(field)]
        if field == "transaction_id" and self.distinct:
            choices = [(each, f"column “{each}”") for each in self.distinct]
        if own := self.unread_columns.get(field):
            choices.insert(0, (own, f"column “{own}”: rows in which it cannot be read are refused"))
        if field in _WITHOUT:
            choices.append(("", _WITHOUT[field]))
        return replace(question, choices=tuple(choices[:CHOICES_MAX]))

    def _may_be(self, field: str) -> list[str]:
        alike = _ALIKE.get(field, any_text)
        own = self.unread_columns.get(field)
        return [each for each in self.free if each != own and alike(self.cells[each]) >= ALIKE_MIN]


# --- How much of a column looks like something --------------------------------------------------


def share(cells: Iterable[str], fits: Callable[[str], object]) -> float:
    found = [bool(fits(cell.strip())) for cell in cells if cell.strip()]
    return sum(found) / len(found) if found else 0.0


def any_text(cells: Iterable[str]) -> float:
    return share(cells, bool)


def clocks(cells: Iterable[str]) -> float:
    return share(cells, _CLOCK.fullmatch)


def currencies_share(cells: Iterable[str]) -> float:
    return share(cells, _is_currency)


def codes_share(cells: Iterable[str]) -> float:
    """Of codes of ISO 4217, in capitals: in small letters they are words."""
    return share(cells, CODES.__contains__)


def _is_currency(cell: str) -> bool:
    return bool(_CURRENCY.fullmatch(cell.strip()))


def _amounts_or_days(cells: Iterable[str]) -> float:
    """Days, as Valuta has them in German, and amounts in a currency."""
    known = list(cells)
    return max(moments.readable_share(known), fractions(known))


def _are_places(column: str, cells: Iterable[str]) -> bool:
    """Whether a column of states has those of a country, as NY."""
    return "state" in words(column) and share(cells, _PLACE.fullmatch) >= ALIKE_MIN


def zones(cells: Iterable[str]) -> float:
    return share(cells, moments.is_zone)


def written_moments(cells: Iterable[str]) -> float:
    """Of moments that are no mere digits, which may be anything."""
    return share(cells, lambda cell: not cell.replace(".", "").isdigit() and moments.readings(cell))


def fractions(cells: Iterable[str]) -> float:
    """Of amounts, where some have decimals: whole numbers may be anything."""
    known = list(cells)
    return money.readable_share(known) if any("." in cell or "," in cell for cell in known) else 0.0


_ALIKE: dict[str, Share] = {
    "amount": money.readable_share,
    "created_at": moments.readable_share,
    "currency": currencies_share,
    "timezone": zones,
    "time": clocks,
    "direction": lambda cells: share(cells, sides.is_side),
}

_CELL_ALIKE: dict[str, Callable[[str], object]] = {
    "amount": lambda cell: money.readable_share([cell]),
    "created_at": moments.readings,
    "currency": _is_currency,
    "timezone": moments.is_zone,
    "time": lambda cell: _CLOCK.fullmatch(cell.strip()),
}

# By field, what else is called so.
_ALSO_CALLED: dict[str, Share] = {"created_at": clocks, "currency": _amounts_or_days}
