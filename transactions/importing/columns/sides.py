"""Amounts whose sign stands elsewhere: a column each of debits and credits, or one that says which it is.

What leaves the account is negative; how a negative amount is taken, the mapping says.
"""

from collections.abc import Iterable
from contextlib import suppress

from ..mapping import Mapping
from ..table import Number
from .money import taken_apart
from .proofs import CellError, ColumnError, told
from .statuses import plain

_DEBITS = """
    dr d db deb debit debits dbit debet soll s lastschrift belastung ausgang out outgoing withdrawal
    paidout moneyout refund refunded rückerstattung erstattung cargo retrait af débito addebito dare uscita
    debe expense sent sortie gasto withdrawn
"""
_CREDITS = """
    cr c cre credit credits crdt kredit haben h gutschrift eingang in incoming deposit paidin moneyin
    payment charge sale purchase zahlung abono bij crédito accredito avere entrata haber income received
    entrée ingreso
"""
SIDES = {
    **{plain(word): "debit" for word in _DEBITS.split()},
    **{plain(word): "credit" for word in _CREDITS.split()},
}
# Nothing is left of these as words.
_BARE = {
    "-": "debit",
    "−": "debit",
    "–": "debit",
    "-1": "debit",
    "+": "credit",
    "+1": "credit",
    "1": "credit",
}
# A letter stands for a word only beside the one that it is the other of.
_LETTERS = ({"d", "c"}, {"s", "h"})
_SIGNS = ("-", "−", "–", "(")


def is_side(cell: str) -> bool:
    """Whether a cell is a word for debit or credit."""
    return bool(_side_of(cell))


def is_debit(cell: str) -> bool:
    return _side_of(cell) == "debit"


def _side_of(cell: str) -> str:
    return _BARE.get(cell.strip()) or SIDES.get(plain(cell), "")


def say_sides(cells: Iterable[str]) -> bool:
    """Whether all that is there are words for debit or credit, a debit among them.

    Signs alone are those of amounts only where both are there: a dash also stands for nothing.
    """
    found = {cell.strip() for cell in cells if cell.strip()}
    if not (all(map(is_side, found)) and any(map(is_debit, found))):
        return False
    return not found <= _BARE.keys() or not all(map(is_debit, found))


def are_a_pair(cells: Iterable[str]) -> bool:
    """Whether they are two words that say debit and credit in one way: D and C, soll and haben, - and +."""
    found = {cell.strip() for cell in cells if cell.strip()}
    if found <= _BARE.keys():
        return {_BARE[cell] for cell in found} == {"debit", "credit"}
    known = {plain(cell) for cell in found}
    letters = {word for word in known if len(word) == 1}
    fitting = known in _LETTERS if letters else len(known) == 2
    return fitting and {SIDES.get(word) for word in known} == {"debit", "credit"}


def amount_columns(mapping: Mapping) -> str:
    """The column of the amounts as sentences name it, or those of debits and of credits; "" for none."""
    named = mapping.named
    if "amount" in named:
        return named["amount"]
    return "” and “".join(named[side] for side in ("debit", "credit") if side in named)


def amount_cell(mapping: Mapping, cells: dict[str, str]) -> str:
    """The amount of a row as one cell, with its sign; "" where it is empty. Raises CellError."""
    named = mapping.named
    if "amount" in named:
        amount = cells[named["amount"]]
        if "direction" in named:
            return _by_direction(amount, cells[named["direction"]])
        return _negative(amount) if goes_back(mapping, cells) and not _is_nothing(amount) else amount
    debit, credit = (cells[named[side]] if side in named else "" for side in ("debit", "credit"))
    if _is_nothing(debit):
        return credit if credit.strip() else debit
    if not _is_nothing(credit):
        raise CellError(
            f"a debit and a credit in one row: leave “…” or the other out of {told_pair(mapping)}", debit
        )
    return _negative(debit)


def goes_back(mapping: Mapping, cells: dict[str, str]) -> bool:
    """Whether a word of the row says that its amount has gone the other way."""
    return any(cells.get(column, "").strip() in words for column, words in mapping.refunds.items())


def amount_as_it_stands(mapping: Mapping, cells: dict[str, str]) -> tuple[str, str]:
    """The column that has the amount of a row, and its cell: without a sign that is said elsewhere."""
    named = mapping.named
    column = named.get("amount") or named.get("debit", "")
    if "credit" in named and _is_nothing(cells[column]) and cells[named["credit"]].strip():
        column = named["credit"]
    return column, cells[column]


def user_column(mapping: Mapping, cells: dict[str, str]) -> str:
    """The column that tells whose the row is, "" for none; that of a negative amount may be another."""
    named = mapping.named
    if "refund_user" in named and _is_negative(mapping, cells):
        return named["refund_user"]
    return named.get("user", "")


def _is_negative(mapping: Mapping, cells: dict[str, str]) -> bool:
    try:
        return taken_apart(amount_cell(mapping, cells)).negative
    except CellError:
        return False


def told_pair(mapping: Mapping) -> str:
    return " and ".join(f"“{mapping.named[side]}”" for side in ("debit", "credit"))


def _by_direction(amount: str, word: str) -> str:
    side = _side_of(word)
    if not side:
        raise CellError("“…” beside it is no word for debit or credit", word.strip())
    return _negative(amount) if side == "debit" and not _is_nothing(amount) else amount


def _is_nothing(cell: str) -> bool:
    """Whether a cell is empty, a dash, or zero, be it in a currency."""
    if not cell.strip(" \u00a0-–−.,0"):
        return True
    try:
        return not taken_apart(cell).number.strip("0.,")
    except CellError:
        return False


def _negative(cell: str) -> str:
    """With a minus, unless it has one already: some banks write both."""
    text = cell.strip()
    if any(sign in text for sign in _SIGNS):
        return cell
    return Number(f"-{text}") if isinstance(cell, Number) else f"-{text.removeprefix('+')}"


class DebitProof:
    """Whether debits have a minus, all of them or none: see every row, then ask for `check`.

    Of those with both nobody knows whether a minus says that it is a debit, or that one was taken back.
    """

    def __init__(self, mapping: Mapping) -> None:
        self._named = mapping.named
        self._column = self._named.get("debit", self._named.get("amount", ""))
        # By whether it has a minus, the first debit.
        self._first: dict[bool, tuple[int, str]] = {}

    def see(self, line: int, cells: dict[str, str]) -> None:
        if len(self._first) == 2 or not self._is_debit(cells) or _is_nothing(cells[self._column]):
            return
        with suppress(CellError):
            self._first.setdefault(taken_apart(cells[self._column]).negative, (line, cells[self._column]))

    def _is_debit(self, cells: dict[str, str]) -> bool:
        if "direction" in self._named:
            return is_debit(cells[self._named["direction"]])
        return "debit" in self._named

    def check(self) -> None:
        """Raises ColumnError for debits of both kinds."""
        if len(self._first) == 2:
            (with_minus, one), (without, other) = self._first[True], self._first[False]
            raise ColumnError(
                f"column “{self._column}” has debits with a minus (line {with_minus}: {told(one)}) and "
                f"without (line {without}: {told(other)}), and nothing tells whether such a minus takes one "
                "back: write all debits in one way"
            )
