"""What an account may do: three rights, each a permission of Django's, given through a group."""

from collections.abc import Iterable
from enum import StrEnum

from django.contrib.auth.models import AnonymousUser, Group, Permission, User
from django.contrib.contenttypes.models import ContentType

from ..models import Transaction


class Right(StrEnum):
    """POST transactions, read what there is, or administer: DELETE everything."""

    POST = "post"
    READ = "read"
    ADMINISTER = "administer"


# Codenames of the permissions on transactions that stand for the rights, in the admin site too.
PERMISSIONS = {
    Right.POST: "add_transaction",
    Right.READ: "view_transaction",
    Right.ADMINISTER: "delete_transaction",
}

Rights = frozenset[Right]
ALL: Rights = frozenset(Right)
NONE: Rights = frozenset()


def rights_of(user: User | AnonymousUser) -> Rights:
    """All the rights of an account: a superuser has every one, an inactive account none."""
    return frozenset(
        right for right, codename in PERMISSIONS.items() if user.has_perm(f"transactions.{codename}")
    )


def grant(user: User, rights: Iterable[Right]) -> None:
    """Puts `user` into the group of each right; what it may do already, it still may."""
    user.groups.add(*(_group(right) for right in rights))


def _group(right: Right) -> Group:
    """A group is given its permission once, when it is made: what an operator changes later stands."""
    group, made = Group.objects.get_or_create(name=f"API: {right}")
    if made:
        content = ContentType.objects.get_for_model(Transaction)
        group.permissions.add(Permission.objects.get(content_type=content, codename=PERMISSIONS[right]))
    return group
