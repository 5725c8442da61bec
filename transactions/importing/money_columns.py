"""Which columns have the amounts, which side each is on, and the currency."""

from dataclasses import replace

from .. import money as currency_of_deployment
from . import directions
from .amount_names import codes_in, is_scaled
from .columns import money
from .columns.proofs import ColumnError, OpenQuestion
from .first_rows import ALIKE_MIN, FirstRows, codes_share, currencies_share, fractions
from .headers import candidates, is_of_sides, is_other


def find_amounts(first: FirstRows) -> None:
    """One column, or one of debits and one of credits; and which an amount is, if a column tells."""
    columns = first.mapping.columns
    if "amount" not in columns and not (first.mapping.named.keys() & {"debit", "credit"}):
        whole = first.likely("amount", candidates("amount", first.free)[0])
        pair = [_side(first, "debit"), _side(first, "credit")]
        if not whole and all(pair) and any(map(is_scaled, pair)):
            first.ask_about_scale(next(filter(is_scaled, pair)))
            return
        if not whole and all(pair):
            first.take("debit", pair[0], "by its name")
            first.take("credit", pair[1], "by its name")
            return
        partly = first.likely("amount", candidates("amount", first.free)[1])
        readable = [each for each in partly if money.readable_share(first.cells[each]) >= ALIKE_MIN]
        if not whole and len(readable) > 1:
            names = " and ".join(f"“{each}”" for each in readable[:2])
            why = f"Of columns that may have the amounts there are several, as {names}."
            first.unread["amount"] = OpenQuestion("columns.amount", why)
        else:
            # Beside debits and credits that nobody has told apart any other column is something else.
            apart = any(map(is_of_sides, first.free))
            first.find("amount", money.readable_share, by_cells=None if apart else fractions)
    _find_direction(first)


def _side(first: FirstRows, field: str) -> str:
    whole, _ = candidates(field, first.free)
    fitting = [each for each in whole if money.readable_share(first.cells[each]) >= ALIKE_MIN]
    return fitting[0] if len(fitting) == 1 else ""


def _find_direction(first: FirstRows) -> None:
    """A column that says of each amount whether it is a debit: by its name, or by its words alone."""
    if "direction" in first.mapping.columns or "amount" not in first.mapping.named:
        return
    amounts = first.cells[first.mapping.named["amount"]]
    free = [each for each in first.free if each not in {*first.mapping.skip, *first.mapping.refunds}]
    found = directions.likely(free, first.cells, amounts)
    if found.column and not found.why:
        first.take("direction", found.column, found.how)
    elif found.why:
        first.unread["direction"] = OpenQuestion("columns.direction", found.why)


def find_currency(first: FirstRows) -> None:
    """The currency's column; else what the amount's own name states."""
    named = first.mapping.named
    amounts = [named[field] for field in ("amount", "debit", "credit") if field in named]
    stated = next(((each, codes) for each in amounts if (codes := codes_in(each))), None)
    if "currency" not in first.mapping.columns:
        whole, partly = (first.likely("currency", some) for some in candidates("currency", first.free))
        if len(partly) > 1 and not whole and not stated:
            names = " and ".join(f"“{each}”" for each in partly[:2])
            why = f"Of columns that may have the currency there are several, as {names}."
            first.unread["currency"] = OpenQuestion("columns.currency", why)
        elif whole or not stated:
            first.find("currency", currencies_share)
    _find_currency_by_codes(first)
    if stated and "currency" not in first.mapping.named and "currency" not in first.unread:
        _take_stated(first, *stated)


def _find_currency_by_codes(first: FirstRows) -> None:
    """What has nothing but codes of currencies says which one, whatever it is called: WKZ Umsatz."""
    if "currency" in first.mapping.columns or "currency" in first.unread:
        return
    found = [
        each for each in first.free if not is_other("currency", each) and codes_share(first.cells[each]) == 1
    ]
    if len({tuple(first.cells[each]) for each in found}) > 1:
        names = " and ".join(f"“{each}”" for each in found[:2])
        why = f"Of columns that have codes of currencies there are several, as {names}."
        first.unread["currency"] = OpenQuestion("columns.currency", why)
    elif found:
        first.take("currency", found[0], "by what is in it")


def _take_stated(first: FirstRows, amount: str, stated: frozenset[str]) -> None:
    """Of a sign of several currencies, as $, the proof asks what it needs to know."""
    taken = first.mapping.currency or currency_of_deployment.code()
    said = " or ".join(sorted(stated)[:3])
    if taken and taken not in stated:
        raise ColumnError(
            f"column “{amount}”: its name says {said}, and only {taken} is taken", "columns.amount"
        )
    if not first.mapping.currency and (taken or len(stated) == 1):
        first.mapping = replace(first.mapping, currency=taken or said)
        first.reasons.append(f"Amounts are in {taken or said}, as “{amount}” says.")
