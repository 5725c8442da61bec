"""Where webhooks may go: to the public internet by TLS, and to private networks that the settings name.

A URL is looked at twice. When it is typed: its form. When something is sent: its name is resolved, every
address that it has is judged, and one of those is connected to; so a name that means another address a
moment later gains nothing.
"""

import socket
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooLate
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import NamedTuple
from urllib.parse import urlsplit

from django.conf import settings

from .models import URL_CHARACTERS_MAX

SCHEMES = ("https:", "http:")
NO_URL = "This is not a URL, as in https://example.org/webhooks."
# RFC 1035, 2.3.4: of a name, and of what stands between two of its dots.
NAME_CHARACTERS_MAX, LABEL_CHARACTERS_MAX = 253, 63
# Look-ups at a time. One that hangs cannot be ended: it is left to itself.
LOOK_UPS_MAX = 32
# Whoever resolves names for IPv6 alone finds IPv4 addresses behind this.
NAT64 = ip_network("64:ff9b::/96")

# Networks of the special registries of IANA that Python, or one version of it, takes for global: protocols'
# own, relays that are no more, documentation. And the one address of a cloud's metadata, Azure's, that is in
# none of them.
NOT_PUBLIC = tuple(
    map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "2001::/23", "3fff::/20", "168.63.129.16/32"))
)
# Whatever else IPv6 has is for a site, a link, a group or nobody.
GIVEN_OUT = IPv6Network("2000::/3")

Address = IPv4Address | IPv6Address
_resolving = ThreadPoolExecutor(LOOK_UPS_MAX, thread_name_prefix="webhook names")


class Forbidden(Exception):
    """Nothing is sent there; says why."""


class Destination(NamedTuple):
    """A URL in its parts; `target` is what stands after host and port."""

    is_secure: bool
    host: str
    port: int
    target: str


def read(url: str) -> Destination:
    """The parts of a URL that webhooks may have. Raises Forbidden with a sentence."""
    if len(url) > URL_CHARACTERS_MAX:
        raise Forbidden(f"The URL has at most {URL_CHARACTERS_MAX} characters.")
    if not url.lower().startswith(SCHEMES):
        raise Forbidden(NO_URL)
    if " " in url.partition("//")[2].partition("/")[0]:
        raise Forbidden(NO_URL)
    if not url.isascii() or any(character <= " " or character == "\x7f" for character in url):
        raise Forbidden("The URL has only visible ASCII characters; others are written as %C3%A9 or xn--….")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise Forbidden(NO_URL) from None
    if parts.scheme not in ("https", "http") or not host:
        raise Forbidden(NO_URL)
    if "@" in parts.netloc:
        raise Forbidden("The URL has no user name and no password: messages are signed.")
    if "#" in url:
        raise Forbidden("The URL has no fragment (#).")
    if port == 0:
        raise Forbidden("The port is from 1 to 65535.")
    is_secure = parts.scheme == "https"
    if not is_secure and not settings.WEBHOOK_PRIVATE_NETWORKS:
        raise Forbidden("The URL begins with https://; http:// is for networks of WEBHOOK_PRIVATE_NETWORKS.")
    if (literal := _literal(host)) is not None:
        judge(literal, is_secure=is_secure)
    elif not _is_name(host):
        raise Forbidden(
            f"The name of the host has at most {NAME_CHARACTERS_MAX} characters, "
            f"and 1 to {LABEL_CHARACTERS_MAX} between its dots."
        )
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Destination(is_secure, host, port or (443 if is_secure else 80), target)


def addresses(destination: Destination, timeout_s: float) -> list[Address]:
    """The addresses of a host, all of them fit to be sent to. Raises Forbidden, OSError, TimeoutError."""
    literal = _literal(destination.host)
    found = [literal] if literal is not None else _resolved(destination.host, timeout_s)
    for address in found:
        judge(address, is_secure=destination.is_secure)
    return found


def judge(address: Address, *, is_secure: bool) -> None:
    """Raises Forbidden for an address that is not public, or sent to in the clear, unless it is named."""
    meant = _meant(address)
    if any(meant in network for network in settings.WEBHOOK_PRIVATE_NETWORKS):
        return
    if not meant.is_global or meant.is_multicast or meant.is_reserved or not _is_given_out(meant):
        raise Forbidden(f"The address {address} is not public, and not in WEBHOOK_PRIVATE_NETWORKS.")
    if not is_secure:
        raise Forbidden(f"http:// is for networks of WEBHOOK_PRIVATE_NETWORKS, and {address} is in none.")


def _is_given_out(address: Address) -> bool:
    """Whether it belongs to what is given out for the internet, and to no network that has another use."""
    known = isinstance(address, IPv4Address) or address in GIVEN_OUT
    return known and not any(address in network for network in NOT_PUBLIC)


def _meant(address: Address) -> Address:
    """The IPv4 address that one of IPv6 stands for, where it does."""
    if isinstance(address, IPv6Address):
        if address in NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address.sixtofour or address
    return address


def _is_name(host: str) -> bool:
    """Whether names of the internet may be so long; the root's dot at the end is not counted."""
    name = host.removesuffix(".")
    labels = name.split(".")
    return len(name) <= NAME_CHARACTERS_MAX and all(0 < len(each) <= LABEL_CHARACTERS_MAX for each in labels)


def _literal(host: str) -> Address | None:
    """The address that a host is written as, in any of the forms that a connection would take."""
    try:
        return ip_address(host.partition("%")[0])
    except ValueError:
        pass
    try:
        # 127.1, 2130706433, 0x7f.1: what the C library reads as an address.
        return IPv4Address(socket.inet_aton(host))
    except (OSError, ValueError):
        return None


def _resolved(host: str, timeout_s: float) -> list[Address]:
    asked: Future[list[Address]] = _resolving.submit(_ask, host)
    try:
        return asked.result(timeout_s)
    except TooLate:
        asked.cancel()
        raise TimeoutError(f"The name {host} was not resolved in time.") from None


def _ask(host: str) -> list[Address]:
    try:
        answers = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except UnicodeError:
        raise OSError(f"{host} is not a name") from None
    found = dict.fromkeys(str(where[0]).partition("%")[0] for *_, where in answers)
    return [ip_address(each) for each in found]
