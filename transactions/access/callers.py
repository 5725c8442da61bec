"""Who calls: a token's holder, a member of staff with a session, or nobody known.

Works on Django's requests, so that the REST views, plain views and the websocket judge alike.
"""

from django.conf import settings
from django.http import HttpRequest
from django.views.decorators.debug import sensitive_variables

from . import token_checks
from .addresses import from_loopback
from .known_callers import token_of
from .origins import from_foreign_page
from .rights import ALL, NONE, Right, Rights, rights_of


@sensitive_variables()
def rights_of_caller(request: HttpRequest) -> Rights:
    """What the sender of `request` may do. Raises django.db.Error where only PostgreSQL could tell.

    Whoever shows credentials is judged by them, also where anonymous requests are let in.
    `request.user` must be set. The REST framework's views are judged by classes that the settings
    name (`authentication`, `permissions`), where a session's requests are checked for CSRF too.
    """
    token = bearer_token(request)
    if token is not None:
        access = token_checks.check(token)
        return access.rights if access is not None else NONE
    if request.user.is_authenticated:
        return rights_of(request.user) if request.user.is_staff else NONE
    return ALL if anonymous_may(request) else NONE


def may_read(request: HttpRequest) -> bool:
    """Whether the sender of `request` may read. Raises django.db.Error where only PostgreSQL could tell."""
    return Right.READ in rights_of_caller(request)


@sensitive_variables()
def bearer_token(request: HttpRequest) -> str | None:
    """The token of `Authorization: Bearer …`, unchecked; None without such a header."""
    return token_of(request.headers.get("Authorization", ""))


def anonymous_may(request: HttpRequest) -> bool:
    """In a private run, somebody without credentials on this very machine, but no page of another site."""
    return settings.ALLOW_ANONYMOUS_API and from_loopback(request) and not from_foreign_page(request)
