"""Users whose keys come from elsewhere: made where they are missing, with the keys they have there."""

from collections.abc import Iterable

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.db import connection, transaction
from django.db.models import Max

from ..audit.actions import Action
from ..audit.entries import note
from ..fields import user_key
from ..tables import USER_KEY, USERS

# Django's keys of users are 32 bits wide. Above this none is made: the sequence is moved past them,
# and would have nothing left to give.
USER_KEY_MAX = 2_000_000_000

# Purpose: nobody draws a number from the sequence while it is moved; readers, and the flush's row
# locks, go on.
LOCK_USERS = f"LOCK TABLE {USERS} IN SHARE ROW EXCLUSIVE MODE"
# Purpose: the next user that Django makes gets a key of its own. Never backwards.
MOVE_SEQUENCE = """
    SELECT setval(sequence, greatest(%s, pg_sequence_last_value(sequence)))
      FROM (SELECT pg_get_serial_sequence(%s, %s)::regclass AS sequence) found
"""


def keys_in(texts: Iterable[str]) -> set[int]:
    """The keys among `texts` that a user can be made with."""
    return {key for key in map(user_key, texts) if key and key <= USER_KEY_MAX}


def make_missing(keys: Iterable[int]) -> int:
    """Makes a user customer-KEY, who cannot log in, for each key that nobody has; returns how many.

    `keys` from 1 to USER_KEY_MAX. Raises django.db.Error.
    """
    model = get_user_model()
    wanted = set(keys)
    known = set(model._default_manager.filter(pk__in=wanted).values_list("pk", flat=True))
    missing = sorted(wanted - known)
    if not missing:
        return 0
    users = [model(pk=key, username=f"customer-{key}", password=make_password(None)) for key in missing]
    made = f"{len(missing):,} customer{'' if len(missing) == 1 else 's'}"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(LOCK_USERS)
        model._default_manager.bulk_create(users, batch_size=1000, ignore_conflicts=True)
        note(Action.USER_MADE, made, first=missing[0], last=missing[-1])
        cursor.execute(MOVE_SEQUENCE, [missing[-1], USERS, USER_KEY])
    # One whose name somebody else has is not made.
    return model._default_manager.filter(pk__in=missing).count()


def first_free(least: int) -> int:
    """The lowest key from `least` on above which nobody is. Raises django.db.Error."""
    highest = get_user_model()._default_manager.filter(pk__gte=least, pk__lt=USER_KEY_MAX)
    return max(least, 1 + (highest.aggregate(last=Max("pk"))["last"] or 0))
