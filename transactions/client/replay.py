"""Replaying a file of transactions through the public API, telling of every row that it refuses."""

import contextlib
import csv
import os
import re
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple

from . import users
from .api import Client, PostingError, PostingPace
from .csv_file import COLUMNS, FileError, Row, rows
from .status_line import StatusLine

# Refusals told one by one on a terminal when no file keeps them.
TOLD_MAX = 20
# Kinds of refusals that the summary tells apart.
KINDS_MAX = 50
# Characters of the progress bar.
BAR = 24
_QUOTED = re.compile(r'"[^"]*"')


class ReplayStopped(Exception):
    """The replay cannot go on; the message is one line and says where it stands."""


class RefusedRow(NamedTuple):
    """A row that was not accepted, with the API's code and reason; "malformed" for what could not be sent."""

    row: Row
    code: str
    reason: str


@dataclass(frozen=True, slots=True)
class Order:
    """What to replay and how: `rate` in records a second (None: as fast as it goes), `batch` in records."""

    file: Path
    client: Client
    rate: float | None
    batch: int
    create_users: bool
    errors: Path | None


@dataclass(slots=True)
class ReplayProgress:
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

    def refuse(self, refusal: RefusedRow) -> None:
        self.refused += 1
        # Of one kind, whatever value it quotes.
        kind = refusal.code + ": " + _QUOTED.sub('"…"', refusal.reason)
        self.kinds[kind if kind in self.kinds or len(self.kinds) < KINDS_MAX else "of other kinds"] += 1

    def rate(self) -> float:
        return self.rows / max(time.monotonic() - self.began_at, 0.001)

    def summary(self) -> list[str]:
        seconds = time.monotonic() - self.began_at
        lines = [
            f"{self.rows:,} rows in {seconds:.1f} s ({self.rate():,.0f} a second): "
            f"{self.accepted:,} accepted, {self.replayed:,} replayed, {self.refused:,} refused"
        ]
        if self.users_made:
            lines.append(f"{self.users_made:,} users made")
        lines += [f"  {count:>9,}  {kind}" for kind, count in self.kinds.most_common()]
        return lines


def replay(order: Order, status: StatusLine) -> ReplayProgress:
    """Posts every row of the file; writes the refusals and a summary to `status`.

    Raises ReplayStopped when it cannot go on, and KeyboardInterrupt; what was done is summed up
    all the same. Running it again is safe.
    """
    progress = ReplayProgress()
    with contextlib.ExitStack() as stack:
        try:
            source = stack.enter_context(order.file.open("rb"))
            told = Refusals(order, status, stack)
            size = os.fstat(source.fileno()).st_size
            stack.callback(lambda: _sum_up(progress, status))
            stack.callback(told.end)
            found = stack.enter_context(contextlib.closing(rows(source)))
            for refusals in _batches(found, order, progress):
                told.tell(refusals)
                status.show(lambda: _bar(progress, source.tell() / size if size else 0.0))
        except FileError as error:
            raise ReplayStopped(f"{order.file}: {error}") from None
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise ReplayStopped(f"{where}{error.strerror or error}") from None
    return progress


def _sum_up(progress: ReplayProgress, status: StatusLine) -> None:
    for line in progress.summary():
        status.say(line)


class Refusals:
    """Where the refusals go: the file of `order.errors`, else line by line to `status`."""

    def __init__(self, order: Order, status: StatusLine, stack: contextlib.ExitStack) -> None:
        self._status = status
        self._told = 0
        self._writer: Any = None
        self._file: IO[str] | None = None
        if order.errors is None:
            return
        if order.errors.exists() and order.errors.samefile(order.file):
            raise ReplayStopped(f"{order.errors} is the file to replay: --errors needs one of its own")
        kept = order.errors.open("w", encoding="utf-8", errors="surrogateescape", newline="")
        self._file = stack.enter_context(kept)
        self._writer = csv.writer(kept, lineterminator="\n")
        self._writer.writerow(["line", *COLUMNS, "code", "reason"])

    def tell(self, refusals: Iterable[RefusedRow]) -> None:
        for row, code, reason in refusals:
            self._told += 1
            if self._file is not None:
                cells = (row.cells.get(name, "") for name in COLUMNS)
                self._writer.writerow([row.line, *cells, code, reason])
            elif not self._status.on_terminal or self._told <= TOLD_MAX:
                name = ascii(row.cells.get("transaction_id", ""))
                self._status.say(f"line {row.line}: {name} {code}: {reason}")
        if self._file is not None:
            self._file.flush()

    def end(self) -> None:
        more = self._told - TOLD_MAX
        if self._file is None and self._status.on_terminal and more > 0:
            self._status.say(f"… and {more:,} more: --errors FILE keeps every refusal")


def _batches(found: Iterator[Row], order: Order, progress: ReplayProgress) -> Iterator[list[RefusedRow]]:
    """Posts batch after batch and gives the refusals of each, in the order of their rows."""
    pace = PostingPace(order.rate)
    while batch := list(islice(found, pace.batch(order.batch))):
        refusals = [RefusedRow(row, "malformed", row.fault) for row in batch if row.fault]
        sound = [row for row in batch if not row.fault]
        if order.create_users:
            progress.users_made += users.make_missing(users.keys_in(row.user() for row in sound))
        if sound:
            pace.wait(len(sound))
            refusals += _post(sound, order.client, progress)
        refusals.sort(key=lambda refusal: refusal.row.line)
        for refusal in refusals:
            progress.refuse(refusal)
        yield refusals


def _post(sound: list[Row], client: Client, progress: ReplayProgress) -> list[RefusedRow]:
    try:
        answer = client.post_and_tell_all([row.record() for row in sound])
        refusals = [
            RefusedRow(sound[error["index"]], error["code"], _reason(error)) for error in answer.errors
        ]
    except PostingError as error:
        raise ReplayStopped(f"stopped at the row on line {sound[0].line}: {error}") from None
    except (KeyError, IndexError, TypeError) as error:
        raise ReplayStopped(f"the server's errors make no sense: {error!r}") from None
    progress.accepted += answer.accepted
    progress.replayed += answer.duplicates
    return refusals


def _reason(error: dict[str, Any]) -> str:
    """`{"user": ["This field is required."]}` as one line."""
    errors = error["errors"]
    if not isinstance(errors, dict):
        return str(errors)
    return "; ".join(f"{name}: {' '.join(map(str, _listed(told)))}" for name, told in errors.items())


def _listed(told: object) -> Iterable[object]:
    return told if isinstance(told, list) else [told]


def _bar(progress: ReplayProgress, part: float) -> str:
    full = int(part * BAR)
    return (
        f"[{'#' * full}{'-' * (BAR - full)}] {part:4.0%}  {progress.rate():,.0f}/s  "
        f"{progress.accepted + progress.replayed:,} accepted  {progress.refused:,} refused"
    )
