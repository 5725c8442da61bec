"""What people do with an upload: send it, agree on what it means, start, cancel, begin again, remove.

What a worker does between these is `work`. Every step is taken once, whoever else takes it meanwhile: the row
is held, and a step that its state does not allow is refused.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from ..audit.actions import Action
from ..audit.entries import note
from ..importing import mapping as mappings
from ..runs import Runs
from .limits import KEPT, OPEN_MAX, OPEN_OF_PERSON_MAX
from .models import NAME_CHARACTERS_MAX, OPEN, UNDER_WAY, Upload, UploadState, UploadStep

# The task that takes the next step with a file.
TICK = "transactions.tasks.run_upload"
# Locks of steps: "txup" as a number.
LOCK_CLASS = 0x74787570

runs = Runs(Upload, lock_class=LOCK_CLASS, tick=TICK)


class UploadRefused(Exception):
    """A step cannot be taken; says why, and what would be right."""


def begin(name: str, by: Any) -> Upload:
    """A row for a file whose bytes come now; in the transaction that ends with `receive`.

    Raises UploadRefused where there are too many files already.
    """
    runs.ask_alone()
    kept = Upload.objects.exclude(state=UploadState.DONE)
    if kept.filter(uploaded_by=by).count() >= OPEN_OF_PERSON_MAX:
        raise UploadRefused(
            f"{OPEN_OF_PERSON_MAX} files of yours are here and not imported: import or remove one first."
        )
    if kept.count() >= OPEN_MAX:
        raise UploadRefused(
            f"{OPEN_MAX} files are here and not imported: import or remove one of them first."
        )
    return Upload.objects.create(
        name=name[-NAME_CHARACTERS_MAX:], size=0, digest="", uploaded_by=by, asked_by=by
    )


def receive(upload: Upload, *, size: int, digest: str) -> None:
    """All bytes are here: a worker reads them. Raises UploadRefused for none, and for too many."""
    if not size:
        raise UploadRefused("The file is empty.")
    if size > settings.UPLOAD_BYTES_MAX:
        raise UploadRefused(f"The file has more than {settings.UPLOAD_BYTES_MAX:,} bytes.")
    upload.digest, upload.size = digest, size
    upload.save(update_fields=["digest", "size", "mapping"])
    note(Action.UPLOAD_RECEIVED, upload, size=upload.size, digest=upload.digest)
    transaction.on_commit(runs.send_tick)


def imported_before(upload: Upload) -> Upload | None:
    """The newest upload of the same bytes that has been imported, if it is still known."""
    same = Upload.objects.filter(digest=upload.digest, state=UploadState.DONE).exclude(pk=upload.pk)
    return same.order_by("-id").first()


def agree(upload: Upload, meant: mappings.Mapping, *, create_users: bool) -> None:
    """Keeps what the file means. What was found out by another meaning goes. Raises UploadRefused."""
    with _held(upload) as held:
        _demand(held, held.state == UploadState.WAITS, "is not waiting for that")
        held.step, held.summary = UploadStep.READ, None
        held.mapping, held.create_users, held.error = mappings.write(meant), create_users, ""
        held.save(update_fields=["step", "summary", "mapping", "create_users", "error"])


def ask_check(upload: Upload, by: Any = None) -> None:
    """Has a worker read the whole file as it was agreed, and post nothing. Raises UploadRefused."""
    with _held(upload) as held:
        _demand(held, held.state == UploadState.WAITS, "is not waiting for that")
        _queue(held, UploadStep.CHECK, by)


def ask_import(upload: Upload, by: Any = None) -> None:
    """Has a worker post what was checked; goes on where an import was broken off. Raises UploadRefused."""
    with _held(upload) as held:
        checked = held.state == UploadState.WAITS and held.step == UploadStep.CHECK
        broken_off = held.step == UploadStep.IMPORT and held.state in (
            UploadState.CANCELLED,
            UploadState.FAILED,
        )
        _demand(held, checked or broken_off, "has not been checked")
        _demand(held, bool((held.summary or {}).get("records")), "has nothing to import")
        _queue(held, UploadStep.IMPORT, by)
        note(Action.UPLOAD_STARTED, held, records=(held.summary or {})["records"])


def read_again(upload: Upload, by: Any = None) -> None:
    """Goes back to what the file means, or to reading it. Raises UploadRefused."""
    with _held(upload) as held:
        _demand(held, held.state not in (*UNDER_WAY, UploadState.DONE), "cannot go back to that")
        _demand(held, held.outcome is None, "has been imported in part: import the rest, or remove it")
        if held.columns:
            held.state, held.step, held.ended_at = UploadState.WAITS, UploadStep.READ, None
            held.summary, held.error = None, ""
            held.save(update_fields=["state", "step", "ended_at", "summary", "error"])
        else:
            _queue(held, UploadStep.READ, by)


def read_as(upload: Upload, stated: mappings.Mapping, by: Any = None) -> None:
    """Has a worker read the file anew, as `stated` says how. Raises UploadRefused.

    What was said of its meaning stays as long as nobody has seen a column of it.
    """
    with _held(upload) as held:
        _demand(held, held.state not in (*UNDER_WAY, UploadState.DONE), "cannot go back to that")
        _demand(held, held.outcome is None, "has been imported in part: import the rest, or remove it")
        said = mappings.Mapping() if held.columns else mappings.parse(held.mapping)
        held.mapping = mappings.write(said.read_as(stated))
        held.columns, held.head, held.form, held.rows, held.summary = [], [], "", 0, None
        _queue(held, UploadStep.READ, by)


def cancel(upload: Upload) -> None:
    """Ends what a worker does with the file, or is to do: at once, or within a slice. Raises UploadRefused.

    What was posted until then stays. What has been cancelled before stays so.
    """
    state = runs.cancel(upload.pk)
    if state not in (*UNDER_WAY, UploadState.CANCELLED):
        raise UploadRefused(
            f"Nothing is done with {upload.name} now: it is {UploadState(state).label.lower()}."
        )


def remove(upload: Upload) -> None:
    """Deletes the upload, its file and its refused rows; what was imported stays. Raises UploadRefused."""
    with _held(upload) as held:
        _demand(held, held.state not in UNDER_WAY, "is worked on: cancel that first")
        note(Action.UPLOAD_REMOVED, held, state=held.state)
        held.delete()


def look_after() -> bool:
    """Takes back what a killed worker left, removes what is old; whether any waits for a worker."""
    runs.take_back()
    old = Upload.objects.exclude(state__in=UNDER_WAY)
    old.filter(state__in=OPEN, asked_at__lt=Now() - KEPT).delete()
    old.filter(ended_at__lt=Now() - KEPT).delete()
    return runs.waiting().exists()


def _queue(held: Upload, step: UploadStep, by: Any) -> None:
    held.step, held.state, held.error = step, UploadState.QUEUED, ""
    held.attempts, held.cancel_asked, held.ended_at = 0, False, None
    held.done, held.total, held.asked_by, held.asked_at = 0, 0, by, Now()
    held.save()
    transaction.on_commit(runs.send_tick)


def _demand(held: Upload, allowed: bool, why_not: str) -> None:
    if not allowed:
        raise UploadRefused(f"{held.name} {why_not}.")


@contextmanager
def _held(upload: Upload) -> Iterator[Upload]:
    """The row, which nobody else changes until the block ends. Raises Upload.DoesNotExist."""
    with transaction.atomic():
        yield Upload.objects.select_for_update().get(pk=upload.pk)
