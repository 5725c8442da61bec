"""Who may use the REST API, in the REST framework's terms; see `callers` for how it is judged."""

from typing import TYPE_CHECKING, Any

from asgiref.sync import async_to_sync, iscoroutinefunction
from django.conf import settings
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers
from django.utils.decorators import sync_and_async_middleware
from django.views.decorators.debug import sensitive_variables
from rest_framework import status
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import APIException, AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from . import limits, tokens
from .callers import anonymous_may, bearer_token, client_address
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


class RateLimited(APIException):
    """The caller's bucket holds too little for the request; the answer's headers say when to come again."""

    status_code = status.HTTP_429_TOO_MANY_REQUESTS
    default_detail = limits.REFUSED
    default_code = "rate_limited"


def take(request: HttpRequest, caller: str, records: int, *, paid: int = 0) -> None:
    """Takes from the caller's bucket, for the request and its batch alike. Raises RateLimited."""
    if not settings.RATE_LIMIT_RECORDS_PER_SECOND or records <= 0:
        return
    allowance = async_to_sync(limits.take)(caller, records, paid=paid)
    request.rate_limit = (caller, allowance)  # type: ignore[attr-defined]
    if allowance is not None and allowance.wait_s:
        raise RateLimited


def take_for_batch(request: HttpRequest, records: int) -> None:
    """Takes one for each record but the first, for which the request itself has paid. Raises RateLimited."""
    if limited := getattr(request, "rate_limit", None):
        take(request, limited[0], records - 1, paid=1)


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer TOKEN`. `request.auth` is then a tokens.Access.

    The first to be asked of every request, so that it takes from the caller's bucket before any
    database is asked, for a token that nobody knows either.
    """

    @sensitive_variables()
    def authenticate(self, request: Request) -> tuple[User, tokens.Access] | None:
        token = bearer_token(request._request)
        known = tokens.known(token) if token is not None else None
        caller = known.caller if known is not None else f"address:{client_address(request._request)}"
        take(request._request, caller, 1)
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


@sync_and_async_middleware
def rate_limit_headers(get_response: Any) -> Any:
    """Says on every answer of the REST API what is left to its caller, where there is a limit."""

    def told(request: HttpRequest, response: HttpResponse) -> HttpResponse:
        _, allowance = getattr(request, "rate_limit", ("", None))
        if allowance is not None:
            for name, value in allowance.headers().items():
                response[name] = value
            if "Authorization" not in request.headers:
                patch_vary_headers(response, ["Cookie"])
        return response

    if iscoroutinefunction(get_response):

        async def middleware(request: HttpRequest) -> HttpResponse:
            return told(request, await get_response(request))

        return middleware
    return lambda request: told(request, get_response(request))
