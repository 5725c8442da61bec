"""Which column says whose a row is, and whose a refund: of a statement the other side."""

from dataclasses import replace
from itertools import chain

from . import directions
from .columns import sides
from .columns.proofs import OpenQuestion
from .first_rows import DISTINCT_ROWS_MIN, FirstRows, any_text
from .headers import candidates, is_of_accounts, is_of_cards, is_of_payers, is_of_the_other_side

# Of one holder's own accounts, how many the first rows of a file may have.
OWN_ACCOUNTS_MAX = 20


def find_user(first: FirstRows) -> None:
    """The customer's column; of a statement the other side, never the own account of every row."""
    beside = any(map(is_of_the_other_side, first.free))
    kept = first.free
    own = [each for each in kept if is_of_accounts(each) and (beside or _is_one_of_many(first, each))]
    first.free = [each for each in kept if each not in own and not _is_mostly_empty(first, each)]
    if "user" not in first.mapping.columns and own:
        names = candidates("user", first.free)
        likely = [each for each in chain(*names) if not is_of_accounts(each)]
        first.free = likely
    doubtful = [each for each in first.free if _may_be_own(first, each)]
    first.free = [each for each in first.free if each not in doubtful]
    first.find("user", any_text)
    if doubtful and "user" not in first.mapping.columns and "user" not in first.unread:
        why = (
            f"Column “{doubtful[0]}” has accounts, and may be the own one of whoever has the file, which is "
            "no customer."
        )
        first.unread["user"] = OpenQuestion("columns.user", why)
    first.free = [each for each in kept if each != first.mapping.named.get("user")]


def _is_one_of_many(first: FirstRows, column: str) -> bool:
    """Whether so many rows have one value there that it is no customer's."""
    return len(first.lines) >= DISTINCT_ROWS_MIN and len({*first.cells[column]}) == 1


def _may_be_own(first: FirstRows, column: str) -> bool:
    """Whether a column of accounts has so few that they may be those of one holder."""
    if not is_of_accounts(column) or is_of_cards(column):
        return False
    return len({cell for cell in first.cells[column] if cell.strip()}) <= OWN_ACCOUNTS_MAX


def _is_mostly_empty(first: FirstRows, column: str) -> bool:
    cells = first.cells[column]
    return is_of_the_other_side(column) and 2 * sum(map(bool, map(str.strip, cells))) < len(cells)


def find_refund_user(first: FirstRows) -> None:
    """Who is paid, where the user's column has who pays and some amounts went the other way."""
    named = first.mapping.named
    if "refund_user" in first.mapping.columns or not named.keys() >= {"user", "amount"}:
        _find_payee_by_name(first)
        return
    back = _are_back(first, named)
    if not any(back) and "direction" not in named:
        return
    _find_payee_by_name(first)
    if "refund_user" not in first.mapping.named:
        users = first.cells[named["user"]]
        swapped = [each for each in first.free if directions.are_swapped(users, first.cells[each], back)]
        if len(swapped) == 1:
            first.take("refund_user", swapped[0], "by what is in it: in refunds the two change places")


def _are_back(first: FirstRows, named: dict[str, str]) -> list[bool]:
    """Which of the first rows went the other way."""
    amounts = first.cells[named["amount"]]
    words = first.cells[named["direction"]] if "direction" in named else [""] * len(amounts)
    stated = [
        any(first.cells[column][at].strip() in backs for column, backs in first.mapping.refunds.items())
        for at in range(len(amounts))
    ]
    return [
        directions.is_negative(cell) or sides.is_debit(word) or goes_back
        for cell, word, goes_back in zip(amounts, words, stated, strict=True)
    ]


def _find_payee_by_name(first: FirstRows) -> None:
    named = first.mapping.named
    if is_of_payers(named.get("user", "")) and named.keys() & {"amount", "debit"}:
        first.find("refund_user", any_text)


def take_accounts(first: FirstRows) -> None:
    column = first.mapping.named.get("user", "")
    if column and not first.mapping.users and is_of_accounts(column):
        first.mapping = replace(first.mapping, users="name")
        first.reasons.append(f"“{column}” has numbers of accounts: they are names of users, not keys.")
