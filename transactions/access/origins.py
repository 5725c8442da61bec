"""Whether a browser sends a request for a page of ours or of another site."""

from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.utils.http import is_same_domain

_PORTS = {"http": 80, "https": 443}

# What a browser says of requests of our own pages, and of those that a person typed.
_OWN_PAGES = ("same-origin", "none")

Origin = tuple[str, str, int]


def from_foreign_page(request: HttpRequest) -> bool:
    """Sent by a browser for a page of another scheme, host or port, CSRF_TRUSTED_ORIGINS apart.

    "same-site" is foreign too: every port of this machine is one site to a browser. No browser lets
    a page leave out or choose either header; other clients send neither.
    Raises DisallowedHost where the request's own host is not one of ours.
    """
    stated = request.headers.get("Origin")
    if stated is not None:
        origin = _parsed(stated)
        if origin is None:
            return True
        if _trusted(origin):
            return False
        if origin != _parsed(f"{request.scheme}://{request.get_host()}"):
            return True
    return request.headers.get("Sec-Fetch-Site", "none").lower() not in _OWN_PAGES


def _parsed(origin: str) -> Origin | None:
    """Scheme, host and port; None for "null" and whatever else is no origin."""
    try:
        parts = urlsplit(origin)
        port = parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        return None
    return (parts.scheme, parts.hostname, port) if parts.hostname else None


def _trusted(origin: Origin) -> bool:
    scheme, host, port = origin
    for entry in settings.CSRF_TRUSTED_ORIGINS:
        trusted = _parsed(entry)
        # "https://*.example.org" stands for every host below example.org.
        if trusted and trusted[::2] == (scheme, port) and is_same_domain(host, trusted[1].removeprefix("*")):
            return True
    return False
