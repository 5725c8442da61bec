"""A good guess at what a file means, by its header and rows: shown and agreed to, never taken silently."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import chain, islice

from .. import money as currency_of_deployment
from . import directions
from .amount_names import codes_in, is_scaled
from .columns import moments, money, sides, statuses
from .columns.proofs import ColumnError, OpenQuestion, told
from .headers import (
    OF_EXPORT,
    OF_LIST,
    OF_REFUSALS,
    OWN_FIELDS,
    candidates,
    is_of_accounts,
    is_of_payers,
    is_of_sides,
    is_of_the_other_side,
    is_other,
    words,
)
from .mapping import Mapping, of_keys
from .proving import TableProof
from .table import FileError, Table

# Rows by which a column is recognised.
FIRST_ROWS = 1000
# The part of their cells that has to look like what the column is taken for.
ALIKE_MIN = 0.8
# The part of rows that may lack an id.
EMPTY_IDS_MAX = 0.1
# Rows without which it says nothing that no two of them share a value.
DISTINCT_ROWS_MIN = 10
# What an id looks like: one word, with a digit in it, and no decimals.
_ID = re.compile(r"(?=\D*\d)[^\s,.]{1,100}")
# Cells that cannot be read, of those that a question names.
LINES_TOLD_MAX = 3
# Columns that a question offers.
CHOICES_MAX = 30
_UTC = re.compile(r"\b(UTC|GMT)\b", re.IGNORECASE)
_CLOCK = re.compile(r"[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?(\.[0-9]+)?( ?[AP]M)?", re.ASCII | re.IGNORECASE)
# Codes, and signs that mean one currency.
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
    "currency": "no code of a currency, as EUR",
}  # fmt: skip
# What no column at all is taken for, where the one that looks like it is none.
_WITHOUT = {
    "created_at": "no column tells: each happens at the moment at which it is accepted",
    "currency": "no column tells: all are in one currency",
    "transaction_id": "no column: ids are made of what a row says, the same at every run",
    "direction": "no column: a debit is an amount with a minus, and no other",
}

Share = Callable[[Iterable[str]], float]


@dataclass(frozen=True, slots=True)
class Guess:
    """The mapping as far as it is known, a sentence for each thing guessed or proved, and what is open."""

    mapping: Mapping
    reasons: tuple[str, ...]
    open: tuple[OpenQuestion, ...]
    # Words of the status's column that nobody knows, with the first line of each: such rows are refused.
    unknown: tuple[tuple[str, int], ...] = ()


def guess(table: Table, given: Mapping) -> Guess:
    """Columns by their names and first rows, forms by all rows.

    What is `given` stands, however the file looks. Raises FileError, ColumnError where a column contradicts
    itself, and MappingError where what is given does not fit the file.
    """
    columns = _Columns(table, given.over(of_keys(table.meant)).fitting(table.columns))
    if table.meant:
        columns.reasons.append(
            "These are refused rows: each is taken to mean what its file proved, unless it is said otherwise."
        )
    meant = columns.guessed().checked(table.columns)
    proof = TableProof(meant, ids_asked=bool(columns.distinct))
    first_fault = ""
    for row in table.rows():
        first_fault = first_fault or (row.fault and f"line {row.line}: {row.fault}")
        proof.see(row)
    settled = proof.settled()
    if first_fault and not proof.rows and not columns.has_rows and settled.open:
        raise FileError(
            f"not one row fits the header, and so nothing tells what the columns mean ({first_fault}): "
            "correct the rows, or state the columns"
        )
    questions = [columns.with_choices(question) for question in columns.asked(settled.open)]
    lacking = [
        f"The file has no column “{each}”: no row is passed over by it."
        for each in given.lacking(table.columns)
    ]
    reasons = (*lacking, *columns.reasons, *settled.reasons)
    return Guess(settled.mapping, reasons, tuple(questions), tuple(proof.unknown.items()))


class _Columns:
    """Which column is which field, as far as names and first rows tell."""

    def __init__(self, table: Table, given: Mapping) -> None:
        self.reasons: list[str] = []
        # What has the name of a field and cannot be read as such: questions, and the columns.
        self._unread: dict[str, OpenQuestion] = {}
        self._unread_columns: dict[str, str] = {}
        # Columns that nobody knows and that may have the ids.
        self.distinct: list[str] = []
        self._names = table.columns
        self._csv = table.form.startswith("CSV")
        self._mapping = given
        first = [row for row in islice(table.rows(), FIRST_ROWS) if not row.fault]
        self.has_rows = bool(first)
        self._lines = [row.line for row in first]
        self._cells = {name: [row.cells[name] for row in first] for name in table.columns}
        # What ids are made of may be anything besides.
        parts = () if given.ids == "content" else given.id_parts
        taken = {*given.named.values(), *parts}
        own = OF_REFUSALS if {*OF_REFUSALS} <= {*table.columns} else ()
        self._free = [name for name in table.columns if name not in taken and name not in own]

    def guessed(self) -> Mapping:
        """What is given, with the columns that are likely."""
        if {*self._names} >= OF_EXPORT:
            self._take_own("The header is that of the admin's export", guarded=True)
        elif {*self._names} - {*OF_REFUSALS} == OF_LIST and not _fractions(self._cells["amount"]):
            self._take_own("The columns are those of the API's transactions", csv=self._csv)
        if self._mapping.ids != "content":
            self._find("transaction_id", _any)
            self._find_id_of_some_name()
        # A form that is stated stands, also where none is known by which the cells can be read.
        dated = _any if self._mapping.dates else moments.readable_share
        self._find("created_at", dated, by_cells=_written_moments)
        if "created_at" in self._mapping.named:
            self._find("time", _clocks)
            self._find("timezone", _zones)
            self._take_utc()
        self._find_amounts()
        self._find_currency()
        self._find("status", _any, by_cells=statuses.known_share)
        self._find_user()
        self._find_refund_user()
        self._take_accounts()
        self._ask_about_ids()
        if "created_at" not in self._mapping.named and "created_at" not in self._unread:
            self.reasons.append("No column has times: a transaction's is the moment at which it is accepted.")
        return self._mapping

    def _find_id_of_some_name(self) -> None:
        """The only column that is called the id of something, and that no two of the first rows share."""
        if "transaction_id" in self._mapping.columns:
            return
        whose = {*chain(*candidates("user", self._free))}
        found = [
            name
            for name in self._free
            if name not in whose
            and words(name) & {"id"}
            and len({*self._cells[name]}) == len(self._lines) > 1
        ]
        if len(found) == 1 and all(cell.strip() for cell in self._cells[found[0]]):
            self._take("transaction_id", found[0], "by its name, and no two rows share one")

    def _take_own(self, why: str, *, guarded: bool = False, csv: bool = False) -> None:
        """`csv`: a table with the API's columns, which writes none: whose unit it is in nobody knows."""
        own = {name: field for field, names in OWN_FIELDS.items() for name in names}
        own = {own[name]: name for name in self._free if name in own}
        self._free = [name for name in self._free if name not in own.values()]
        # With a currency beside them they are in its unit.
        unit = "whole" if "currency" in self._names else "" if csv else "smallest"
        base = Mapping(own, ids="column", users="key", mark=".", unit=unit, dates="iso")
        self._mapping = self._mapping.over(replace(base, guarded=guarded or None))
        said = {"whole": "the unit of the currency", "smallest": "the smallest unit"}.get(unit)
        self.reasons.append(f"{why}: users are keys{f', and amounts are in {said}' if said else ''}.")

    def _find(self, field: str, alike: Share, by_cells: Share | None = None) -> None:
        """Takes the likeliest column for a field that has none; `by_cells` where no name tells.

        What is called so and cannot be read is asked about: another in its place would be another thing.
        """
        if field in self._mapping.columns:
            return
        whole, partly = candidates(field, self._free)
        named = self._likely(field, whole) or self._likely(field, partly)
        if named and field == "amount" and is_scaled(named[0]):
            self._ask_about_scale(named[0])
        elif named and alike(self._cells[named[0]]) >= ALIKE_MIN:
            self._take(field, named[0], "by its name")
        elif named and field in _READ_AS:
            self._ask_about(field, named[0])
        elif by_cells:
            free = [each for each in self._free if not is_other(field, each)]
            found = [each for each in free if by_cells(self._cells[each]) >= ALIKE_MIN]
            # Of several nobody knows.
            if len(found) == 1 and field == "amount" and is_scaled(found[0]):
                self._ask_about_scale(found[0])
            elif len(found) == 1:
                self._take(field, found[0], "by what is in it")

    def _ask_about_scale(self, column: str) -> None:
        why = (
            f"Column “{column}” has thousands or millions by its name, and amounts are taken as they stand: "
            "write them out in the file, or state the column where its cells are plain units."
        )
        self._unread["amount"] = OpenQuestion("columns.amount", why)

    def _likely(self, field: str, named: list[str]) -> list[str]:
        """Without columns that hold nothing, or plainly something else that is called alike."""
        filled = [each for each in named if any(cell.strip() for cell in self._cells[each])]
        other = _ALSO_CALLED.get(field)
        if field == "transaction_id":
            return [each for each in filled if self._is_full(each)]
        return [each for each in filled if not (other and other(self._cells[each]) >= ALIKE_MIN)]

    def _is_full(self, column: str) -> bool:
        cells = self._cells[column]
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
            for line, cell in zip(self._lines, self._cells[column], strict=True)
            if cell.strip() and not alike(cell)
        ]
        lines = ", ".join(f"line {line}: {told(cell)}" for line, cell in wrong[:LINES_TOLD_MAX])
        more = f" and {len(wrong) - LINES_TOLD_MAX:,} more" if len(wrong) > LINES_TOLD_MAX else ""
        why = f"Column “{column}” is {_SAID[field]} by its name, and has what is {_READ_AS[field]}"
        why += f" ({lines}{more})."
        if field == "created_at":
            why += (
                " Its form may be stated (dates), as %d.%m.%Y; of numbers that count, since when too "
                "(since), as dates=seconds and since=2026-01-01T00:00:00Z."
            )
        self._unread[field] = OpenQuestion(f"columns.{field}", why)
        self._unread_columns[field] = column

    def _find_amounts(self) -> None:
        """One column, or one of debits and one of credits; and which an amount is, if a column tells."""
        columns = self._mapping.columns
        if "amount" not in columns and not (self._mapping.named.keys() & {"debit", "credit"}):
            whole = self._likely("amount", candidates("amount", self._free)[0])
            pair = [self._side("debit"), self._side("credit")]
            if not whole and all(pair) and any(map(is_scaled, pair)):
                self._ask_about_scale(next(filter(is_scaled, pair)))
                return
            if not whole and all(pair):
                self._take("debit", pair[0], "by its name")
                self._take("credit", pair[1], "by its name")
                return
            partly = self._likely("amount", candidates("amount", self._free)[1])
            readable = [each for each in partly if money.readable_share(self._cells[each]) >= ALIKE_MIN]
            if not whole and len(readable) > 1:
                names = " and ".join(f"“{each}”" for each in readable[:2])
                why = f"Of columns that may have the amounts there are several, as {names}."
                self._unread["amount"] = OpenQuestion("columns.amount", why)
            else:
                # Beside debits and credits that nobody has told apart any other column is something else.
                apart = any(map(is_of_sides, self._free))
                self._find("amount", money.readable_share, by_cells=None if apart else _fractions)
        self._find_direction()

    def _side(self, field: str) -> str:
        whole, _ = candidates(field, self._free)
        fitting = [each for each in whole if money.readable_share(self._cells[each]) >= ALIKE_MIN]
        return fitting[0] if len(fitting) == 1 else ""

    def _find_direction(self) -> None:
        """A column that says of each amount whether it is a debit: by its name, or by its words alone."""
        if "direction" in self._mapping.columns or "amount" not in self._mapping.named:
            return
        amounts = self._cells[self._mapping.named["amount"]]
        free = [each for each in self._free if each not in self._mapping.skip]
        found = directions.likely(free, self._cells, amounts)
        if found.column and not found.why:
            self._take("direction", found.column, found.how)
        elif found.why:
            self._unread["direction"] = OpenQuestion("columns.direction", found.why)

    def _ask_about_ids(self) -> None:
        """Of columns that nobody knows, those in which each row has a value of its own may be the ids."""
        if "transaction_id" in self._mapping.columns or self._mapping.ids == "content":
            return
        self.distinct = [name for name in self._free if self._is_of_ids(name)]
        if self.distinct:
            names = ", ".join(f"“{each}”" for each in self.distinct[:LINES_TOLD_MAX])
            why = (
                f"No column has the name of an id, and each of the first {len(self._lines):,} rows has a "
                f"value of its own in {names}: it may be the id."
            )
            self._unread["transaction_id"] = OpenQuestion("columns.transaction_id", why)

    def _is_of_ids(self, column: str) -> bool:
        cells = [cell.strip() for cell in self._cells[column]]
        distinct = len({*cells}) == len(cells) >= DISTINCT_ROWS_MIN
        return distinct and all(map(_ID.fullmatch, cells)) and not any(map(moments.readings, cells))

    def _find_user(self) -> None:
        """The customer's column; of a statement the other side, never the own account of every row."""
        beside = any(map(is_of_the_other_side, self._free))
        kept = self._free
        own = [each for each in kept if is_of_accounts(each) and (beside or self._is_one_of_many(each))]
        self._free = [each for each in kept if each not in own and not self._is_mostly_empty(each)]
        if "user" not in self._mapping.columns and own:
            names = candidates("user", self._free)
            likely = [each for each in chain(*names) if not is_of_accounts(each)]
            self._free = likely
        self._find("user", _any)
        self._free = [each for each in kept if each != self._mapping.named.get("user")]

    def _is_one_of_many(self, column: str) -> bool:
        """Whether so many rows have one value there that it is no customer's."""
        return len(self._lines) >= DISTINCT_ROWS_MIN and len({*self._cells[column]}) == 1

    def _is_mostly_empty(self, column: str) -> bool:
        cells = self._cells[column]
        return is_of_the_other_side(column) and 2 * sum(map(bool, map(str.strip, cells))) < len(cells)

    def _find_refund_user(self) -> None:
        """Who is paid, where the user's column has who pays and some amounts went the other way."""
        named = self._mapping.named
        if "refund_user" in self._mapping.columns or not named.keys() >= {"user", "amount"}:
            self._find_payee_by_name()
            return
        back = self._are_back(named)
        if not any(back) and "direction" not in named:
            return
        self._find_payee_by_name()
        if "refund_user" not in self._mapping.named:
            users = self._cells[named["user"]]
            swapped = [each for each in self._free if directions.are_swapped(users, self._cells[each], back)]
            if len(swapped) == 1:
                self._take("refund_user", swapped[0], "by what is in it: in refunds the two change places")

    def _are_back(self, named: dict[str, str]) -> list[bool]:
        """Which of the first rows went the other way."""
        amounts = self._cells[named["amount"]]
        words = self._cells[named["direction"]] if "direction" in named else [""] * len(amounts)
        return [
            directions.is_negative(cell) or sides.is_debit(word)
            for cell, word in zip(amounts, words, strict=True)
        ]

    def _find_payee_by_name(self) -> None:
        named = self._mapping.named
        if is_of_payers(named.get("user", "")) and named.keys() & {"amount", "debit"}:
            self._find("refund_user", _any)

    def _find_currency(self) -> None:
        """The currency's column; else what the amount's own name states."""
        named = self._mapping.named
        amounts = [named[field] for field in ("amount", "debit", "credit") if field in named]
        stated = next(((each, codes) for each in amounts if (codes := codes_in(each))), None)
        if "currency" not in self._mapping.columns:
            whole, partly = (self._likely("currency", some) for some in candidates("currency", self._free))
            if len(partly) > 1 and not whole and not stated:
                names = " and ".join(f"“{each}”" for each in partly[:2])
                why = f"Of columns that may have the currency there are several, as {names}."
                self._unread["currency"] = OpenQuestion("columns.currency", why)
            elif whole or not stated:
                self._find("currency", _currencies)
        if stated and "currency" not in self._mapping.named and "currency" not in self._unread:
            self._take_stated(*stated)

    def _take_stated(self, amount: str, stated: frozenset[str]) -> None:
        """Of a sign of several currencies, as $, the proof asks what it needs to know."""
        taken = self._mapping.currency or currency_of_deployment.code()
        said = " or ".join(sorted(stated)[:3])
        if taken and taken not in stated:
            raise ColumnError(
                f"column “{amount}”: its name says {said}, and only {taken} is taken", "columns.amount"
            )
        if not self._mapping.currency and (taken or len(stated) == 1):
            self._mapping = replace(self._mapping, currency=taken or said)
            self.reasons.append(f"Amounts are in {taken or said}, as “{amount}” says.")

    def _take_accounts(self) -> None:
        column = self._mapping.named.get("user", "")
        if column and not self._mapping.users and is_of_accounts(column):
            self._mapping = replace(self._mapping, users="name")
            self.reasons.append(f"“{column}” has numbers of accounts: they are names of users, not keys.")

    def _take(self, field: str, column: str, how: str) -> None:
        self._mapping = replace(self._mapping, columns={**self._mapping.columns, field: column})
        self._free.remove(column)
        self.reasons.append(f"Column “{column}” is {_SAID[field]}, {how}.")

    def _take_utc(self) -> None:
        column = self._mapping.named["created_at"]
        if not self._mapping.timezone and "timezone" not in self._mapping.named and _UTC.search(column):
            self._mapping = replace(self._mapping, timezone="UTC")
            self.reasons.append(f"Times are in UTC, as “{column}” says.")

    def asked(self, open: Iterable[OpenQuestion]) -> list[OpenQuestion]:
        """The questions of the proof; of a field whose column cannot be read, the one about that."""
        unread = {question.key: question for question in self._unread.values()}
        return [*unread.values(), *(question for question in open if question.key not in unread)]

    def with_choices(self, question: OpenQuestion) -> OpenQuestion:
        """The question, with the columns that may be meant where it is about one."""
        table, _, field = question.key.partition(".")
        if table != "columns":
            return question
        choices = [(each, f"column “{each}”") for each in self._may_be(field)]
        if field == "transaction_id" and self.distinct:
            choices = [(each, f"column “{each}”") for each in self.distinct]
        if own := self._unread_columns.get(field):
            choices.insert(0, (own, f"column “{own}”: rows in which it cannot be read are refused"))
        if field in _WITHOUT:
            choices.append(("", _WITHOUT[field]))
        return replace(question, choices=tuple(choices[:CHOICES_MAX]))

    def _may_be(self, field: str) -> list[str]:
        alike = _ALIKE.get(field, _any)
        own = self._unread_columns.get(field)
        return [each for each in self._free if each != own and alike(self._cells[each]) >= ALIKE_MIN]


