"""What became of the rows of a file that is posted: counted, told while it goes on, and summed up."""

import re
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, NamedTuple, TypeVar

from .api import BatchAnswer, PostingError

# Kinds of refusals that the summary tells apart.
KINDS_MAX = 50
# Characters of the progress bar.
BAR = 24
_QUOTED = re.compile(r'"[^"]*"')
_RowT = TypeVar("_RowT")


class NotAccepted(NamedTuple, Generic[_RowT]):
    """A row that was not accepted, with the API's code and reason; "malformed" for what could not be sent."""

    row: _RowT
    code: str
    reason: str


def refused_of(answer: BatchAnswer, rows: Sequence[_RowT]) -> list[NotAccepted[_RowT]]:
    """The refusals that the API told of a batch of `rows`. Raises PostingError where they make no sense."""
    try:
        return [NotAccepted(rows[error["index"]], error["code"], _reason(error)) for error in answer.errors]
    except (KeyError, IndexError, TypeError) as error:
        raise PostingError(f"the server's errors make no sense: {error!r}") from None


@dataclass(slots=True)
class PostingProgress:
    """What became of the rows so far."""

    accepted: int = 0
    replayed: int = 0
    refused: int = 0
    users_made: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    # Of each kind the first line, and what was said of that one, where the line is known.
    examples: dict[str, tuple[int, str]] = field(default_factory=dict)
    began_at: float = field(default_factory=time.monotonic)

    @property
    def rows(self) -> int:
        return self.accepted + self.replayed + self.refused

    def refuse(self, code: str, reason: str, kind: str = "", line: int = 0) -> None:
        """Counts a refusal; `kind` is the reason without what differs from row to row, where it is known."""
        self.refused += 1
        # Of one kind, whatever value it quotes.
        kind = code + ": " + (kind or _QUOTED.sub('"…"', reason))
        if kind not in self.kinds and len(self.kinds) >= KINDS_MAX:
            kind = "of other kinds"
        elif line:
            self.examples.setdefault(kind, (line, reason))
        self.kinds[kind] += 1

    def reasons(self) -> list[tuple[str, int]]:
        """Why rows were refused, each with its first line, and how many. The most frequent come first."""
        return [(told_reason(kind, rows, self.examples), rows) for kind, rows in self.kinds.most_common()]

    def rate(self) -> float:
        """Rows a second."""
        return self.rows / max(time.monotonic() - self.began_at, 0.001)

    def bar(self, part: float) -> str:
        """The line to show while it goes on; `part` of the file, from 0 to 1, is done."""
        full = int(part * BAR)
        return (
            f"[{'#' * full}{'-' * (BAR - full)}] {part:4.0%}  {self.rate():,.0f}/s  "
            f"{self.accepted + self.replayed:,} accepted  {self.refused:,} refused"
        )

    def summary(self) -> list[str]:
        seconds = time.monotonic() - self.began_at
        lines = [
            f"{self.rows:,} rows in {seconds:.1f} s ({self.rate():,.0f} a second): "
            f"{self.accepted:,} accepted, {self.replayed:,} replayed, {self.refused:,} refused"
        ]
        if self.users_made:
            lines.append(f"{self.users_made:,} user{'' if self.users_made == 1 else 's'} made")
        lines += [f"  {count:>9,}  {reason}" for reason, count in self.reasons()]
        return lines


def told_reason(kind: str, rows: int, examples: Mapping[str, tuple[int, str]]) -> str:
    """A kind of refusal by its first line: `examples` has that, and what was said of it."""
    if kind not in examples:
        return kind
    line, reason = examples[kind]
    # A kind that leaves something out has rows that say the same of something else.
    other = " with this or another value" if "“…”" in kind else ""
    more = f", and {rows - 1:,} more{other}" if rows > 1 else ""
    return f"{reason} (line {line:,}{more})"


def _reason(error: dict[str, Any]) -> str:
    """`{"user": ["This field is required."]}` as one line."""
    errors = error["errors"]
    if not isinstance(errors, dict):
        return str(errors)
    return "; ".join(f"{name}: {' '.join(map(str, _listed(told)))}" for name, told in errors.items())


def _listed(told: object) -> Iterable[object]:
    return told if isinstance(told, list) else [told]
