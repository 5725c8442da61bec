"""A good guess at what a file means, by its header and rows: shown and agreed to, never taken silently."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import chain

from .columns import moments, statuses
from .columns.proofs import OpenQuestion
from .first_rows import (
    ALIKE_MIN,
    DISTINCT_ROWS_MIN,
    LINES_TOLD_MAX,
    FirstRows,
    any_text,
    clocks,
    fractions,
    written_moments,
    zones,
)
from .headers import OF_EXPORT, OF_LIST, OF_REFUSALS, OWN_FIELDS, candidates, words
from .mapping import Mapping, of_keys
from .money_columns import find_amounts, find_currency
from .proving import TableProof
from .table import FileError, Table
from .user_columns import find_refund_user, find_user, take_accounts
from .wording import said

# What an id looks like: one word, with a digit in it, and no decimals.
_ID = re.compile(r"(?=\D*\d)[^\s,.]{1,100}")
# Words of names of columns that say when, or a part of it.
_WHEN_TEXT = "date time timestamp datetime step hour day month year when datum"
_WHEN = frozenset(_WHEN_TEXT.split())
_UTC = re.compile(r"\b(UTC|GMT)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Guess:
    """The mapping as far as it is known, a sentence for each thing guessed or proved, and what is open."""

    mapping: Mapping
    reasons: tuple[str, ...]
    open: tuple[OpenQuestion, ...]
    # Words of the status's column that nobody knows, with the first line of each: such rows are refused.
    unknown: tuple[tuple[str, int], ...] = ()
    # Its common words, as the file has them, and the status that each is taken for.
    known: tuple[tuple[str, str], ...] = ()


def guess(table: Table, given: Mapping) -> Guess:
    """Columns by their names and first rows, forms by all rows.

    What is `given` stands, however the file looks. Raises FileError, ColumnError where a column contradicts
    itself, and MappingError where what is given does not fit the file.
    """
    first = FirstRows(table, given.over(of_keys(table.meant)).fitting(table.columns))
    if table.meant:
        first.reasons.append(
            "These are refused rows: each is taken to mean what its file proved, unless it is said otherwise."
        )
    _find_all(first)
    proof = TableProof(first.mapping.checked(table.columns), ids_asked=bool(first.distinct))
    first_fault = ""
    for row in table.rows():
        first_fault = first_fault or (row.fault and f"line {row.line}: {row.fault}")
        proof.see(row)
    settled = proof.settled()
    if first_fault and not proof.rows and not first.has_rows and settled.open:
        raise FileError(
            f"not one row fits the header, and so nothing tells what the columns mean ({first_fault}): "
            "correct the rows, or state the columns"
        )
    questions = [first.with_choices(question) for question in first.asked(settled.open)]
    lacking = [
        f"The file has no column “{each}”: no row is passed over by it."
        for each in given.lacking(table.columns)
    ]
    reasons = (*filter(None, [table.doubt]), *lacking, *first.reasons, *settled.reasons)
    return Guess(
        settled.mapping, reasons, tuple(questions), tuple(proof.unknown.items()), tuple(proof.known.items())
    )


def open_in_first_rows(table: Table, agreed: Mapping) -> list[OpenQuestion]:
    """What a guess would ask by the first rows, or find, that nobody has agreed on; `plan` asks the rest.

    Raises FileError, ColumnError and MappingError as a guess does.
    """
    first = FirstRows(table, agreed.fitting(table.columns))
    _find_all(first)
    found = [first.about_found(field) for field in first.mapping.named if field not in agreed.columns]
    return [*map(first.with_choices, first.asked(())), *found]


def _find_all(first: FirstRows) -> None:
    """To what is given the columns that are likely: what is found first is no other's any more."""
    if {*first.names} >= OF_EXPORT:
        _take_own(first, "The header is that of the admin's export", guarded=True)
    elif {*first.names} - {*OF_REFUSALS} == OF_LIST and not fractions(first.cells["amount"]):
        _take_own(first, "The columns are those of the API's transactions", csv=first.is_csv)
    if first.mapping.ids != "content":
        first.find("transaction_id", any_text)
        _find_id_of_some_name(first)
    _find_times(first)
    find_amounts(first)
    find_currency(first)
    first.find("status", any_text, by_cells=statuses.known_share)
    find_user(first)
    find_refund_user(first)
    take_accounts(first)
    _ask_about_ids(first)
    if "created_at" not in first.mapping.named and "created_at" not in first.unread:
        _ask_about_times(first)
    if "created_at" not in first.mapping.named and "created_at" not in first.unread:
        first.reasons.append("No column has times: a transaction's is the moment of its import.")


