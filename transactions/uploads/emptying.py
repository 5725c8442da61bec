"""Uploads go with everything that is deleted: their files and refused rows tell of the same payments."""

from django.db import transaction

from ..audit.actions import Action
from ..audit.entries import note
from ..books import epochs
from ..rules.kinds.wording import counted
from .models import Upload


def empty_everything() -> None:
    """Deletes every upload, and then every transaction. See `books.epochs.empty_everything`.

    Uploads go first: what a worker imports of one ends before its next batch, so that nothing of it comes in
    again afterwards. One whose file is being received now comes after the deletion. Raises psycopg2.Error,
    django.db.Error, redis.RedisError.
    """
    with transaction.atomic():
        # Held, so that a worker adds no refused row to one that goes.
        gone = list(Upload.objects.select_for_update().order_by("pk").values_list("pk", flat=True))
        if gone:
            note(Action.UPLOADS_REMOVED, counted(len(gone), "upload"), uploads=len(gone))
            Upload.objects.filter(pk__in=gone).delete()
    epochs.empty_everything()
