"""The names of a table's columns."""

import re
import unicodedata
from collections.abc import Collection, Iterable, Sequence
from itertools import chain, count

from transactions.importing.currencies import codes_of
from transactions.importing.headers import candidates
from transactions.importing.table import FileError
from transactions.importing.wording import said
from transactions.spreadsheets import unguarded

COLUMNS_MAX = 1000
# Of a table that begins below other lines.
COLUMNS_BELOW_MIN = 3
NAME_MAX = 200
# A column of refused rows whose name says in JSON what their file has proved: `importing/errors_file.py`.
PROVED = re.compile(r"(?P<name>kinds(?: \(of the import\))?) (?P<meant>\{.*\})")


_LETTERS = re.compile(r"[^\W\d_]+")
_NAME_WITH_NUMBER = re.compile(r"[^\W\d_][^\d]*[0-9]{1,2}")
_DIGITS = re.compile(r"[0-9]+")
# Within what begins with a digit.
_OF_MOMENTS = frozenset(("T", "Z", "AM", "PM", "am", "pm", "UTC", "GMT"))
# Of days whose month is a name, in the languages that exports are written in.
_MONTHS_TEXT = """
    jan january januar janvier januari enero ene gennaio gen janeiro feb february februar fevrier fevr
    februari febrero febbraio fevereiro fev mar march marz maerz mars maart mrt marzo marco apr april avril
    avr abril abr aprile may mai mei mayo maggio mag maio maj jun june juni juin junio giugno giu junho jul
    july juli juillet juil julio luglio lug julho aug august aout augustus agosto ago augusti sep sept
    september septembre septiembre settembre set setembro oct october oktober okt octobre octubre ottobre
    ott outubro out nov november novembre noviembre novembro dec december dezember dez decembre diciembre
    dic dicembre dezembro
"""
_MONTHS = frozenset(_MONTHS_TEXT.split())
_WITH_MONTHS_TEXT = """
    mon monday montag mo tue tues tuesday dienstag di wed wednesday mittwoch mi thu thur thurs thursday
    donnerstag do fri friday freitag fr sat saturday samstag sa sun sunday sonntag so st nd rd th of de uhr
    t z am pm utc gmt cet cest bst est edt cst cdt mst mdt pst pdt
"""
_WITH_MONTHS = _MONTHS | frozenset(_WITH_MONTHS_TEXT.split())


def first_rows_names(header: Sequence[str], file: str, place: str) -> tuple[str, ...]:
    """The names in what is most likely the header. Raises FileError, also where it may be a row of the table.

    A number, an amount or a moment is no name of a column: whoever has the file says which it is.
    """
    if not is_of_refusals(header) and (cell := next(filter(_is_value, header), "")):
        line = place.rpartition(" ")[2]
        raise FileError(
            f"{file}: {place} may be a row: {cell.strip()[:30]!r} is no name of a column. State "
            f"{said('header', 0)} if no row names the columns, {said('header', line)} if this one does, or "
            "the number of the line that does"
        )
    return named(header, file, place)


def is_of_refusals(header: Sequence[str]) -> bool:
    """Whether it begins as `importing/errors_file.py` writes it: names of the file's own stand behind."""
    return all(map(str.startswith, header, ("line", "code", "reason"))) and len(header) > 3


def _is_value(cell: str) -> bool:
    """Whether it has digits, and letters only as a moment has them or those of a currency."""
    if not any(map(str.isdigit, cell)):
        return False
    known = _OF_MOMENTS if cell.strip()[:1].isdigit() else frozenset[str]()
    # With the sign behind the letters, if any: US$.
    found = [(each[0], cell[each.end() : each.end() + 1]) for each in _LETTERS.finditer(cell)]
    if all(word in known or codes_of(word) or codes_of(word + sign) for word, sign in found):
        return True
    return _has_month({_folded(word) for word, _ in found}) and len(_DIGITS.findall(cell)) > 1


def _has_month(words: set[str]) -> bool:
    """Whether they are those of a day whose month is a name."""
    return bool(words & _MONTHS) and words <= _WITH_MONTHS


def _folded(word: str) -> str:
    apart = unicodedata.normalize("NFKD", word.casefold())
    return "".join(each for each in apart if not unicodedata.combining(each))


def numbered(widths: Iterable[int]) -> tuple[str, ...]:
    """The names of columns that nothing names, of rows as wide as that."""
    return tuple(f"column {number}" for number in range(1, max(widths, default=0) + 1))