def _take_own(first: FirstRows, why: str, *, guarded: bool = False, csv: bool = False) -> None:
    """`csv`: a table with the API's columns, which writes none: whose unit it is in nobody knows."""
    own = {name: field for field, names in OWN_FIELDS.items() for name in names}
    own = {own[name]: name for name in first.free if name in own}
    first.free = [name for name in first.free if name not in own.values()]
    # With a currency beside them they are in its unit.
    unit = "whole" if "currency" in first.names else "" if csv else "smallest"
    base = Mapping(own, ids="column", users="key", mark=".", unit=unit, dates="iso")
    first.mapping = first.mapping.over(replace(base, guarded=guarded or None))
    said = {"whole": "the unit of the currency", "smallest": "the smallest unit"}.get(unit)
    first.reasons.append(f"{why}: users are keys{f', and amounts are in {said}' if said else ''}.")


# --- Times ----------------------------------------------------------------------------------------


def _find_times(first: FirstRows) -> None:
    """The day, and beside it the time of the day and the zone where these have columns of their own."""
    # A form that is stated stands, also where none is known by which the cells can be read.
    dated = any_text if first.mapping.dates else moments.readable_share
    first.find("created_at", dated, by_cells=written_moments)
    if "created_at" in first.mapping.named:
        # A moment that has its time needs none beside it.
        if not all(":" in cell for cell in first.cells[first.mapping.named["created_at"]] if cell.strip()):
            first.find("time", any_text if "%" in first.mapping.dates else clocks)
        first.find("timezone", zones)
        _take_utc(first)


def _take_utc(first: FirstRows) -> None:
    column = first.mapping.named["created_at"]
    if not first.mapping.timezone and "timezone" not in first.mapping.named and _UTC.search(column):
        first.mapping = replace(first.mapping, timezone="UTC")
        first.reasons.append(f"Times are in UTC, as “{column}” says.")


def _ask_about_times(first: FirstRows) -> None:
    """Of columns that may say when, be it in parts or counted, nobody passes over them in silence."""
    filled = [each for each in first.free if any(map(str.strip, first.cells[each]))]
    found = [each for each in filled if _may_say_when(each, first.cells[each])]
    if found and "created_at" not in first.mapping.columns:
        names = ", ".join(f"“{each}”" for each in found[:LINES_TOLD_MAX])
        form = moments.without_year(first.cells[found[0]])
        how = (
            "days without a year are" if form else "what is in parts belongs into one column; what counts is"
        )
        why = (
            f"No column is known to have the times, and {names} may say when: {how} stated, as "
            f"{said('columns.created_at', found[0])}, {said('dates', form or 'hours')} and "
            f"{said('since', '2026-01-01T00:00:00Z')}."
        )
        first.unread["created_at"] = OpenQuestion("columns.created_at", why)


def _may_say_when(column: str, cells: Sequence[str]) -> bool:
    named = words(column)
    # As Belegdatum, in one word.
    called = named & _WHEN or any(each.endswith(("datum", "date")) for each in named)
    return bool(called) or written_moments(cells) >= ALIKE_MIN


# --- Ids ------------------------------------------------------------------------------------------


def _find_id_of_some_name(first: FirstRows) -> None:
    """The only column that is called the id of something, and that no two of the first rows share."""
    if "transaction_id" in first.mapping.columns:
        return
    whose = {*chain(*candidates("user", first.free))}
    found = [
        name
        for name in first.free
        if name not in whose and words(name) & {"id"} and len({*first.cells[name]}) == len(first.lines) > 1
    ]
    if len(found) == 1 and all(cell.strip() for cell in first.cells[found[0]]):
        first.take("transaction_id", found[0], "by its name, and no two rows share one")


def _ask_about_ids(first: FirstRows) -> None:
    """Of columns that nobody knows, those in which each row has a value of its own may be the ids."""
    if "transaction_id" in first.mapping.columns or first.mapping.ids == "content":
        return
    first.distinct = [name for name in first.free if _is_of_ids(first, name)]
    if first.distinct:
        names = ", ".join(f"“{each}”" for each in first.distinct[:LINES_TOLD_MAX])
        why = (
            f"No column has the name of an id, and each of the first {len(first.lines):,} rows has a "
            f"value of its own in {names}: it may be the id."
        )
        first.unread["transaction_id"] = OpenQuestion("columns.transaction_id", why)


def _is_of_ids(first: FirstRows, column: str) -> bool:
    cells = [cell.strip() for cell in first.cells[column]]
    distinct = len({*cells}) == len(cells) >= DISTINCT_ROWS_MIN
    return distinct and all(map(_ID.fullmatch, cells)) and not any(map(moments.readings, cells))
