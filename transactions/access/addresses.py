"""Where a request comes from: the client's address, as far as proxies that are trusted have written it."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

# A proxy says by one of these that the peer is not the client.
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP")


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
    whatever stands before it, the client may have made up. Where fewer are named, the request did not
    come through all of them, and the peer counts. An IPv6 address is told as its /64 network, all of
    which is one client's.
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
