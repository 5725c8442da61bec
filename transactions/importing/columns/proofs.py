"""What a column proves about itself, where it contradicts itself, and what it leaves open."""

from collections.abc import Collection
from dataclasses import dataclass, field

from ..mapping import Mapping

# Characters of a cell that are told again.
TOLD_MAX = 60


class ColumnError(Exception):
    """A column that cannot be read in one way. The message names the column and the lines that show it.

    `key` is that of the mapping which would settle it, "" where only another file does.
    """

    def __init__(self, message: str, key: str = "") -> None:
        super().__init__(message)
        self.key = key


class CellError(Exception):
    """A cell that cannot be read. The message says what would be right; in `kind` “…” stands for the text."""

    def __init__(self, kind: str, cell: str = "") -> None:
        super().__init__(kind.replace("“…”", told(cell), 1))
        self.kind = kind


@dataclass(frozen=True, slots=True)
class OpenQuestion:
    """What the file cannot tell. `key` is one of the mapping's, by which the answer is stated.

    `choices` are values and what each means; where there are none, any value that the key may have is right.
    """

    key: str
    why: str
    choices: tuple[tuple[str, str], ...] = ()


@dataclass(slots=True)
class Settled:
    """What columns came to: the mapping with it, a sentence for each thing proved, and what stays open."""

    mapping: Mapping
    reasons: list[str] = field(default_factory=list)
    open: list[OpenQuestion] = field(default_factory=list)


def told(cell: str) -> str:
    """A cell as a sentence quotes it."""
    shown = "".join(each if each.isprintable() else "�" for each in cell[: TOLD_MAX + 1])
    return f"“{shown[:TOLD_MAX]}{'…' if len(shown) > TOLD_MAX else ''}”"


class Proof:
    """The forms in which every cell so far can be read; of each other the first line that rules it out."""

    def __init__(self, forms: Collection[str]) -> None:
        self.left = set(forms)
        self._against: dict[str, tuple[int, str]] = {}
        # The first cell that more than one form reads, but not all.
        self.example: tuple[int, str] | None = None
        # Two lines and their cells that no form reads both.
        self.contradiction: tuple[tuple[int, str], tuple[int, str]] | None = None

    def see(self, line: int, cell: str, readable: Collection[str]) -> None:
        """`readable`: the forms that read this cell; of one that none reads the column learns nothing."""
        if not readable or self.contradiction or self.left.issubset(readable):
            return
        if self.example is None and len(readable) > 1:
            self.example = line, cell
        left = self.left.intersection(readable)
        if not left:
            other = next(self._against[form] for form in readable if form in self._against)
            self.contradiction = other, (line, cell)
            return
        for form in self.left.difference(readable):
            self._against[form] = line, cell
        self.left = left

    def against(self, form: str) -> str:
        """The line that rules a form out, as a sentence has it."""
        line, cell = self._against[form]
        return f"line {line} has {told(cell)}"

    def check(self, column: str, what: str, *, several: bool = False) -> None:
        """Raises ColumnError where two lines contradict each other in `what`, as "decimal marks".

        `several`: the column is more than one.
        """
        if self.contradiction:
            (first, one), (second, other) = self.contradiction
            subject = f"columns “{column}” mix" if several else f"column “{column}” mixes"
            raise ColumnError(
                f"{subject} {what}: line {first} has {told(one)} and line {second} has "
                f"{told(other)}; write all of it in one form"
            )
