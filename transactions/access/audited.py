"""Log-ins, accounts and rights, as they are noted in the audit trail."""

from typing import Any

from axes.signals import user_locked_out
from django.contrib.auth.models import Group, User
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.http import HttpRequest

from ..audit.actions import Action
from ..audit.changes import Followed, follow, follow_links
from ..audit.entries import note

UNKNOWN = "unknown name"

ACCOUNTS = Followed(
    Action.USER_MADE,
    Action.USER_CHANGED,
    Action.USER_DELETED,
    fields=("username", "is_active", "is_staff", "is_superuser"),
    secret=("password", "email", "first_name", "last_name"),
    links=(("groups", "groups"), ("permissions", "user_permissions")),
)
GROUPS = Followed(
    Action.GROUP_MADE,
    Action.GROUP_CHANGED,
    Action.GROUP_DELETED,
    fields=("name",),
    links=(("people", "user_set"), ("permissions", "permissions")),
)


def connect_signals() -> None:
    """From now on log-ins, users, groups and what they may are noted; for the application's start."""
    user_logged_in.connect(note_log_in)
    user_logged_out.connect(note_log_out)
    user_login_failed.connect(note_failure)
    user_locked_out.connect(note_lock_out)
    follow(User, ACCOUNTS)
    follow(Group, GROUPS)
    follow_links(User.groups.through, Action.USER_RIGHTS, "groups")
    follow_links(User.user_permissions.through, Action.USER_RIGHTS, "permissions")
    follow_links(Group.permissions.through, Action.GROUP_RIGHTS, "permissions")


def note_log_in(user: User, **_: Any) -> None:
    """Somebody has logged in."""
    note(Action.LOGGED_IN, user)


def note_log_out(user: User | None, **_: Any) -> None:
    """Somebody has logged out; a session that had ended already names nobody."""
    if user is not None:
        note(Action.LOGGED_OUT, user)


def note_failure(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """A wrong name or password. django-axes heard of it first: what closed the log-in is noted as that."""
    if not getattr(request, "axes_locked_out", False):
        note(Action.LOG_IN_FAILED, _known(credentials.get("username")), apart=True)


def note_lock_out(username: str | None, **_: Any) -> None:
    """The log-in is closed to a name from an address, or was tried while it is."""
    note(Action.LOCKED_OUT, _known(username), apart=True)


def _known(name: str | None) -> User | str:
    """The account of that name. What is none is not told: people type passwords where the name belongs."""
    found = User.objects.filter(username=name).first() if name and "\0" not in name else None
    return found or UNKNOWN
