"""Answers given in front of Django, with the headers that its middleware sets on all others."""

from functools import lru_cache
from typing import Any

from asgiref.typing import ASGISendCallable, HTTPScope, WebSocketScope
from django.conf import settings

from transactions.access.addresses import address_of

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"


async def answer(
    scope: HTTPScope, send: ASGISendCallable, status: int, body: bytes, content_type: str, **more: str
) -> None:
    """Answers an HTTP request; `more` are headers, their names with _ for -. HEAD is told no body."""
    headers = [
        (b"Content-Type", content_type.encode()),
        (b"Content-Length", b"%d" % len(body)),
        *((name.replace("_", "-").encode(), value.encode()) for name, value in more.items()),
        *_common(is_secure(scope)),
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
    if settings.SECURE_PROXY_SSL_HEADER:
        name, word = settings.SECURE_PROXY_SSL_HEADER
        given = header(scope, name.removeprefix("HTTP_").lower().replace("_", "-").encode())
        if given is not None:
            return given.partition(",")[0].strip() == word
    return bool(scope.get("scheme") == "https")


@lru_cache(maxsize=2)
def _common(secure: bool) -> tuple[tuple[bytes, bytes], ...]:
    headers: dict[str, Any] = {
        "X-Frame-Options": settings.X_FRAME_OPTIONS,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": settings.SECURE_REFERRER_POLICY,
        "Cross-Origin-Opener-Policy": settings.SECURE_CROSS_ORIGIN_OPENER_POLICY,
        "Content-Security-Policy": settings.CONTENT_SECURITY_POLICY,
        "Permissions-Policy": settings.PERMISSIONS_POLICY,
        "Cache-Control": "no-store",
    }
    if secure and settings.SECURE_HSTS_SECONDS:
        policy = [f"max-age={settings.SECURE_HSTS_SECONDS}"]
        policy += ["includeSubDomains"] * settings.SECURE_HSTS_INCLUDE_SUBDOMAINS
        policy += ["preload"] * settings.SECURE_HSTS_PRELOAD
        headers["Strict-Transport-Security"] = "; ".join(policy)
    return tuple((name.encode(), value.encode()) for name, value in headers.items())
