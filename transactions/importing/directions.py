"""Which column says of each amount whether it is a debit: passed over it makes payments of refunds."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from .columns import money, sides
from .columns.proofs import CellError
from .headers import NAMES, candidates, is_of_means, plain

# The part of a column's cells that are words for debit or credit, if it has the name of one.
WORDS_MIN = 0.8
# What has these names is something else, whatever its words: D may be declined, and S somebody.
_OTHERS = ("transaction_id", "user", "refund_user", "status", "currency")


class Direction(NamedTuple):
    """The column and how it is known, "" for none; or why it has to be asked about."""

    column: str = ""
    how: str = ""
    why: str = ""


def likely(free: Sequence[str], cells: Mapping[str, Sequence[str]], amounts: Sequence[str]) -> Direction:
    """The column of debits and credits among those that are `free`, beside the amounts of the first rows."""
    signed = any(map(is_negative, amounts))
    named = [each for each in candidates("direction", free)[0] if _has_sides(cells[each])]
    by_words = [each for each in free if may_tell(each) and sides.say_sides(cells[each])]
    if not signed and named:
        return Direction(named[0], "by its name and what is in it")
    # Of a payment's kind most words say nothing of the sign that stands there: all of them have to.
    named = [each for each in named if sides.say_sides(cells[each])]
    found = named[:1] or by_words
    if not found:
        return Direction()
    column = found[0]
    if len(found) > 1:
        told = " and ".join(f"“{each}”" for each in found[:2])
        return Direction(why=f"Of columns that may say what is a debit there are several, as {told}.")
    if signed and any(_differ(cell, word) for cell, word in zip(amounts, cells[column], strict=True)):
        return Direction(
            why=f"Column “{column}” has words for debit and credit, and amounts have a minus of their own "
            "that says otherwise."
        )
    if column in named or sides.are_a_pair(cells[column]):
        return Direction(column, "by its name and what is in it" if column in named else "by what is in it")
    return Direction(why=f"Column “{column}” may say which amounts are debits: nothing else is in it.")


def may_tell(column: str) -> bool:
    """Whether a column may tell debits by its name: it is not called as what has such words too."""
    # By its own name alone: a file may have a thousand columns.
    return not any(plain(column) in NAMES[field] for field in _OTHERS) and not is_of_means(column)


def _has_sides(cells: Sequence[str]) -> bool:
    known = [sides.is_side(cell) for cell in cells if cell.strip()]
    return bool(known) and sum(known) / len(known) >= WORDS_MIN and any(map(sides.is_debit, cells))


def _differ(amount: str, word: str) -> bool:
    """Whether the sign of an amount is not the one that the word beside it says."""
    return bool(word.strip() and amount.strip("0,. ")) and is_negative(amount) != sides.is_debit(word)


def is_negative(cell: str) -> bool:
    try:
        return money.taken_apart(cell).negative
    except CellError:
        return False


def are_swapped(users: Sequence[str], others: Sequence[str], back: Sequence[bool]) -> bool:
    """Whether in all rows that went back the user is who else stands among the others, and the other way."""
    forth = {(users[at], others[at]) for at in range(len(back)) if not back[at]}
    payers, payees = {user for user, _ in forth} - {""}, {other for _, other in forth} - {""}
    rows = [(users[at], others[at]) for at in range(len(back)) if back[at]]
    apart = not payers & payees
    return apart and bool(rows) and all(user in payees and other in payers for user, other in rows)
