"""What an account may do: rights, each a permission of Django's, given through a group."""

from collections.abc import Iterable
from enum import StrEnum

from django.contrib.auth.models import AnonymousUser, Group, Permission, User


class Right(StrEnum):
    """POST transactions, read what there is, or administer: DELETE everything.

    See rules and what they found, write drafts and lists of users, or decide: bring a version into force
    and end it. See alerts, or deal with them. See what is told to those outside, or decide who is told.
    Read the audit trail. None of them holds another.
    """

    POST = "post"
    READ = "read"
    ADMINISTER = "administer"
    VIEW_RULES = "rules.view"
    CHANGE_RULES = "rules.change"
    APPROVE_RULES = "rules.approve"
    VIEW_ALERTS = "alerts.view"
    CHANGE_ALERTS = "alerts.change"
    VIEW_EVENTS = "events.view"
    MANAGE_WEBHOOKS = "webhooks.manage"
    AUDIT = "audit"


# Codenames of the permissions that stand for the rights, in the admin site too: those on transactions, and
# those of other applications of ours.
PERMISSIONS = {
    Right.POST: "add_transaction",
    Right.READ: "view_transaction",
    Right.ADMINISTER: "delete_transaction",
    Right.VIEW_RULES: "view_rule",
    Right.CHANGE_RULES: "change_rule",
    Right.APPROVE_RULES: "approve_rule",
    Right.VIEW_ALERTS: "view_alert",
    Right.CHANGE_ALERTS: "change_alert",
    Right.VIEW_EVENTS: "view_message",
    Right.MANAGE_WEBHOOKS: "change_endpoint",
    Right.AUDIT: "view_entry",
}
# Whose models these are on, by how the right's name begins; all others are on transactions.
APPLICATIONS = {
    "rules": "rules",
    "alerts": "alerts",
    "events": "notifications",
    "webhooks": "notifications",
    "audit": "audit",
}

Rights = frozenset[Right]
ALL: Rights = frozenset(Right)
NONE: Rights = frozenset()


def rights_of(user: User | AnonymousUser) -> Rights:
    """All the rights of an account: a superuser has every one, an inactive account none."""
    return frozenset(right for right in Right if user.has_perm(permission_of(right)))


def permission_of(right: Right) -> str:
    """The permission that stands for a right, by its application and codename, as Django asks for it."""
    return f"{_application(right)}.{PERMISSIONS[right]}"


def rights_of_all(users: Iterable[User]) -> dict[int, Rights]:
    """The same of several accounts, by key: two statements, however many they are."""
    accounts = {user.pk: user for user in users}
    held: dict[int, set[tuple[str, str]]] = {key: set() for key in accounts}
    for way in ("user_permissions", "groups__permissions"):
        names = ("pk", f"{way}__content_type__app_label", f"{way}__codename")
        for key, application, codename in User.objects.filter(pk__in=accounts).values_list(*names):
            held[key].add((application, codename))
    return {key: _rights(user, held[key]) for key, user in accounts.items()}


def _rights(user: User, held: set[tuple[str, str]]) -> Rights:
    if not user.is_active:
        return NONE
    if user.is_superuser:
        return ALL
    return frozenset(
        right for right, codename in PERMISSIONS.items() if (_application(right), codename) in held
    )


def grant(user: User, rights: Iterable[Right]) -> None:
    """Puts `user` into the group of each right; what it may do already, it still may."""
    user.groups.add(*(_group(right) for right in rights))


def _group(right: Right) -> Group:
    """A group is given its permission once, when it is made: what an operator changes later stands."""
    group, made = Group.objects.get_or_create(name=f"API: {right}")
    if made:
        of_right = {"content_type__app_label": _application(right), "codename": PERMISSIONS[right]}
        group.permissions.add(Permission.objects.get(**of_right))
    return group


def _application(right: Right) -> str:
    """Whose models the permission is on."""
    return APPLICATIONS.get(right.partition(".")[0], "transactions")
