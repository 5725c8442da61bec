"""Answers given in front of Django, with the headers that its middleware sets on all others."""

from asgiref.typing import ASGISendCallable, HTTPScope, WebSocketScope

from transactions.access import plain_heads
from transactions.access.addresses import address_of

TEXT = "text/plain; charset=utf-8"


async def answer(
    scope: HTTPScope, send: ASGISendCallable, status: int, body: bytes, content_type: str, **more: str
) -> None:
    """Answers an HTTP request; `more` are headers, their names with _ for -. HEAD is told no body."""
    headers = [
        (b"Content-Type", content_type.encode()),
        (b"Content-Length", b"%d" % len(body)),
        *((name.replace("_", "-").encode(), value.encode()) for name, value in more.items()),
        *plain_heads.common_headers(secure=is_secure(scope)),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers, "trailers": False})
    told = b"" if scope["method"] == "HEAD" else body
    await send({"type": "http.response.body", "body": told, "more_body": False})


def path_of(scope: HTTPScope | WebSocketScope) -> str:
    """The path within the service: below the root path that a server may be started with."""
    return scope["path"].removeprefix(scope.get("root_path", ""))


def header(scope: HTTPScope | WebSocketScope, name: bytes) -> str | None:
    """The value of a request's header, None without it; of several all, as Django joins them."""
    values = [value.decode("latin-1") for key, value in scope["headers"] if key == name]
    return ",".join(values) if values else None


def address_in(scope: HTTPScope | WebSocketScope) -> str:
    """The client's address, as `access.addresses` has it."""
    client = scope.get("client")
    return address_of(client[0] if client else "", header(scope, b"x-forwarded-for") or "")


def is_secure(scope: HTTPScope) -> bool:
    """As Django's request.is_secure()."""
    name, word = plain_heads.proxy_header()
    return plain_heads.came_by_tls(scope, header(scope, name) if name else None, word)
