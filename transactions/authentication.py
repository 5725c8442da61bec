"""Who may use the REST API, in the REST framework's terms; see `callers` for how it is judged."""

from typing import TYPE_CHECKING

from django.contrib.auth.models import User
from django.views.decorators.debug import sensitive_variables
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from . import tokens
from .callers import anonymous_may, bearer_token
from .rights import Right, rights_of

if TYPE_CHECKING:
    # Its module reads the settings that name this one.
    from rest_framework.views import APIView

# The right that a method asks for; one that no endpoint has asks for the highest.
RIGHTS = {
    "GET": Right.READ,
    "HEAD": Right.READ,
    "OPTIONS": Right.READ,
    "POST": Right.POST,
    "DELETE": Right.ADMINISTER,
}


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer TOKEN`. `request.auth` is then a tokens.Access."""

    @sensitive_variables()
    def authenticate(self, request: Request) -> tuple[User, tokens.Access] | None:
        token = bearer_token(request._request)
        if token is None:
            return None
        access = tokens.check(token)
        if access is None:
            raise AuthenticationFailed("The token is unknown, expired or revoked.")
        return access.user, access

    def authenticate_header(self, request: Request) -> str:
        """What a 401 says in WWW-Authenticate."""
        return "Bearer"


class MayUse(BasePermission):
    """A token whose account has the right, staff that has it, or anybody in a private run."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        right = RIGHTS.get(request.method or "", Right.ADMINISTER)
        if isinstance(request.auth, tokens.Access):
            return right in request.auth.rights
        if request.user.is_authenticated:
            return request.user.is_staff and right in rights_of(request.user)
        return anonymous_may(request._request)
