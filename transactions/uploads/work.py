"""What a worker does with an upload: reads it and guesses, checks all of it, imports it."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg2
from django.db import Error as DatabaseError
from django.db import transaction
from django.db.models import F

from ..audit.actions import Action
from ..audit.actors import Actor, acting
from ..audit.entries import note
from ..audit.models import Via
from ..importing import errors_file
from ..importing import mapping as mappings
from ..importing.columns.proofs import ColumnError
from ..importing.guess import guess, open_in_first_rows
from ..importing.plan import Plan, demand_closed, plan
from ..importing.posting import ImportBatch, ImportProgress, ImportStopped, posted
from ..importing.systems import system_of
from ..importing.table import FileError, Table
from ..importing.users import FileUsers
from ..importing.wording import named_by
from ..runs import GivenBack
from ..stores.postgres_session import Session
from . import told
from .content import opened
from .labels import as_field
from .limits import REFUSED_MAX
from .models import ERROR_CHARACTERS_MAX, Portion, RefusedRow, Upload, UploadState, UploadStep
from .posting import into_intake
from .steps import runs
from .watching import StepCancelled, Watch

log = logging.getLogger(__name__)

SESSION = "transactions uploads"
# What is wrong with the file, or with what was agreed about it: told to whoever uploaded it.
FAULTS = (FileError, ColumnError, mappings.MappingError)
# Sheets, or members of a zip, that are offered.
CHOICES_MAX = 200
GONE = "Its file has been removed."


def run_next(stopping: Callable[[], bool] = lambda: False) -> Upload | None:
    """Takes the next step that waits for a worker, to its end; None if there is none.

    Where `stopping` says so, it goes back to the queue. Raises django.db.Error and psycopg2.Error where
    PostgreSQL is away; what is wrong with one file is told in its row.
    """
    with Session(SESSION) as session:
        pk = runs.take_next(session, done=0, total=0)
        if pk is None:
            return None
        _run(Upload.objects.get(pk=pk), session, stopping)
        return Upload.objects.filter(pk=pk).first()


@named_by(as_field)
def _run(taken: Upload, session: Session, stopping: Callable[[], bool]) -> None:
    began = time.monotonic()
    work = {UploadStep.READ: _read, UploadStep.CHECK: _check, UploadStep.IMPORT: _import}
    try:
        with acting(lambda: _sender(taken)):
            work[UploadStep(taken.step)](taken, Watch(taken.pk, session, stopping, taken.rows))
        log.info("Upload %s: %s done in %.1f s", taken.pk, taken.step, time.monotonic() - began)
    except StepCancelled:
        _end_early(taken, UploadState.CANCELLED)
    except GivenBack:
        runs.give_back(taken.pk)
    except Portion.DoesNotExist:
        _end_early(taken, UploadState.FAILED, error=GONE)
    except FAULTS as error:
        _say_what_is_wrong(taken, error)
    except (psycopg2.Error, DatabaseError):
        # It is taken up again, by the next look at what nobody holds.
        raise
    except Exception as error:
        # The message may hold what stands in the file, and the log is no place for that.
        log.error("Upload %s failed at %s: %s", taken.pk, taken.step, type(error).__name__)
        _end_early(taken, UploadState.FAILED, error=f"This is a fault of ours: {type(error).__name__}.")


def _end_early(taken: Upload, state: UploadState, **more: object) -> None:
    """Ends a step short of its end. How far an import has come is what is in, by all its runs: the last may
    have ended amid rows of those before, or while it looked at the file once more."""
    if taken.step == UploadStep.IMPORT:
        # It may have been deleted meanwhile.
        outcome = Upload.objects.filter(pk=taken.pk).values_list("outcome", flat=True).first()
        more |= {"done": told.progress_of(outcome)[0].rows, "total": taken.rows}
    runs.end(taken.pk, state, **more)


def _sender(taken: Upload) -> Actor:
    """Who does what the worker does, for the audit trail: whoever asked for it, not the worker's host."""
    by = taken.asked_by
    return Actor(Via.ADMIN, "" if by is None else by.get_username(), taken.asked_by_id)


def _say_what_is_wrong(taken: Upload, error: Exception) -> None:
    """A file that cannot be read has ended; else somebody looks once more at what it means."""
    told_as = told.as_kept(str(error)[:ERROR_CHARACTERS_MAX])
    if isinstance(error, FileError) or taken.step == UploadStep.IMPORT:
        _end_early(taken, UploadState.FAILED, error=told_as, guessed={"choices": _choices_of(error)})
    else:
        _hand_over(taken, UploadStep.READ, error=told_as)


def _choices_of(error: Exception) -> dict[str, list[str]]:
    """By key, what a file has of which one is to be stated; of a few hundred nobody chooses."""
    if not isinstance(error, FileError) or not error.choices:
        return {}
    return {error.key: [told.as_kept(each) for each in error.choices[:CHOICES_MAX]]}


def _hand_over(taken: Upload, step: UploadStep, **more: object) -> None:
    """From here on it waits for somebody."""
    runs.under_way().filter(pk=taken.pk).update(state=UploadState.WAITS, step=step, **more)


