"""A good guess at what a file means, from its header and its rows: to be shown and agreed to, never taken silently."""

from dataclasses import dataclass

from .mapping import Mapping
from .table import Table


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """What the file cannot tell. `key` is one of the mapping's, whose `stating` takes the answer.

    `choices` are values and what each means; where there are none, any value that the key may have is right.
    """

    key: str
    why: str
    choices: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Guess:
    """The mapping as far as it is known, a sentence for each thing that was guessed or proved, and what is open."""

    mapping: Mapping
    reasons: tuple[str, ...]
    open: tuple[OpenQuestion, ...]


def guess(table: Table, given: Mapping, *, rows_max: int | None = None) -> Guess:
    """Columns by their names and first rows, forms by all rows: or by the first `rows_max`.

    What is `given` stands, however the file looks. Raises FileError, ColumnError where a column contradicts
    itself, and MappingError where what is given does not fit the file.
    """
    raise NotImplementedError
