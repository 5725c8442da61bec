"""Replaying a file of transactions through the public API, telling of every row that it refuses."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from . import users
from .api import Client, PostingError, PostingPace
from .csv_file import COLUMNS, ReplayFileError, ReplayRow, rows
from .progress import NotAccepted, PostingProgress, refused_of
from .refusals import Refusals, SameFileError, ToldRow
from .status_line import StatusLine


class ReplayStopped(Exception):
    """The replay cannot go on; the message is one line and says where it stands."""


@dataclass(frozen=True, slots=True)
class Order:
    """What to replay and how: `rate` in records a second (None: as fast as it goes), `batch` in records."""

    file: Path
    client: Client
    rate: float | None
    batch: int
    create_users: bool
    errors: Path | None


def replay(order: Order, status: StatusLine) -> PostingProgress:
    """Posts every row of the file; writes the refusals and a summary to `status`.

    Raises ReplayStopped when it cannot go on, and KeyboardInterrupt; what was done is summed up
    all the same. Running it again is safe.
    """
    progress = PostingProgress()
    with contextlib.ExitStack() as stack:
        try:
            source = stack.enter_context(order.file.open("rb"))
            kept = Refusals(status, order.errors, order.file, ["line", *COLUMNS, "code", "reason"])
            size = os.fstat(source.fileno()).st_size
            stack.callback(lambda: _sum_up(progress, status))
            refusals = stack.enter_context(kept)
            found = stack.enter_context(contextlib.closing(rows(source)))
            for refused in _batches(found, order, progress):
                refusals.tell(map(_told, refused))
                status.show(lambda: progress.bar(source.tell() / size if size else 0.0))
        except ReplayFileError as error:
            raise ReplayStopped(f"{order.file}: {error}") from None
        except SameFileError as error:
            raise ReplayStopped(str(error)) from None
        except OSError as error:
            where = f"{error.filename}: " if error.filename else ""
            raise ReplayStopped(f"{where}{error.strerror or error}") from None
    return progress


def _sum_up(progress: PostingProgress, status: StatusLine) -> None:
    for line in progress.summary():
        status.say(line)


def _told(refused: NotAccepted[ReplayRow]) -> ToldRow:
    row, code, reason = refused
    cells = [row.cells.get(name, "") for name in COLUMNS]
    written = [str(row.line), *cells, code, reason]
    return ToldRow(row.line, row.cells.get("transaction_id", ""), code, reason, written)


def _batches(
    found: Iterator[ReplayRow], order: Order, progress: PostingProgress
) -> Iterator[list[NotAccepted[ReplayRow]]]:
    """Posts batch after batch and gives the refusals of each, in the order of their rows."""
    pace = PostingPace(order.rate)
    while batch := list(islice(found, pace.batch(order.batch))):
        refused = [NotAccepted(row, "malformed", row.fault) for row in batch if row.fault]
        sound = [row for row in batch if not row.fault]
        if order.create_users:
            progress.users_made += users.make_missing(users.keys_in(row.user() for row in sound))
        if sound:
            pace.wait(len(sound))
            refused += _post(sound, order.client, progress)
        refused.sort(key=lambda each: each.row.line)
        for each in refused:
            progress.refuse(each.code, each.reason)
        yield refused


def _post(sound: list[ReplayRow], client: Client, progress: PostingProgress) -> list[NotAccepted[ReplayRow]]:
    try:
        answer = client.post_and_tell_all([row.record() for row in sound])
        refused = refused_of(answer, sound)
    except PostingError as error:
        raise ReplayStopped(f"stopped at the row on line {sound[0].line}: {error}") from None
    progress.accepted += answer.accepted
    progress.replayed += answer.duplicates
    return refused
