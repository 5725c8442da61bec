"""Posting what was planned of a file, batch by batch, and what became of it in rows and in money.

`post` hands a batch to the API as any client does, or to intake itself: the command and the admin's pages
share the rest. Posting a file again is safe: what was accepted before is answered as a replay.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from ..client.api import BatchAnswer, PostingError, PostingPace
from ..client.progress import NotAccepted, PostingProgress, refused_of
from .plan import Planned, RowSum

# Sums by `Planned.summed_as`: what failed moved nothing, and refunds went the other way.
Sums = dict[str, RowSum]
Post = Callable[[Sequence[Mapping[str, Any]]], BatchAnswer]
# Records of one POST, unless it is said otherwise.
BATCH = 1_000


class ImportStopped(Exception):
    """Posting cannot go on; the message is one line and says at which line of the file it stands."""


@dataclass(frozen=True, slots=True)
class ImportBatch:
    """What became of rows that followed one another, `last_line` the last of them.

    Amounts are without their sign, in the smallest unit, by status and refunds apart. Of `either` it is not
    known whether they were accepted now or before: the API counts replays, and tells which they are not.
    """

    last_line: int
    accepted: Sums = field(default_factory=dict)
    replayed: Sums = field(default_factory=dict)
    either: Sums = field(default_factory=dict)
    refused: tuple[NotAccepted[Planned], ...] = ()
    # Of `refused`, also of rows whose amount cannot be read: it counts as 0.
    refused_money: RowSum = field(default_factory=RowSum)
    # Rows that were accepted now, and before; both are known also where the amounts of each are not.
    accepted_rows: int = 0
    replayed_rows: int = 0
    # Of those accepted before, what an earlier try of this very batch may have brought in, unanswered.
    resent_rows: int = 0


@dataclass(slots=True)
class ImportProgress(PostingProgress):
    """What became of the rows so far, in money too."""

    accepted_money: Sums = field(default_factory=dict)
    replayed_money: Sums = field(default_factory=dict)
    either_money: Sums = field(default_factory=dict)
    refused_money: RowSum = field(default_factory=RowSum)
    # Of `either_money`, how many rows were accepted now; and rows that a try without an answer may have
    # brought in, which are counted as replayed.
    either_accepted: int = 0
    resent_rows: int = 0
    # The line up to which a run before had come, 0 where none had; and the last line that is done.
    before_line: int = 0
    line: int = 0

    def take(self, batch: ImportBatch) -> None:
        """Counts a batch, the next of the file."""
        if batch.replayed_rows and not self.accepted and not batch.accepted_rows:
            self.before_line = batch.last_line
        self.line = batch.last_line
        self.resent_rows += batch.resent_rows
        if batch.either:
            self.either_accepted += batch.accepted_rows
        self.accepted += batch.accepted_rows
        self.replayed += batch.replayed_rows
        for one in batch.refused:
            self.refuse(one.code, one.reason)
        for own, other in (
            (self.accepted_money, batch.accepted),
            (self.replayed_money, batch.replayed),
            (self.either_money, batch.either),
            ({"": self.refused_money}, {"": batch.refused_money}),
        ):
            for name, more in other.items():
                sum = own.setdefault(name, RowSum())
                sum.rows += more.rows
                sum.sum += more.sum


def posted(
    planned: Iterable[Planned], post: Post, *, batch: int = BATCH, rate: float | None = None
) -> Iterator[ImportBatch]:
    """Posts every planned record, at most `rate` a second; gives what became of each batch once it is known.

    Raises ImportStopped where the API takes no more, and what reading the file raises.
    """
    pace, seen, rows = PostingPace(rate), _Seen(), iter(planned)
    while portion := list(islice(rows, pace.batch(batch))):
        sound = [row for row in portion if row.record is not None]
        if sound:
            pace.wait(len(sound))
        yield _post(portion, sound, post, seen)


def _post(portion: list[Planned], sound: list[Planned], post: Post, seen: "_Seen") -> ImportBatch:
    refused = [NotAccepted(row, row.code, row.reason) for row in portion if row.record is None]
    answer = BatchAnswer(0, 0, 0, 0, [])
    if sound:
        try:
            answer = post([row.record for row in sound if row.record is not None])
            refused += refused_of(answer, sound)
        except PostingError as error:
            raise ImportStopped(f"stopped at the row on line {sound[0].line}: {error}") from None
    refused.sort(key=lambda one: one.row.line)
    lines = {one.row.line for one in refused}
    taken = [row for row in sound if row.line not in lines]
    again = [row for row in taken if seen.before(row)]
    if answer.replays is not None:
        lines_again = {row.line for index, row in enumerate(sound) if index in answer.replays}
        again = [row for row in taken if row.line in lines_again]
    elif not answer.accepted:
        again = taken
    elif not answer.duplicates:
        again = []
    known = len(again) == answer.duplicates
    repeated = {row.line for row in again}
    new = [row for row in taken if row.line not in repeated]
    return ImportBatch(
        last_line=portion[-1].line,
        accepted=_sums(new) if known else {},
        replayed=_sums(again) if known else {},
        either={} if known else _sums(taken),
        refused=tuple(refused),
        refused_money=RowSum(len(refused), sum(abs(one.row.money) for one in refused)),
        accepted_rows=answer.accepted,
        replayed_rows=answer.duplicates,
        resent_rows=answer.duplicates if answer.resent else 0,
    )


def _sums(rows: Iterable[Planned]) -> Sums:
    sums: Sums = {}
    for row in rows:
        sums.setdefault(row.summed_as, RowSum()).add(abs(row.money))
    return sums


class _Seen:
    """Which records of the file have been posted, as a number each: the same once more is a replay."""

    def __init__(self) -> None:
        self._ids: dict[int, bool] = {}

    def before(self, row: Planned) -> bool:
        """Whether the record of this row says nothing that one before it has not said. Notes it."""
        record = row.record or {}
        id = hash(str(record.get("transaction_id")))
        settles = record.get("status", "PENDING") != "PENDING"
        settled = self._ids.get(id)
        self._ids[id] = bool(settled) or settles
        return settled is not None and (settled or not settles)
