"""One import, from a file to its end: understood, agreed to, planned, posted, summed up."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from ..client.refusals import Refusals, SameFileError, ToldRow
from ..client.status_line import StatusLine
from . import agreement, errors_file, sums
from .agreement import Ask, NotAgreed
from .mapping import Mapping, MappingError, write
from .plan import Plan, Planned, plan
from .posting import BATCH, ImportProgress, Post, posted
from .table import Row, Table
from .users import FileUsers

YES = ("y", "yes")
# Rows of a file that is read between two looks at the clock.
SHOWN_EACH = 500


@dataclass(frozen=True, slots=True)
class ImportOrder:
    """What to import and how: `given` is what was stated of its meaning; `rate` in records a second.

    `patience` is for how many seconds the database is asked again that does not answer.
    """

    file: Path
    given: Mapping
    yes: bool = False
    dry_run: bool = False
    create_users: bool = False
    save: Path | None = None
    errors: Path | None = None
    rate: float | None = None
    batch: int = BATCH
    patience: float = 0.0


def run(order: ImportOrder, post: Post, status: StatusLine, ask: Ask | None) -> bool:
    """Imports the file, or says what would happen; whether no row was refused.

    `ask` asks whoever is at the terminal, None where nobody is. Raises NotAgreed, SameFileError,
    ImportStopped, FileError, ColumnError, MappingError, OSError and django.db.Error; before the first record
    is posted, wherever the whole file can tell.
    """
    _check_kept(order)
    table = errors_file.opened(order.file, order.file.name, order.given.reading)
    if next(table.rows(), None) is None:
        status.say("the file has no rows: there is nothing to import")
        return True
    watched = _watched(table, status)
    found = agreement.understood(watched, order.given, status.say, ask)
    guessed = agreement.is_guessed(found.mapping, order.given)
    users = FileUsers(
        create=order.create_users,
        look_only=order.dry_run,
        patience_s=order.patience,
        notice=status.say,
    )
    planned = replace(plan(watched, found.mapping, users=users), table=table)
    if order.dry_run or guessed:
        for line in (*sums.of_plan(planned), *sums.first_records(planned.summary)):
            status.say(line)
    if guessed and not order.dry_run:
        _agree(order, found.mapping, ask)
    if order.save is not None:
        order.save.write_text(write(planned.mapping), encoding="utf-8", errors="backslashreplace")
    with Refusals(status, order.errors, order.file, errors_file.header(table.columns)) as refusals:
        if order.dry_run:
            return _tell_only(planned, refusals, keep=order.errors is not None)
        return _post(order, planned, post, users, refusals, status)


def _check_kept(order: ImportOrder) -> None:
    """Nothing is written over the file, nor over what else is kept."""
    options = (("--save", order.save), ("--errors", order.errors))
    kept = [(option, path) for option, path in options if path is not None]
    for option, path in kept:
        if path.exists() and order.file.exists() and path.samefile(order.file):
            raise SameFileError(path, option)
    if len({path.resolve() for _, path in kept}) < len(kept):
        raise MappingError(f"{order.save}: --save and --errors need a file each")


def _watched(table: Table, status: StatusLine) -> Table:
    """The table; while it is read, it is shown how far."""

    def rows() -> Iterator[Row]:
        for number, row in enumerate(table.rows()):
            if number % SHOWN_EACH == 0 and number:
                status.show(lambda: f"{number:,} rows read")  # noqa: B023  # called at once
            yield row

    return replace(table, rows=rows)


def _agree(order: ImportOrder, meant: Mapping, ask: Ask | None) -> None:
    if order.yes:
        return
    if ask is None:
        raise NotAgreed(
            "nobody is here to agree to what was guessed: give --yes to take it, or state it by --map and "
            "the other options, or by --mapping (--dry-run --save FILE writes one)"
        )
    if ask("Import it so? [y/N] ").strip().lower() not in YES:
        raise NotAgreed("nothing was imported")


def _tell_only(planned: Plan, refusals: Refusals, *, keep: bool) -> bool:
    if keep:
        refusals.tell(_told(row, row.code, row.reason) for row in planned.refused())
    return not planned.summary.refusals


def _post(
    order: ImportOrder, planned: Plan, post: Post, users: FileUsers, refusals: Refusals, status: StatusLine
) -> bool:
    progress = ImportProgress()
    most = max(planned.summary.rows - planned.summary.passed_over, 1)
    with contextlib.ExitStack() as stack:
        stack.callback(lambda: _sum_up(progress, planned, status))
        for batch in posted(planned.planned(), post, batch=order.batch, rate=order.rate):
            progress.take(batch)
            progress.users_made = users.made
            refusals.tell(_told(*one) for one in batch.refused)
            status.show(lambda: progress.bar(progress.rows / most))
    return not progress.refused


def _told(row: Planned, code: str, reason: str) -> ToldRow:
    id = str((row.record or {}).get("transaction_id", ""))
    return ToldRow(row.line, id, code, reason, errors_file.written(row, code, reason))


def _sum_up(progress: ImportProgress, planned: Plan, status: StatusLine) -> None:
    for line in sums.of_end(progress, planned):
        status.say(line)