# --- How much of a column looks like something --------------------------------------------------


def _share(cells: Iterable[str], fits: Callable[[str], object]) -> float:
    found = [bool(fits(cell.strip())) for cell in cells if cell.strip()]
    return sum(found) / len(found) if found else 0.0


def _any(cells: Iterable[str]) -> float:
    return _share(cells, bool)


def _clocks(cells: Iterable[str]) -> float:
    return _share(cells, _CLOCK.fullmatch)


def _currencies(cells: Iterable[str]) -> float:
    return _share(cells, _is_currency)


def _is_currency(cell: str) -> bool:
    return bool(_CURRENCY.fullmatch(cell.strip()))


def _amounts_or_days(cells: Iterable[str]) -> float:
    """Days, as Valuta has them in German, and amounts in a currency."""
    known = list(cells)
    return max(moments.readable_share(known), _fractions(known))


def _zones(cells: Iterable[str]) -> float:
    return _share(cells, moments.is_zone)


def _written_moments(cells: Iterable[str]) -> float:
    """Of moments that are no mere digits, which may be anything."""
    return _share(cells, lambda cell: not cell.replace(".", "").isdigit() and moments.readings(cell))


def _fractions(cells: Iterable[str]) -> float:
    """Of amounts, where some have decimals: whole numbers may be anything."""
    known = list(cells)
    return money.readable_share(known) if any("." in cell or "," in cell for cell in known) else 0.0


_ALIKE: dict[str, Share] = {
    "amount": money.readable_share,
    "created_at": moments.readable_share,
    "currency": _currencies,
    "direction": lambda cells: _share(cells, sides.is_side),
}
_CELL_ALIKE: dict[str, Callable[[str], object]] = {
    "amount": lambda cell: money.readable_share([cell]),
    "created_at": moments.readings,
    "currency": _is_currency,
}
# By field, what else is called so.
_ALSO_CALLED: dict[str, Share] = {"created_at": _clocks, "currency": _amounts_or_days}