def named(header: Iterable[str], file: str, place: str) -> tuple[str, ...]:
    """The names in a header, at `place` of the file: without spaces around, and "column 3" for an empty one.

    One that repeats has a number behind it. Raises FileError for one that is too long, and for too many.
    """
    names: list[str] = []
    for number, cell in enumerate(header, start=1):
        name = " ".join(cell.replace("\ufeff", "").split()) or f"column {number}"
        if "\0" in name:
            raise FileError(
                f"{file}: {place}, column {number}: holds a NUL, as no text does; is this a table?"
            )
        # What guards a name against spreadsheets, as in a file of refused rows, is no part of it.
        if len(unguarded(name)) > NAME_MAX and not PROVED.fullmatch(unguarded(name)):
            told = f"{name[:30]!r}… is longer than {NAME_MAX} characters; is this line a header?"
            raise FileError(f"{file}: {place}, column {number}: {told}")
        names.append(_of_its_own(name, names))
        if number > COLUMNS_MAX:
            raise FileError(f"{file}: {place}: more than {COLUMNS_MAX:,} columns")
    if not names:
        raise FileError(f"{file}: {place}: names of columns are expected, and there are none")
    return tuple(names)


def _of_its_own(name: str, names: Collection[str]) -> str:
    """The name, with a number where it is there already: which of them is meant is asked."""
    numbers = chain([""], (f" ({number})" for number in count(2)))
    return next(f"{name}{number}" for number in numbers if f"{name}{number}" not in names)


class RowFaults:
    """Why rows of a table cannot be used, asked in their order: behind another's header all are of that."""

    def __init__(self, columns: tuple[str, ...], header: list[str]) -> None:
        self._columns, self._header = columns, header
        self._other = ""

    def of(self, line: int, cells: list[str]) -> str:
        """Why this row does not fit; "" if it does."""
        if cells == self._header:
            # As where two exports were put into one file.
            return "the header stands here once more"
        if not self._other and not any(map(str.isdigit, "".join(cells))) and names_fields(cells):
            self._other = f"another table begins on line {line}: its rows belong into a file of their own"
        return self._other or fault_of(self._columns, cells)


def names_fields(cells: Sequence[str]) -> bool:
    """Whether cells are names of columns, one of them of days and one of amounts."""
    named = [cell for cell in cells if cell.strip()]
    if len(named) < COLUMNS_BELOW_MIN:
        return False
    fields = ("amount", "debit", "credit")
    return any(candidates("created_at", named)) and any(any(candidates(each, named)) for each in fields)


def fault_of(columns: tuple[str, ...], cells: list[str]) -> str:
    """Why a row does not fit its header; "" if it does. Empty cells beyond the last column are let pass."""
    if len(cells) < len(columns):
        missing = columns[len(cells)]
        return f"column {missing!r} is missing: {len(cells)} cells where {len(columns)} are expected"
    for number, cell in enumerate(cells[len(columns) :], start=len(columns) + 1):
        if cell.strip():
            return f"cell {number} is too many, where {len(columns)} are expected: {cell[:50]!r}"
    if "\0" in "".join(cells):
        wrong = next(name for name, cell in zip(columns, cells, strict=False) if "\0" in cell)
        return f"column {wrong!r} holds a NUL"
    return ""


def _may_be_names(cells: Sequence[str]) -> bool:
    with_digits = [cell for cell in cells if any(map(str.isdigit, cell))]
    if not with_digits:
        return True
    known = any(candidates(field, [*cells])[0] for field in ("created_at", "amount", "debit", "credit"))
    return known and all(_NAME_WITH_NUMBER.fullmatch(cell.strip()) for cell in with_digits)


def header_at(rows: Sequence[tuple[int, list[str]]], *, even: bool = True) -> int:
    """The place of the header among the first rows: the first, unless narrower ones stand above a table.

    It names columns: no cell of it has a digit, unless others name a day or an amount and it ends with one as
    “Reference 1”; and none is empty, but for the first and the last. Rows below
    it have as many cells; those above have fewer, or values in half as many at most. In a sheet they are not
    `even`: there a row ends with its last value. So rows below have at most as many as the header, most of
    them values in more than half of it, and each row above it in no more than that. Where no row is so, the
    first that has names of days and of amounts is.
    """
    widths = [len(cells) for _, cells in rows]
    values = [sum(map(bool, map(str.strip, cells))) for _, cells in rows]
    for place in range(1, len(rows) - 1):
        width, below = widths[place], widths[place + 1 :]
        if even:
            narrower = width > max(widths[:place]) or 2 * max(values[:place]) <= width
            fits = all(each == width for each in below) and narrower
        else:
            filled = sum(2 * some > width for some in values[place + 1 :])
            fits = max(below) <= width and 2 * filled > len(below) and 2 * max(values[:place]) <= width
        if fits and values[place] >= COLUMNS_BELOW_MIN:
            cells = rows[place][1]
            named_all = all(map(str.strip, cells[1:-1])) and _may_be_names(cells)
            return place if named_all else 0
    # As where sums stand below the table, or another one.
    by_names = (place for place, (_, cells) in enumerate(rows[:-1]) if names_fields(cells))
    return next(by_names, 0)
