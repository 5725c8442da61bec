"""Bearer tokens in the REST framework's terms; `token_checks` says what each opens."""

from django.contrib.auth.models import User
from django.views.decorators.debug import sensitive_variables
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from . import token_checks
from .addresses import client_address
from .callers import bearer_token
from .throttling import take, take_instead


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer TOKEN`. `request.auth` is then a token_checks.Access.

    The settings name it first, so every request comes by here: it is charged to its caller's rate
    limit before any database is asked, and guessing tokens is limited like everything else. Whose token is
    good pays from its bucket, with all that follows; its address gets back what it paid for the look.
    """

    @sensitive_variables()
    def authenticate(self, request: Request) -> tuple[User, token_checks.Access] | None:
        token = bearer_token(request._request)
        known = token_checks.known(token) if token is not None else None
        caller = known.caller if known is not None else f"address:{client_address(request._request)}"
        take(request._request, caller, 1)
        if token is None:
            return None
        access = token_checks.check(token)
        if access is None:
            raise AuthenticationFailed("The token is unknown, expired or revoked.")
        if known is None:
            take_instead(request._request, access.caller)
        return access.user, access

    def authenticate_header(self, request: Request) -> str:
        """What a 401 says in WWW-Authenticate."""
        return "Bearer"
