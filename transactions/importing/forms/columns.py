"""The names of a table's columns."""

from collections.abc import Iterable, Sequence

from transactions.importing.table import FileError

COLUMNS_MAX = 1000
# Of a table that begins below other lines.
COLUMNS_BELOW_MIN = 3
NAME_MAX = 200


def named(header: Iterable[str], file: str, place: str) -> tuple[str, ...]:
    """The names in a header, at `place` of the file: without spaces around, and "column 3" for an empty one.

    Raises FileError for a name that repeats, that is too long, or for too many of them.
    """
    names: list[str] = []
    for number, cell in enumerate(header, start=1):
        name = " ".join(cell.replace("\ufeff", "").split()) or f"column {number}"
        if "\0" in name:
            raise FileError(
                f"{file}: {place}, column {number}: holds a NUL, as no text does; is this a table?"
            )
        if len(name) > NAME_MAX:
            told = f"{name[:30]!r}… is longer than {NAME_MAX} characters; is this line a header?"
            raise FileError(f"{file}: {place}, column {number}: {told}")
        if name in names:
            told = f"{name!r} is also column {names.index(name) + 1}; give each a name of its own"
            raise FileError(f"{file}: {place}, column {number}: {told}")
        names.append(name)
        if number > COLUMNS_MAX:
            raise FileError(f"{file}: {place}: more than {COLUMNS_MAX:,} columns")
    if not names:
        raise FileError(f"{file}: {place}: names of columns are expected, and there are none")
    return tuple(names)


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


def header_at(rows: Sequence[tuple[int, list[str]]], *, even: bool = True) -> int:
    """The place of the header among the first rows: the first, unless narrower ones stand above a table.

    It names columns: no cell of it has a digit, and none is empty, but for the first and the last. Rows below
    it have as many cells; those above have fewer, or values in half as many at most. In a sheet they are not
    `even`: there a row ends with its last value. So rows below have at most as many as the header, most of
    them values in more than half of it, and each row above it in no more than that.
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
            named_all = all(map(str.strip, cells[1:-1])) and not any(map(str.isdigit, "".join(cells)))
            return place if named_all else 0
    return 0
