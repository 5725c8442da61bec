"""Requests that need none of Django to be judged: what in a head can change its answer, read as Django does.

For lanes, which answer the common request in front of Django and leave whatever is in any way unusual to it.
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
        name, word = settings.SECURE_PROXY_SSL_HEADER or ("", "")
        header = name.removeprefix("HTTP_").lower().replace("_", "-").encode()
        return cls(
            body_bytes_max=settings.DATA_UPLOAD_MAX_MEMORY_SIZE,
            anonymous=settings.ALLOW_ANONYMOUS_API,
            tls_alone=settings.SECURE_SSL_REDIRECT,
            proxy_header=header or None,
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
    secure = _is_secure(scope, headers, rules)
    if not _host_allowed(headers.get(b"host", b"")) or (rules.tls_alone and not secure):
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
    headers = {
        "Content-Type": JSON,
        "Allow": allow,
        "X-Frame-Options": settings.X_FRAME_OPTIONS,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": settings.SECURE_REFERRER_POLICY,
        "Cross-Origin-Opener-Policy": settings.SECURE_CROSS_ORIGIN_OPENER_POLICY,
        "Content-Security-Policy": settings.CONTENT_SECURITY_POLICY,
        "Permissions-Policy": settings.PERMISSIONS_POLICY,
        "Cache-Control": "no-store",
    }
    if anonymous:  # since Django would have looked for a session
        headers["Vary"] = "Cookie"
    if secure and settings.SECURE_HSTS_SECONDS:
        policy = [f"max-age={settings.SECURE_HSTS_SECONDS}"]
        policy += ["includeSubDomains"] * settings.SECURE_HSTS_INCLUDE_SUBDOMAINS
        policy += ["preload"] * settings.SECURE_HSTS_PRELOAD
        headers["Strict-Transport-Security"] = "; ".join(policy)
    return tuple((name.encode(), value.encode()) for name, value in headers.items())


def _says_twice(given: list[tuple[bytes, bytes]], rules: Rules) -> bool:
    """Whether a header that matters stands there more than once."""
    names = [name for name, _ in given if name in READ or name in (rules.proxy_header, COOKIE)]
    return len(set(names)) < len(names)


def _is_secure(scope: HTTPScope, headers: Headers, rules: Rules) -> bool:
    given = headers.get(rules.proxy_header) if rules.proxy_header else None
    if given is None:
        return bool(scope.get("scheme") == "https")
    return given.decode("latin-1").partition(",")[0].strip() == rules.proxy_word


@lru_cache(maxsize=1024)
def _host_allowed(host: bytes) -> bool:
    domain, _ = split_domain_port(host.decode("latin-1"))
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)


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
