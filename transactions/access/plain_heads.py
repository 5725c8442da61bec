"""Requests that need none of Django to be judged: what in a head can change its answer, read as Django does.

For lanes, which answer the common request in front of Django and leave whatever is in any way unusual to it.
Whoever else answers in front of Django asks here too whether a host is served, whether the client came by
TLS, and for the headers that stand on all answers.
"""

from functools import lru_cache
from typing import NamedTuple

from asgiref.typing import HTTPScope
from django.conf import settings
from django.http.request import split_domain_port, validate_host

from ..encodings import charset_fault
from . import token_checks
from .addresses import address_of, is_loopback
from .rights import Right

# All that can change what Django answers to such a request; whatever else a client, a proxy or a tracer
# sends, a lane lets pass. A test records what is read on the way of these requests, and fails for a
# header that is neither here nor in READ_IN_VAIN.
#
# What a lane reads as Django does. One of them twice is Django's, which joins them.
READ = frozenset({b"host", b"content-type", b"content-length", b"authorization", b"x-request-id"})
# What says of a caller without credentials where it is, or for which page it asks.
OF_ANONYMOUS = frozenset({b"origin", b"sec-fetch-site", b"forwarded", b"x-forwarded-for", b"x-real-ip"})
# Gone where a body has been read and unpacked, which happens in front of the lanes.
OF_BODIES = frozenset({b"transfer-encoding", b"content-encoding"})
# Looked at for the names of Django's own cookies alone; those of a balancer change nothing.
COOKIE = b"cookie"
# Read on the way without an effect on the answer: no agent is disallowed.
READ_IN_VAIN = frozenset({b"user-agent"})

JSON = "application/json"

Headers = dict[bytes, bytes]


class Rules(NamedTuple):
    """The settings that a head is judged by, read once: Django takes half a microsecond for each."""

    body_bytes_max: int
    anonymous: bool
    tls_alone: bool
    # The header by which a proxy says that the client came by TLS, and its value then.
    proxy_header: bytes | None
    proxy_word: str
    # Names of cookies that Django looks at.
    cookies: tuple[bytes, ...]

    @classmethod
    def of_settings(cls) -> "Rules":
        header, word = proxy_header()
        return cls(
            body_bytes_max=settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
            anonymous=settings.ALLOW_ANONYMOUS_API,
            tls_alone=settings.SECURE_SSL_REDIRECT,
            proxy_header=header,
            proxy_word=word,
            cookies=tuple(
                name.encode()
                for name in (settings.SESSION_COOKIE_NAME, settings.CSRF_COOKIE_NAME, "messages")
            ),
        )


class Sender(NamedTuple):
    """Who sends a plain request, and how."""

    # Whose bucket the rate limit takes from.
    caller: str
    anonymous: bool
    secure: bool


def plain_headers(scope: HTTPScope, rules: Rules) -> Headers | None:
    """The headers by name; None where one that matters stands there twice, or only Django can judge one."""
    given = list(scope["headers"])
    headers = dict(given)
    if len(headers) < len(given) and _says_twice(given, rules):
        return None
    if not OF_BODIES.isdisjoint(headers):
        return None
    cookie = headers.get(COOKIE)
    if cookie is not None and any(name in cookie for name in rules.cookies):
        return None
    return headers


def sender(scope: HTTPScope, headers: Headers, rules: Rules, right: Right) -> Sender | None:
    """Who sends it: one who has `right`; None for whom Django is to judge, a host or a redirect among it."""
    stated = headers.get(rules.proxy_header) if rules.proxy_header else None
    secure = came_by_tls(scope, None if stated is None else stated.decode("latin-1"), rules.proxy_word)
    if not host_allowed(headers.get(b"host", b"").decode("latin-1")) or (rules.tls_alone and not secure):
        return None
    anonymous = b"authorization" not in headers
    caller = _anonymous(scope, headers, rules) if anonymous else _holder(headers[b"authorization"], right)
    return None if caller is None else Sender(caller, anonymous, secure)


@lru_cache(maxsize=256)
def media_type(content_type: bytes) -> str | None:
    """The type that a Content-Type says, in small letters; None where it says a charset but UTF-8."""
    stated = content_type.decode("latin-1")
    return None if charset_fault(stated) else stated.partition(";")[0].strip().lower()


@lru_cache(maxsize=16)
def answer_headers(allow: str, *, anonymous: bool, secure: bool) -> tuple[tuple[bytes, bytes], ...]:
    """The headers that Django's middleware would have set on the answer of a view with these methods."""
    headers = [(b"Content-Type", JSON.encode()), (b"Allow", allow.encode())]
    if anonymous:  # since Django would have looked for a session
        headers.append((b"Vary", b"Cookie"))
    return (*headers, *common_headers(secure=secure))


@lru_cache(maxsize=2)
def common_headers(*, secure: bool) -> tuple[tuple[bytes, bytes], ...]:
    """The headers that Django's middleware sets on every answer outside of the admin."""
    headers = {
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


def proxy_header() -> tuple[bytes | None, str]:
    """The header by which a proxy says that the client came by TLS, and its value then; None without one."""
    name, word = settings.SECURE_PROXY_SSL_HEADER or ("", "")
    return name.removeprefix("HTTP_").lower().replace("_", "-").encode() or None, word


def came_by_tls(scope: HTTPScope, stated: str | None, word: str) -> bool:
    """As Django's request.is_secure(): what a proxy stated is `word`, or none did and the scheme is https."""
    if stated is None:
        return bool(scope.get("scheme") == "https")
    return stated.partition(",")[0].strip() == word


@lru_cache(maxsize=1024)
def host_allowed(host: str) -> bool:
    """Whether what a request names as its host, with a port or without, is served here."""
    hosts = settings.ALLOWED_HOSTS
    if settings.DEBUG and not hosts:  # as Django has it
        hosts = [".localhost", "127.0.0.1", "[::1]"]
    domain, _ = split_domain_port(host)
    return bool(domain) and validate_host(domain, hosts)


def _says_twice(given: list[tuple[bytes, bytes]], rules: Rules) -> bool:
    """Whether a header that matters stands there more than once."""
    names = [name for name, _ in given if name in READ or name in (rules.proxy_header, COOKIE)]
    return len(set(names)) < len(names)


def _anonymous(scope: HTTPScope, headers: Headers, rules: Rules) -> str | None:
    """The caller without credentials, whose bucket is that of the address; None where it may not."""
    if not rules.anonymous or not OF_ANONYMOUS.isdisjoint(headers):
        return None
    client = scope.get("client")
    peer = client[0] if client else ""
    return f"address:{address_of(peer, '')}" if is_loopback(peer) else None


def _holder(authorization: bytes, right: Right) -> str | None:
    """The holder of a token that this process knows and that has the right; None for any other header."""
    scheme, _, token = authorization.decode("latin-1").partition(" ")
    access = token_checks.known(token) if scheme == "Bearer" else None
    return access.caller if access is not None and right in access.rights else None
