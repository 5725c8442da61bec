"""Where a request comes from: the client's address, as far as proxies that are trusted have written it."""

import re
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest

# A proxy says by one of these that the peer is not the client.
_FORWARDED = ("Forwarded", "X-Forwarded-For", "X-Real-IP")

# An address as proxies write it: some with the caller's port (Azure's, say), IPv6 then in brackets,
# either perhaps in quotes, as in the header Forwarded.
_WRITTEN = re.compile(
    r"""
    (?P<quote>"?)
    (?: (?P<v4>[0-9.]+) (?: :[0-9]{1,5} )?
      | \[ (?P<bracketed>[^\[\]"]*:[^\[\]"]*) \] (?: :[0-9]{1,5} )?
      | (?P<bare>[^\[\]"]*) )
    (?P=quote)
    """,
    re.VERBOSE,
)
# Where the last 32 bits are an address of IPv4: NAT64 (RFC 6052, and RFC 8215 for a network's own), stateless
# translation (RFC 7915), and what was once called compatible.
_TRANSLATED = tuple(map(IPv6Network, ("64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96", "::/96")))
# No address is longer, with a zone; what is longer is not kept in mind.
_CHARACTERS_MAX = 100


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
    come through all of them, and the peer counts. An IPv6 address is told as the IPv4 address that it stands
    for, where it does, else as its /64 network, all of which is one client's.
    """
    proxies = settings.TRUSTED_PROXIES
    if proxies and forwarded:
        stated = forwarded.split(",")
        if len(stated) >= proxies and (found := _bucket_of(stated[-proxies].strip()[:_CHARACTERS_MAX])):
            return found
    return _bucket_of(peer) or "127.0.0.1"  # A Unix socket's peer has none.


@lru_cache(maxsize=4096)
def _bucket_of(written: str) -> str:
    """An address in the one form that all its spellings have, of IPv6 its network; "" for what is none."""
    address = _address(written)
    if isinstance(address, IPv6Address):
        if (inner := _embedded(address)) is not None:
            return str(inner)
        if address.is_loopback:
            return str(address)
        return str(ip_network((address.packed, 64), strict=False).network_address)
    return str(address or "")


@lru_cache(maxsize=1024)
def is_loopback(address: str) -> bool:
    """Whether a peer's address is this machine's own; a Unix socket's peer has none."""
    if not address:
        return True
    peer = _address(address)
    return peer is not None and peer.is_loopback


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that an IPv6 address was translated from, or is a tunnel's of; else None.

    Of a translator's whole network, else, all callers by IPv4 would be one. For the buckets alone: no peer
    is on this machine for what such an address says.
    """
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    last = int(address) & 0xFFFF_FFFF
    # The first 65,536 of ::/96 are ::, ::1 and others of IPv6 itself.
    if last > 0xFFFF and any(address in network for network in _TRANSLATED):
        return IPv4Address(last)
    return None


def _address(written: str) -> IPv4Address | IPv6Address | None:
    """The address, without port, brackets or quotes; None for "unknown", "_hidden" and whatever is none."""
    parts = _WRITTEN.fullmatch(written)
    if parts is None:
        return None
    try:
        address = ip_address(parts["v4"] or parts["bracketed"] or parts["bare"] or "")
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
