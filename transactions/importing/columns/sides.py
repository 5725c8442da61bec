"""Amounts whose sign stands elsewhere: a column each of debits and credits, or one that says which it is.

What leaves the account is negative; how a negative amount is taken, the mapping says.
"""

from ..mapping import Mapping
from ..table import Number
from .money import taken_apart
from .proofs import CellError
from .statuses import plain

_DEBITS = """
    dr d db deb debit debits dbit debet soll s lastschrift belastung ausgang out outgoing withdrawal
    paidout moneyout refund refunded rückerstattung erstattung cargo retrait
"""
_CREDITS = """
    cr c cre credit credits crdt kredit haben h gutschrift eingang in incoming deposit paidin moneyin
    payment charge sale purchase zahlung abono
"""
SIDES = {
    **{plain(word): "debit" for word in _DEBITS.split()},
    **{plain(word): "credit" for word in _CREDITS.split()},
}
_SIGNS = ("-", "−", "–", "(")


def is_side(cell: str) -> bool:
    """Whether a cell is a word for debit or credit."""
    return plain(cell) in SIDES


def is_debit(cell: str) -> bool:
    return SIDES.get(plain(cell)) == "debit"


def amount_columns(mapping: Mapping) -> str:
    """The column of the amounts as sentences name it, or those of debits and of credits; "" for none."""
    named = mapping.named
    if "amount" in named:
        return named["amount"]
    return "”, “".join(named[side] for side in ("debit", "credit") if side in named)


def amount_cell(mapping: Mapping, cells: dict[str, str]) -> str:
    """The amount of a row as one cell, with its sign; "" where it is empty. Raises CellError."""
    named = mapping.named
    if "amount" in named:
        amount = cells[named["amount"]]
        return _by_direction(amount, cells[named["direction"]]) if "direction" in named else amount
    debit, credit = (cells[named[side]] if side in named else "" for side in ("debit", "credit"))
    if _is_nothing(debit):
        return credit if credit.strip() else debit
    if not _is_nothing(credit):
        raise CellError(
            f"a debit and a credit in one row: leave “…” or the other out of {told_pair(mapping)}", debit
        )
    return _negative(debit)


def told_pair(mapping: Mapping) -> str:
    return " and ".join(f"“{mapping.named[side]}”" for side in ("debit", "credit"))


def _by_direction(amount: str, word: str) -> str:
    side = SIDES.get(plain(word))
    if side is None:
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
