"""Who may open the websocket: the rules of the REST API, and no page of another origin.

channels' own validators compare hosts with ALLOWED_HOSTS, so a page on another port passes, and
refuse clients that send no Origin, which no browser is among.
"""

from importlib import import_module
from io import BytesIO

from asgiref.typing import WebSocketScope
from django.conf import settings
from django.contrib import auth
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest

from ..access.callers import rights_of_caller
from ..access.known_callers import note_session
from ..access.origins import from_foreign_page
from ..access.rights import NONE, Rights

_SCHEMES = {"ws": "http", "wss": "https"}


def rights_of_watcher(scope: WebSocketScope) -> Rights:
    """What a handshake's sender may do, as of now: sessions, tokens and rights are looked at afresh. From a
    page of another origin, or for a host that is not ours, nothing.

    Blocks. Raises django.db.Error where only PostgreSQL could tell.
    """
    request = _request_of(scope)
    try:
        request.get_host()
    except DisallowedHost:
        return NONE
    if from_foreign_page(request):
        return NONE
    load_user(request)
    if request.user.is_authenticated:
        note_session(request.session.session_key)
    return rights_of_caller(request)


def _request_of(scope: WebSocketScope) -> ASGIRequest:
    """The handshake as the GET request that it is, for Django's own reading of headers. It has no content
    that were of a type.
    """
    told = {
        **scope,
        "method": "GET",
        "scheme": _SCHEMES[scope.get("scheme", "ws")],
        "query_string": b"",
        "headers": [header for header in scope["headers"] if header[0] != b"content-type"],
    }
    return ASGIRequest(told, BytesIO())


def load_user(request: ASGIRequest) -> None:
    """Gives a request its session and its user, as Django's middleware does. Blocks, as above."""
    sessions = import_module(settings.SESSION_ENGINE)
    request.session = sessions.SessionStore(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
    request.user = auth.get_user(request)
