"""Who calls: a token's holder, a member of staff with a session, or nobody known.

Works on Django's requests, so that the REST views, plain views and the websocket judge alike.
"""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network
from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest
from django.utils.http import is_same_domain
from django.views.decorators.debug import sensitive_variables

from . import tokens
from .rights import ALL, NONE, Rights, rights_of

_PORTS = {"http": 80, "https": 443}
# A proxy says by one of these that the peer is not the client.
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP")
# What a browser says of requests of our own pages, and of those that a person typed.
_OWN_PAGES = ("same-origin", "none")

Origin = tuple[str, str, int]


@sensitive_variables()
def rights_of_caller(request: HttpRequest) -> Rights:
    """What the sender of `request` may do. Raises django.db.Error where only PostgreSQL could tell.

    Whoever shows credentials is judged by them, also where anonymous requests are let in.
    `request.user` must be set. The REST framework's views have classes of their own, in
    `authentication`, which check CSRF too.
    """
    token = bearer_token(request)
    if token is not None:
        access = tokens.check(token)
        return access.rights if access is not None else NONE
    if request.user.is_authenticated:
        return rights_of(request.user) if request.user.is_staff else NONE
    return ALL if anonymous_may(request) else NONE


@sensitive_variables()
def bearer_token(request: HttpRequest) -> str | None:
    """The token of `Authorization: Bearer …`, unchecked; None without such a header."""
    scheme, _, token = request.headers.get("Authorization", "").strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def anonymous_may(request: HttpRequest) -> bool:
    """In a private run, somebody without credentials on this very machine, but no page of another site."""
    return settings.ALLOW_ANONYMOUS_API and from_loopback(request) and not from_foreign_page(request)


def from_loopback(request: HttpRequest) -> bool:
    """Over loopback or a Unix socket, and not handed on by a proxy for somebody else."""
    if any(name in request.headers for name in _FORWARDED):
        return False
    return is_loopback(request.META.get("REMOTE_ADDR", ""))


def client_address(request: HttpRequest) -> str:
    """The address that a request came from; see `address_of`."""
    return address_of(request.META.get("REMOTE_ADDR") or "", request.headers.get("X-Forwarded-For", ""))


def address_of(peer: str, forwarded: str) -> str:
    """The client's address, by the peer's and X-Forwarded-For as far as TRUSTED_PROXIES have written it.

    Each proxy adds at the end who called it, so with n of them the nth from the end is the client;
    whatever stands before it, the client may have made up. What did not come through all of them is
    judged by its peer. Of IPv6 the network, since a client has all of its /64.
    """
    proxies = settings.TRUSTED_PROXIES
    if proxies and forwarded:
        stated = forwarded.split(",")
        if len(stated) >= proxies and (found := _canonical(stated[-proxies].strip())):
            return found
    return _canonical(peer) or "127.0.0.1"  # A Unix socket's peer has none.


@lru_cache(maxsize=4096)
def _canonical(text: str) -> str:
    """An address in the one form that all its spellings have, "" for what is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return ""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ip_network((address.packed, 64), strict=False).network_address)
    return str(address)


@lru_cache(maxsize=1024)
def is_loopback(address: str) -> bool:
    """Whether a peer's address is this machine's own; a Unix socket's peer has none."""
    if not address:
        return True
    try:
        peer = ip_address(address)
    except ValueError:
        return False
    if isinstance(peer, IPv6Address) and peer.ipv4_mapped is not None:
        peer = peer.ipv4_mapped
    return peer.is_loopback


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
