"""Amounts as files write them: 1,234.56 and 1.234,56, with signs, brackets and currencies, or plain numbers.

Nothing is rounded and nothing is guessed from one cell: the decimal mark and the unit are the column's.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

from ...models import AMOUNT_MAX
from ..currencies import codes_of, decimals_of
from ..keys import MARKS
from ..mapping import Mapping
from ..table import Number
from ..wording import said
from .proofs import CellError, ColumnError, OpenQuestion, Proof, Settled, told

CHARACTERS_MAX = 60
# Codes and symbols of which a column may be told.
CURRENCIES_MAX = 20

_SPACES = " \u00a0\u2007\u2009\u202f"
_APART = f"'’{_SPACES}"
# The cent's own sign is not among them: what stands before it is in another unit.
_CURRENCY = r"[A-Za-z]{3}|[A-Z]{0,3}[$£¤¥֏฿៛\u20a0-\u20cf＄￡￥￦]|kr\.?|zł|Kč|Ft|Fr\.?"
_SIGN = "[-+−–]"
# One at most: of several, in as many places, a text of sixty characters has too many readings to try.
_GAP = f"[{_SPACES}]?"
_GAPS = re.compile(f"[{_SPACES}]{{2,}}")
_SHAPE = re.compile(
    rf"(?P<c0>{_CURRENCY})?{_GAP}(?P<open>\()?{_GAP}(?P<s1>{_SIGN})?{_GAP}(?P<c1>{_CURRENCY})?{_GAP}(?P<s2>{_SIGN})?"
    rf"{_GAP}(?P<number>[0-9.,](?:[0-9.,{_APART}]*[0-9])?){_GAP}(?P<c2>{_CURRENCY})?{_GAP}(?P<s3>{_SIGN})?{_GAP}"
    rf"(?P<close>\))?{_GAP}(?P<c3>{_CURRENCY})?",
    re.ASCII,
)
_NUMBER = re.compile(r"(-?)([0-9]+)(?:\.([0-9]+))?", re.ASCII)
NO_AMOUNT = "“…” is no amount: write digits, with a decimal mark where there are decimals"


class Parts(NamedTuple):
    """A cell taken apart; the number is digits and separators, or digits and a point (`exact`)."""

    negative: bool
    number: str
    currency: str
    exact: bool


class ReadAmount(NamedTuple):
    """An amount in the smallest unit, with its sign, and the currency that stands beside it, if any."""

    smallest: int
    currency: str


def taken_apart(cell: str) -> Parts:
    """Raises CellError for what is no amount in any form."""
    if isinstance(cell, Number):
        found = _NUMBER.fullmatch(cell)
        if not found:
            raise CellError(NO_AMOUNT, cell)
        return Parts(found[1] == "-", cell.removeprefix("-"), "", True)
    text = _GAPS.sub(" ", cell.strip())
    shape = _SHAPE.fullmatch(text) if len(text) <= CHARACTERS_MAX else None
    if not shape:
        raise CellError(NO_AMOUNT, cell)
    signs = [shape[name] for name in ("s1", "s2", "s3") if shape[name]]
    currencies = [shape[name] for name in ("c0", "c1", "c2", "c3") if shape[name]]
    bracketed = bool(shape["open"])
    twice = len(signs) + bracketed > 1 or len(currencies) > 1
    # As in 1.50 Mio, 50 cts or neg 5: what stands there may be another unit.
    if twice or bracketed != bool(shape["close"]) or (currencies and not codes_of(currencies[0])):
        raise CellError(NO_AMOUNT, cell)
    negative = bracketed or (bool(signs) and signs[0] != "+")
    return Parts(negative, shape["number"], currencies[0] if currencies else "", False)


@lru_cache(maxsize=2)
def _grouped(mark: str) -> re.Pattern[str]:
    """Digits with this decimal mark; grouped by three with another sign, or as in India."""
    group = "," if mark == "." else "."
    by_three = rf"[1-9][0-9]{{0,2}}(?:([{group}{_APART}])[0-9]{{3}})(?:\2[0-9]{{3}})*"
    by_two = rf"|[1-9][0-9]?(?:{re.escape(group)}[0-9]{{2}})+{re.escape(group)}[0-9]{{3}}"
    return re.compile(rf"([0-9]*|{by_three}{by_two})(?:{re.escape(mark)}([0-9]+))?", re.ASCII)


def _digits(parts: Parts, mark: str) -> tuple[str, str] | None:
    """The digits before and after the mark; None where this mark does not read it."""
    if parts.exact:
        whole, _, fraction = parts.number.partition(".")
        return whole, fraction
    found = _grouped(mark).fullmatch(parts.number)
    if not found or not (found[1] or found[3]):
        return None
    return "".join(filter(str.isdigit, found[1])), found[3] or ""


@dataclass(frozen=True, slots=True)
class MoneyForm:
    """How a column's amounts are read; `decimals` from the unit to the file's smallest one.

    An amount is kept in the smallest unit of the currency, which has `kept_decimals`: None for the file's.
    """

    mark: str
    decimals: int
    unit: str
    kept_decimals: int | None = None

    def read(self, cell: str) -> ReadAmount:
        """The amount of a cell. Raises CellError, never rounds."""
        parts = taken_apart(cell)
        digits = _digits(parts, self.mark)
        if digits is None:
            raise CellError(f"“…” is no amount with {_named(self.mark)} as the decimal mark", cell)
        whole, fraction = digits
        smallest = self._scaled(whole, fraction.rstrip("0"), cell)
        if smallest > AMOUNT_MAX:
            raise CellError(f"“…” is too large: at most {AMOUNT_MAX} of the smallest unit are taken", cell)
        return ReadAmount(-smallest if parts.negative else smallest, parts.currency)

    def _scaled(self, whole: str, fraction: str, cell: str) -> int:
        kept = self.decimals if self.kept_decimals is None else self.kept_decimals
        decimals = min(self.decimals, kept) if self.unit == "whole" else 0
        if len(fraction) > decimals:
            raise CellError(
                _too_fine(f"at most {decimals} decimals are" if decimals else "a whole number is"), cell
            )
        if self.unit == "whole":
            return int((whole or "0") + fraction.ljust(kept, "0"))
        number, times = int(whole or "0"), int(10 ** abs(self.decimals - kept))
        if self.decimals <= kept:
            return number * times
        if number % times:
            raise CellError(_too_fine(f"a multiple of {times} is"), cell)
        return number // times


def _too_fine(allowed: str) -> str:
    return f"“…” is finer than the smallest unit: {allowed} right, and nothing is rounded"


class MoneyProof:
    """What a column of amounts proves: see every cell, then ask for `settled`."""

    def __init__(self, column: str, *, apart: bool = False) -> None:
        """`apart`: they are two columns, of debits and of credits."""
        self.column = column
        self._apart = apart
        self._columns, self._has = ("columns", "have") if apart else ("column", "has")
        self._sentence = f"{self._columns.capitalize()} “{column}” {self._has}"
        self._columns += f" “{column}”"
        self.marks = Proof(MARKS)
        self.seen = 0
        self._unclear: tuple[int, str] | None = None
        # By mark, the first cell that has decimals under it which are more than those of a program's 12.0.
        self._fractions: dict[str, tuple[int, str]] = {}
        # By mark, the most decimals: without zeros at the end, and as they are written.
        self._finest = dict.fromkeys(MARKS, 0)
        self._written = dict.fromkeys(MARKS, 0)
        self._negative: tuple[int, str] | None = None
        # Currencies that stand beside amounts, with the first line of each.
        self.currencies: dict[str, int] = {}

    def see(self, line: int, cell: str, currency: str = "", stands: str | None = None) -> None:
        """A cell, and the currency's beside it. What is no amount proves nothing: its row will be refused.

        `stands`: the cell as the file has it, where the sign of the amount is said elsewhere.
        """
        if cell.isascii() and cell.isdigit() and not currency:
            self.seen += 1
            return
        try:
            parts = taken_apart(cell)
        except CellError:
            return
        readable = {mark: digits for mark in MARKS if (digits := _digits(parts, mark)) is not None}
        if not readable:
            return
        self.seen += 1
        shown = cell if stands is None else stands
        self.marks.see(line, shown, readable)
        if len({*readable.values()}) > 1 and self._unclear is None:
            self._unclear = line, shown
        for mark, (_, fraction) in readable.items():
            self._finest[mark] = max(self._finest[mark], len(fraction.rstrip("0")))
            self._written[mark] = max(self._written[mark], len(fraction))
            if len(fraction) > 1 or fraction.strip("0"):
                self._fractions.setdefault(mark, (line, shown))
        if parts.negative and self._negative is None and parts.number.strip("0.,"):
            self._negative = line, shown
        if (said := (currency.strip() or parts.currency).upper()) and len(self.currencies) < CURRENCIES_MAX:
            self.currencies.setdefault(said, line)

    def settled(self, mapping: Mapping, currency: str = "", currency_decimals: int | None = None) -> Settled:
        """The mark, the decimals, the unit and what is negative, each as stated, as proved, or open.

        `currency` is the deployment's, with its decimals; without one they are those of the file's own, as
        far as it names one. Raises ColumnError.
        """
        result = Settled(mapping)
        self._settle_mark(result)
        if result.mapping.mark:
            self._check_decimals(mapping, currency, currency_decimals or 0)
            if currency:
                self._settle_decimals(result, currency_decimals)
            else:
                self._settle_decimals_of_file(result)
            self._settle_unit(result)
        if self._negative and not mapping.negative:
            line, cell = self._negative
            what = "negative amounts" if is_signed(cell) else "debits, which are negative amounts"
            why = f"{self._sentence} {what} (line {line}: {told(cell)}), and a transaction has none."
            result.open.append(OpenQuestion("negative", why, NEGATIVE_CHOICES))
        if not (mapping.currency or currency):
            self._settle_currency(result)
        return result

    def _settle_mark(self, result: Settled) -> None:
        self.marks.check(self.column, "decimal marks", several=self._apart)
        stated = result.mapping.mark
        if stated and stated not in self.marks.left:
            raise ColumnError(
                f"{self._columns}: {_named(stated)} is stated as the decimal mark, and "
                f"{self.marks.against(stated)}",
                "mark",
            )
        if stated:
            return
        if len(self.marks.left) == 1:
            (mark,) = self.marks.left
            other = next(each for each in MARKS if each != mark)
            result.mapping = replace(result.mapping, mark=mark)
            result.reasons.append(
                f"The decimal mark of “{self.column}” is {_named(mark)}: {self.marks.against(other)}."
            )
        elif self._unclear:
            line, cell = self._unclear
            why = (
                f"Nothing in {self._columns} tells whether {told(cell)} on line {line} has decimals "
                "or separates thousands."
            )
            result.open.append(OpenQuestion("mark", why, tuple((mark, _named(mark)) for mark in MARKS)))
        else:
            # No number has any.
            result.mapping = replace(result.mapping, mark=".")

    def _check_decimals(self, mapping: Mapping, currency: str, decimals: int) -> None:
        if mapping.decimals == 0 and mapping.unit == "smallest" and decimals:
            raise ColumnError(
                f"{self._columns}: amounts are said to be in the smallest unit and to have no "
                f"decimals, and {currency} has {decimals}: state {said('unit', 'whole')} where 12 is 12 "
                f"{currency}, or {said('decimals', decimals)} where it is 12 of the smallest unit",
                "decimals",
            )

    def _settle_decimals_of_file(self, result: Settled) -> None:
        """By the currency that is stated, or that stands beside amounts; of none as they are written."""
        mapping = result.mapping
        codes = {mapping.currency} if mapping.currency else {*chain(*map(codes_of, self.currencies))}
        known = {decimals for code in codes if (decimals := decimals_of(code)) is not None}
        if len(known) > 1:
            # A sign of several currencies: those with fewer decimals than are there are not meant.
            known = {decimals for decimals in known if decimals >= self._finest[mapping.mark]}
        if len(known) == 1:
            self._settle_decimals(result, *known)
            if mapping.decimals is None:
                of = f"{' or '.join(sorted(codes)[:3])}: {result.mapping.decimals}"
                result.reasons.append(f"Decimals of “{self.column}” are as many as those of {of}.")
        elif known and mapping.decimals is None and mapping.unit != "smallest":
            why = (
                f"Amounts in column “{self.column}” have {' and '.join(map(told, self.currencies))} beside "
                "them, which is of currencies with decimals and without."
            )
            result.open.append(OpenQuestion("decimals", why, DECIMAL_CHOICES))
        else:
            self._settle_decimals(result, None)

    def _settle_decimals(self, result: Settled, currency_decimals: int | None) -> None:
        mapping = result.mapping
        if mapping.decimals is not None:
            return
        finest = self._finest[mapping.mark]
        fraction = self._fractions.get(mapping.mark)
        if currency_decimals is not None:
            result.mapping = replace(mapping, decimals=currency_decimals)
        elif not fraction:
            if mapping.unit == "whole":
                why = f"Amounts in {self._columns} are whole units; nothing tells what the smallest is."
                result.open.append(OpenQuestion("decimals", why, DECIMAL_CHOICES))
                return
            result.mapping = replace(mapping, decimals=0, unit="smallest")
            result.reasons.append(f"“{self.column}” {self._has} whole numbers: amounts in the smallest unit.")
        elif finest <= 2 <= self._written[mapping.mark]:
            result.mapping = replace(mapping, decimals=2)
            result.reasons.append(
                f"“{self.column}” {self._has} two decimals (line {fraction[0]}: {told(fraction[1])}): the "
                "smallest unit is a hundredth."
            )
        else:
            why = (
                f"Amounts in {self._columns} have up to {finest} decimal{'' if finest == 1 else 's'} "
                f"(line {fraction[0]}: {told(fraction[1])}), and nothing tells how many there can be."
            )
            result.open.append(OpenQuestion("decimals", why, DECIMAL_CHOICES))

    def _settle_unit(self, result: Settled) -> None:
        mapping = result.mapping
        fraction = self._fractions.get(mapping.mark)
        if mapping.unit == "smallest" and fraction:
            line, cell = fraction
            raise ColumnError(
                f"{self._columns}: amounts are said to be in the smallest unit, and line {line} has "
                f"{told(cell)}",
                "unit",
            )
        if mapping.unit or mapping.decimals is None:
            return
        if fraction or not mapping.decimals:
            result.mapping = replace(mapping, unit="whole")
        elif self.seen:
            example = 10**mapping.decimals * 12
            why = (
                f"{self._sentence} whole numbers only: nothing tells whether 12 is {example} of "
                "the smallest unit, or 12."
            )
            choices = (
                ("whole", f"whole units: 12 is {example} of the smallest"),
                ("smallest", "the smallest unit: 12 is 12"),
            )
            result.open.append(OpenQuestion("unit", why, choices))

    def _settle_currency(self, result: Settled) -> None:
        if len(self.currencies) < 2:
            return
        (one, first), (other, second) = list(self.currencies.items())[:2]
        why = f"Amounts in {self._columns} are in {one} on line {first} and in {other} on line {second}."
        meant = [codes_of(each) for each in self.currencies]
        if any(len(each) != 1 for each in meant):
            raise ColumnError(
                f"{why} Write the codes of currencies, or state the one that is taken.", "currency"
            )
        choices = tuple((code, f"rows in {code}; others are refused") for code in sorted({*chain(*meant)}))
        result.open.append(OpenQuestion("currency", why, choices))


NEGATIVE_CHOICES = (
    (
        "refund",
        "a refund: a transaction of its own, whose id begins with refund-, of the amount without its sign; "
        "in sums it counts among those that succeeded",
    ),
    ("failed", "a transaction that FAILED, with such an id, of the amount without its sign"),
    ("refuse", "refused, row by row"),
)
DECIMAL_CHOICES: tuple[tuple[str, str], ...] = (
    ("2", "a hundredth, as a cent"),
    ("0", "the unit itself, as a yen"),
    ("3", "a thousandth, as a fils"),
)


def form_of(mapping: Mapping, kept_decimals: int | None = None) -> MoneyForm:
    """How amounts are read by a mapping in which all of it is settled, for a currency of so many decimals."""
    assert mapping.decimals is not None
    return MoneyForm(mapping.mark, mapping.decimals, mapping.unit, kept_decimals)


def form_of_other(mapping: Mapping, code: str) -> MoneyForm:
    """How amounts in another currency are read, to be told: in that one's smallest unit."""
    decimals = decimals_of(code)
    own = mapping.decimals or 0
    return MoneyForm(mapping.mark, own if decimals is None else decimals, mapping.unit)


def readable_share(cells: Iterable[str]) -> float:
    """Which part of the cells that are not empty are amounts in any form; 0 where all are empty."""
    found = [_is_amount(cell) for cell in cells if cell.strip()]
    return sum(found) / len(found) if found else 0.0


def _is_amount(cell: str) -> bool:
    try:
        parts = taken_apart(cell)
    except CellError:
        return False
    return any(_digits(parts, mark) for mark in MARKS)


def is_signed(cell: str) -> bool:
    """Whether a cell itself says that its amount is negative."""
    return any(sign in cell for sign in "-−–(")


def _named(mark: str) -> str:
    return "the point" if mark == "." else "the comma"
