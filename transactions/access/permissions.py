"""The right that each call of the REST API asks for."""

from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from . import token_checks
from .callers import anonymous_may
from .rights import Right, rights_of

if TYPE_CHECKING:
    # For types alone: when it is loaded, that module loads the classes that the settings name, this one too.
    from rest_framework.views import APIView

# The right that a method asks for, where the view does not name its own as `right`; a method that no
# endpoint has asks for the highest.
RIGHTS = {
    "GET": Right.READ,
    "HEAD": Right.READ,
    "OPTIONS": Right.READ,
    "POST": Right.POST,
    "DELETE": Right.ADMINISTER,
}


class MayUse(BasePermission):
    """A token whose account has the right, staff that has it, or anybody in a private run."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        right = getattr(view, "right", None) or RIGHTS.get(request.method or "", Right.ADMINISTER)
        if isinstance(request.auth, token_checks.Access):
            return right in request.auth.rights
        if request.user.is_authenticated:
            return request.user.is_staff and right in rights_of(request.user)
        return anonymous_may(request._request)
