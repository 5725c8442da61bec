"""Whom nobody deletes or locks out: themselves, and the last account that may do everything here.

Whoever has no password any more is locked out too.

Without it nobody manages people any more, but from a shell.
"""

from collections.abc import Collection

from django.contrib.auth.hashers import UNUSABLE_PASSWORD_PREFIX
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet

YOURSELF = "It is your own account: somebody else who manages people can do that."
LAST = "It is the last account that may log in here and do everything: give that to another one first."


class NotDeleted(PermissionDenied):
    """An account that is not deleted; says why."""


def may_everything() -> QuerySet[User]:
    """The accounts that log in here, by a password that they have, and may do everything."""
    everything = User.objects.filter(is_superuser=True, is_staff=True, is_active=True)
    return everything.exclude(password__startswith=UNUSABLE_PASSWORD_PREFIX)


def lock_who_may_everything() -> None:
    """Keeps those accounts as they are until the transaction ends: two who take each other's leave one."""
    list(may_everything().select_for_update(no_key=True).order_by("pk").values_list("pk"))


def refusal(by: User, keys: Collection[int]) -> str:
    """Why `by` may not delete or lock out the accounts of `keys`; "" where they may."""
    if by.pk in keys:
        return YOURSELF
    theirs = may_everything().filter(pk__in=keys)
    return LAST if theirs.exists() and not may_everything().exclude(pk__in=keys).exists() else ""