@contextmanager
def _table(taken: Upload, watch: Watch) -> Iterator[Table]:
    """The file as a watched table. Raises FileError."""
    stated = mappings.parse(taken.mapping).reading
    with opened(taken) as file:
        try:
            yield watch.over(errors_file.opened(file, taken.name, stated))
        finally:
            watch.end_readings()


def _read(taken: Upload, watch: Watch) -> None:
    """What is in the file, its first rows, and what it most likely means."""
    with _table(taken, watch) as table:
        taken.columns = [told.as_kept(name) for name in table.columns]
        head, rows = told.head_of(table.rows())
        Upload.objects.filter(pk=taken.pk).update(
            form=told.as_kept(table.form[:200]), columns=taken.columns, head=head, rows=rows
        )
        given, reasons = _known_before(taken, table)
        found = guess(table, given)
    _hand_over(
        taken,
        UploadStep.READ,
        mapping=told.as_kept(mappings.write(found.mapping)),
        guessed={"reasons": [told.as_kept(reason) for reason in (*reasons, *found.reasons)]},
        done=rows,
        total=rows,
    )


def _known_before(taken: Upload, table: Table) -> tuple[mappings.Mapping, list[str]]:
    """What was said of the file as it was sent, else what was agreed of the last file with its columns.

    Of refused rows that is so but for what their own file has proved. Of columns that nobody has agreed on it
    is what the mapping of their system says.
    """
    said = mappings.parse(taken.mapping)
    if said.read_as(mappings.Mapping()) != mappings.Mapping():
        return said, []
    alike = Upload.objects.filter(state=UploadState.DONE, columns=taken.columns).order_by("-id").first()
    if alike is None:
        system = system_of(table)
        if system is None:
            return said, []
        why = f"Its columns are those of “{system.words}”, and it is taken to mean what is known of these."
        return mappings.of_keys(table.meant).over(system.mapping).read_as(said), [why]
    # Whose file it was may see it; others may not even know what it is called.
    named = f"“{alike.name}”" if alike.uploaded_by_id == taken.uploaded_by_id else "a file of somebody else"
    why = f"It has the columns of {named}, and is taken to mean the same."
    agreed = mappings.of_keys(table.meant).over(mappings.parse(alike.mapping))
    return agreed.read_as(said), [why]


def _planned(taken: Upload, table: Table, users: FileUsers) -> Plan:
    return plan(table, mappings.parse(taken.mapping), users=users)


def _check(taken: Upload, watch: Watch) -> None:
    """What would happen: all of the file is read, and nothing posted."""
    with _table(taken, watch) as table:
        demand_closed(open_in_first_rows(table, mappings.parse(taken.mapping)))
        users = FileUsers(create=taken.create_users, look_only=True)
        found = _planned(taken, table, users)
    _hand_over(
        taken,
        UploadStep.CHECK,
        summary=told.summary_as_json(found.summary),
        mapping=told.as_kept(mappings.write(found.mapping)),
        done=F("total"),
    )


def _import(taken: Upload, watch: Watch) -> None:
    """Posts what was planned, and notes after each batch what became of it and where it goes on."""
    progress, after = told.progress_of(taken.outcome)
    users = FileUsers(create=taken.create_users)
    with _table(taken, watch) as table:
        found = _planned(taken, table, users)
        watch.done, made_before = 0, progress.users_made
        planned = (row for row in found.planned() if row.line > after)
        try:
            for batch in posted(planned, into_intake(taken.pk, watch)):
                progress.take(batch)
                progress.users_made = made_before + users.made
                _note(taken, batch, progress)
        except ImportStopped as error:
            runs.end(taken.pk, UploadState.FAILED, error=str(error)[:ERROR_CHARACTERS_MAX])
            return
    _end(taken, progress)


def _note(taken: Upload, batch: ImportBatch, progress: ImportProgress) -> None:
    """In one transaction, so that what is taken up again goes on behind it, and no row is told twice."""
    kept = progress.refused - len(batch.refused)
    with transaction.atomic():
        RefusedRow.objects.bulk_create(
            RefusedRow(
                upload=taken,
                line=one.row.line,
                cells=errors_file.written(one.row, one.code, one.reason),
                code=one.code,
                reason=told.as_kept(one.reason),
            )
            for one in batch.refused[: max(0, REFUSED_MAX - kept)]
        )
        outcome = told.progress_as_json(progress, batch.last_line)
        Upload.objects.filter(pk=taken.pk).update(outcome=outcome)


def _end(taken: Upload, progress: ImportProgress) -> None:
    """The file itself is no longer needed: what was refused of it is kept."""
    with transaction.atomic():
        Portion.objects.filter(upload=taken).delete()
        outcome = told.progress_as_json(progress, taken.rows)
        runs.end(taken.pk, UploadState.DONE, outcome=outcome, done=F("total"))
        note(
            Action.UPLOAD_ENDED,
            taken,
            accepted=progress.accepted,
            replayed=progress.replayed,
            resent_rows=progress.resent_rows,
            refused=progress.refused,
            sums={status: str(money.sum) for status, money in progress.accepted_money.items()},
        )
