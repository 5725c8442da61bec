"""Whom this process knows already, told without asking anybody: for places among those who wait.

It says whose credentials were found good here, not that they still are: that is looked at afterwards.
Credentials that somebody has made up are known nowhere, and stand with their address.
"""

import hashlib
from collections import OrderedDict
from http.cookies import CookieError, SimpleCookie

from django.conf import settings
from django.views.decorators.debug import sensitive_variables

from . import token_checks, token_copies
from .tokens import FORM, digest_of

# Sessions that a process keeps in mind; the one that was seen longest ago goes first.
SESSIONS_MAX = 10_000

_sessions: OrderedDict[str, None] = OrderedDict()


@sensitive_variables()
def note_session(key: str | None) -> None:
    """Remembers that this session has somebody's account."""
    if key:
        _sessions[_session(key)] = None
        _sessions.move_to_end(_session(key))
        while len(_sessions) > SESSIONS_MAX:
            _sessions.popitem(last=False)


@sensitive_variables()
def known_caller(authorization: str, cookies: str) -> str | None:
    """A name for who sends these headers, if the process has found the token or the session good before."""
    token = token_of(authorization)
    if token is not None:
        access = token_checks.seen(token)
        return access.caller if access is not None else None
    if settings.SESSION_COOKIE_NAME not in cookies:
        return None
    try:
        cookie = SimpleCookie(cookies).get(settings.SESSION_COOKIE_NAME)
    except CookieError:
        return None
    name = _session(cookie.value) if cookie is not None else ""
    return name if name in _sessions else None


@sensitive_variables()
async def is_remembered(token: str) -> bool:
    """Whether Redis knows that a token was good a week ago or later: it may be asked for before others."""
    return FORM.fullmatch(token) is not None and await token_copies.is_kept(digest_of(token))


@sensitive_variables()
def token_of(authorization: str) -> str | None:
    """The token of a header `Authorization: Bearer …`, unchecked."""
    scheme, _, token = authorization.strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


@sensitive_variables()
def _session(key: str) -> str:
    return f"session:{hashlib.sha256(key.encode()).hexdigest()[:32]}"
