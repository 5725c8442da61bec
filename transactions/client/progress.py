"""What became of the rows of a file that is posted: counted, told while it goes on, and summed up."""

import re
import time
from collections import Counter
from collections.abc import Iterable, Sequence
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
    began_at: float = field(default_factory=time.monotonic)

    @property
    def rows(self) -> int:
        return self.accepted + self.replayed + self.refused

    def refuse(self, code: str, reason: str) -> None:
        self.refused += 1
        # Of one kind, whatever value it quotes.
        kind = code + ": " + _QUOTED.sub('"…"', reason)
        self.kinds[kind if kind in self.kinds or len(self.kinds) < KINDS_MAX else "of other kinds"] += 1

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
        lines += [f"  {count:>9,}  {kind}" for kind, count in self.kinds.most_common()]
        return lines


def _reason(error: dict[str, Any]) -> str:
    """`{"user": ["This field is required."]}` as one line."""
    errors = error["errors"]
    if not isinstance(errors, dict):
        return str(errors)
    return "; ".join(f"{name}: {' '.join(map(str, _listed(told)))}" for name, told in errors.items())


def _listed(told: object) -> Iterable[object]:
    return told if isinstance(told, list) else [told]
