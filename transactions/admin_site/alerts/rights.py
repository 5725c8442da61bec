"""Who may see alerts and deal with them, and who else might."""

from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied

from ...access.rights import Right, rights_of

# Accounts that are offered to have an alert.
OFFERED_MAX = 200
BACKEND = "django.contrib.auth.backends.ModelBackend"


def may_view(user: Any) -> bool:
    return Right.VIEW_ALERTS in rights_of(user)


def may_change(user: Any) -> bool:
    return Right.CHANGE_ALERTS in rights_of(user)


def demand(allowed: bool) -> None:
    """Raises PermissionDenied, a 403, unless it is allowed."""
    if not allowed:
        raise PermissionDenied


def analysts() -> list[str]:
    """The names of those who may deal with alerts, and can log in."""
    found = User.objects.with_perm("alerts.change_alert", backend=BACKEND).filter(is_staff=True)
    return list(found.order_by("username").values_list("username", flat=True)[:OFFERED_MAX])
