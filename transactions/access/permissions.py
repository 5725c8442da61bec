"""The right that each call of the REST API asks for."""

from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from . import token_checks
from .callers import anonymous_may
from .rights import Right, Rights, rights_of

if TYPE_CHECKING:
    # For types alone: when it is loaded, that module loads the classes that the settings name, this one too.
    from rest_framework.views import APIView

# The right that a method asks for, but where a view has `rights` of its own. Of a method that a view has,
# and that is not named, it is the highest.
RIGHTS = {
    "GET": Right.READ,
    "HEAD": Right.READ,
    "OPTIONS": Right.READ,
    "POST": Right.POST,
    "DELETE": Right.ADMINISTER,
}


class MayUse(BasePermission):
    """A token whose account has the right, staff that has it, or anybody in a private run.

    A view's right of None stands for any of them, and so does a method that the view does not have: whoever
    may use anything is told that there is none. What is missing is named.
    """

    message: str | None = None

    def has_permission(self, request: Request, view: "APIView") -> bool:
        rights: dict[str, Right | None] = getattr(view, "rights", RIGHTS)
        is_there = request.method in view.allowed_methods
        right = rights.get(request.method or "", Right.ADMINISTER) if is_there else None
        self.message = "Any right is asked for." if right is None else f"The right “{right}” is missing."
        if isinstance(request.auth, token_checks.Access):
            return _has(request.auth.rights, right)
        if request.user.is_authenticated:
            return request.user.is_staff and _has(rights_of(request.user), right)
        return anonymous_may(request._request)


def _has(rights: Rights, right: Right | None) -> bool:
    return bool(rights) if right is None else right in rights
