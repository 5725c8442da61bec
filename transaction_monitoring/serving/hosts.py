"""Requests for hosts that are not served end in front of Django, with DEBUG too.

A page of another site may have its own name lead to this machine (DNS rebinding), and a browser then
lets it read what it is answered: Django's debug page, with all settings, if it got that far.
"""

import logging
from functools import lru_cache

from asgiref.typing import (
    ASGI3Application,
    ASGIReceiveCallable,
    ASGISendCallable,
    HTTPScope,
    Scope,
    WebSocketScope,
)

from transactions.access.plain_heads import JSON, host_allowed

from .early_answers import TEXT, answer, header, path_of

log = logging.getLogger(__name__)

REFUSED = "This host is not served here."


def known_hosts(application: ASGI3Application) -> ASGI3Application:
    """`application` for the hosts of ALLOWED_HOSTS: 400 for others, 403 for a websocket's handshake."""

    async def guarded(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "lifespan" or is_allowed(scope):
            await application(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000, "reason": None})
        else:
            await refuse(scope, send)

    return guarded


async def refuse(scope: HTTPScope, send: ASGISendCallable) -> None:
    """The 400, as JSON under /api/, else as plain text."""
    if path_of(scope).startswith("/api/"):
        await answer(scope, send, 400, b'{"detail":"%s"}' % REFUSED.encode(), JSON)
    else:
        await answer(scope, send, 400, f"{REFUSED}\n".encode(), TEXT)


def is_allowed(scope: HTTPScope | WebSocketScope) -> bool:
    """Whether the request is for a host of ours; one that names none is for the address it came to."""
    host = header(scope, b"host")
    if host is None:
        server = scope.get("server") or ("unknown", None)
        host = f"[{server[0]}]" if ":" in server[0] else server[0]
    return _is_allowed(host)


@lru_cache(maxsize=1024)
def _is_allowed(host: str) -> bool:
    allowed = host_allowed(host)
    if not allowed:
        # Once for each, as far as they are kept in mind.
        log.warning("A request for the host %.100r was refused: it is not in ALLOWED_HOSTS", host)
    return allowed
