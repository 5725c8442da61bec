"""The fast lane: the common POST, answered without Django's threads.

Django's ASGI handler starts a thread for every request, and a synchronous view another, which
costs ten times what accepting a record does. So a plain JSON POST with a token that this process
knows, or an anonymous one of a private run, is answered here, by the decoder, the credentials, the
limits and the `answers` that the views use too. Whatever is in any way unusual goes to Django untouched,
whose views define the API: one test sends a long table of requests both ways and demands the same answers.
"""

from contextvars import ContextVar
from functools import lru_cache
from time import perf_counter
from typing import NamedTuple

from asgiref.typing import (
    ASGI3Application,
    ASGIReceiveCallable,
    ASGIReceiveEvent,
    ASGISendCallable,
    HTTPScope,
    Scope,
)
from django.conf import settings
from django.http.request import split_domain_port, validate_host
from rest_framework.renderers import JSONRenderer

from ..access import rate_limits, token_checks
from ..access.addresses import address_of, is_loopback
from ..access.rights import Right
from ..encodings import charset_fault
from ..metrics.counters import tally
from . import answers, batches, decoder, request_ids
from .answers import Answer

RECORD_PATHS = frozenset({"/api/add-transaction", "/api/add-transaction/"})
BATCH_PATHS = frozenset({"/api/add-transactions", "/api/add-transactions/"})
# What the metrics call these paths.
ENDPOINTS = {path: path.strip("/").rpartition("/")[2] for path in RECORD_PATHS | BATCH_PATHS}
# The paths that the lane answers, and the query strings under each: whether a batch is all or none.
ATOMIC = {
    **{path: {b"": False} for path in RECORD_PATHS},
    **{path: {b"": False, b"atomic=false": False, b"atomic=true": True} for path in BATCH_PATHS},
}
# All that can change what Django answers to such a request; whatever else a client, a proxy or a tracer
# sends, the lane lets pass. A test records what is read on the way of these requests, and fails for a
# header that is neither here nor in READ_IN_VAIN.
#
# What the lane reads as Django does. One of them twice is Django's, which joins them.
READ = frozenset({b"host", b"content-type", b"content-length", b"authorization", b"x-request-id"})
# What says of a caller without credentials where it is, or for which page it asks.
OF_ANONYMOUS = frozenset({b"origin", b"sec-fetch-site", b"forwarded", b"x-forwarded-for", b"x-real-ip"})
# Gone where a body has been read and unpacked, which happens in front of the lane.
OF_BODIES = frozenset({b"transfer-encoding", b"content-encoding"})
# Looked at for the names of Django's own cookies alone; those of a balancer change nothing.
COOKIE = b"cookie"
# Read on the way without an effect on the answer: no agent is disallowed.
READ_IN_VAIN = frozenset({b"user-agent"})

_OBTAINED = JSONRenderer().render(answers.OBTAINED)


class Rules(NamedTuple):
    """The settings that a request is judged by, read once: Django takes half a microsecond for each."""

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


class Plain(NamedTuple):
    """What matters of a request that the lane can answer."""

    # Of the body, in bytes, as announced.
    length: int
    request_id: str
    atomic: bool
    anonymous: bool
    secure: bool
    # Whose bucket the rate limit takes from.
    caller: str


def fast_lane(application: ASGI3Application, request_id: "ContextVar[str]") -> ASGI3Application:
    """`application` behind the lane; with FAST_LANE off `application` itself.

    The lane stands in front of everything, also of what names, counts and times requests: what it
    answers, it names, counts and times itself. `request_id` is set to the request's name for the log.
    """
    if not settings.FAST_LANE:
        return application
    rules = Rules.of_settings()

    async def lane(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            return await application(scope, receive, send)
        began = perf_counter()
        plain = _plain(scope, rules)
        if plain is None:
            return await application(scope, receive, send)
        body, messages = await _read(plain, receive)
        named = request_id.set(plain.request_id)
        try:
            answer = await _answer(scope["path"], plain, body) if body is not None else None
        finally:
            request_id.reset(named)
        if answer is None:
            return await application(scope, _again(messages, receive), send)
        content = _OBTAINED if answer.body is answers.OBTAINED else JSONRenderer().render(answer.body)
        tally.answered(ENDPOINTS[scope["path"]], answer.status, perf_counter() - began)
        headers = _headers(answer, plain, len(content))
        await send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": headers,
                "trailers": False,
            }
        )
        await send({"type": "http.response.body", "body": content, "more_body": False})
        return None

    return lane


def _plain(scope: HTTPScope, rules: Rules) -> Plain | None:
    """What the lane needs of a request, None where Django is to answer it."""
    atomic = ATOMIC.get(scope["path"], {}).get(scope["query_string"])
    if atomic is None or scope.get("root_path"):
        return None
    given = list(scope["headers"])
    headers = dict(given)
    if len(headers) < len(given) and _says_twice(given, rules):
        return None
    if not OF_BODIES.isdisjoint(headers):
        return None
    cookie = headers.get(COOKIE)
    if cookie is not None and any(name in cookie for name in rules.cookies):
        return None
    length = headers.get(b"content-length", b"")
    if not length.isdigit() or not 0 < int(length) <= rules.body_bytes_max:
        return None
    if scope["path"] in RECORD_PATHS and int(length) > decoder.RECORD_BYTES_MAX:
        return None
    if not _is_json(headers.get(b"content-type", b"")):
        return None
    secure = _is_secure(scope, headers, rules)
    if not _host_allowed(headers.get(b"host", b"")) or (rules.tls_alone and not secure):
        return None
    anonymous = b"authorization" not in headers
    caller = _anonymous(scope, headers, rules) if anonymous else _holder(headers[b"authorization"])
    if caller is None:
        return None
    request_id = request_ids.kept_or_new(headers.get(b"x-request-id", b"").decode("latin-1"))
    return Plain(int(length), request_id, atomic, anonymous, secure, caller)


def _says_twice(given: list[tuple[bytes, bytes]], rules: Rules) -> bool:
    """Whether a header that matters stands there more than once."""
    names = [name for name, _ in given if name in READ or name in (rules.proxy_header, COOKIE)]
    return len(set(names)) < len(names)


def _is_secure(scope: HTTPScope, headers: dict[bytes, bytes], rules: Rules) -> bool:
    given = headers.get(rules.proxy_header) if rules.proxy_header else None
    if given is None:
        return bool(scope.get("scheme") == "https")
    return given.decode("latin-1").partition(",")[0].strip() == rules.proxy_word


@lru_cache(maxsize=256)
def _is_json(content_type: bytes) -> bool:
    """Whether it says JSON, and no charset but UTF-8."""
    stated = content_type.decode("latin-1")
    return stated.partition(";")[0].strip().lower() == "application/json" and not charset_fault(stated)


@lru_cache(maxsize=1024)
def _host_allowed(host: bytes) -> bool:
    domain, _ = split_domain_port(host.decode("latin-1"))
    return bool(domain) and validate_host(domain, settings.ALLOWED_HOSTS)


def _anonymous(scope: HTTPScope, headers: dict[bytes, bytes], rules: Rules) -> str | None:
    """The caller without credentials, whose bucket is that of the address; None where it may not."""
    if not rules.anonymous or not OF_ANONYMOUS.isdisjoint(headers):
        return None
    client = scope.get("client")
    peer = client[0] if client else ""
    return f"address:{address_of(peer, '')}" if is_loopback(peer) else None


def _holder(authorization: bytes) -> str | None:
    """The holder of a token that this process knows and that may post; None for any other header."""
    scheme, _, token = authorization.decode("latin-1").partition(" ")
    access = token_checks.known(token) if scheme == "Bearer" else None
    return access.caller if access is not None and Right.POST in access.rights else None


async def _read(plain: Plain, receive: ASGIReceiveCallable) -> tuple[bytes | None, list[ASGIReceiveEvent]]:
    """The body and the messages that it came in; no body where the client left or sent too much."""
    messages: list[ASGIReceiveEvent] = []
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        messages.append(message)
        if message["type"] != "http.request":
            return None, messages
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > plain.length:
            return None, messages
        if not message.get("more_body"):
            return b"".join(pieces), messages


def _again(messages: list[ASGIReceiveEvent], receive: ASGIReceiveCallable) -> ASGIReceiveCallable:
    """A `receive` for Django: gives what was received already, then what comes."""
    waiting = iter(messages)

    async def replay() -> ASGIReceiveEvent:
        for message in waiting:
            return message
        return await receive()

    return replay


async def _answer(path: str, plain: Plain, body: bytes) -> Answer | None:
    """None for what Django's parsers are to judge; nothing has been paid for that."""
    if path in RECORD_PATHS:
        return await _answer_to_record(plain, body)
    return await _answer_to_batch(plain, body)


async def _answer_to_record(plain: Plain, body: bytes) -> Answer | None:
    record = decoder.record(body)
    if record is None:
        return None
    allowance = rate_limits.take_held(plain.caller, 1) or await rate_limits.take(plain.caller, 1)
    if allowance is not None and allowance.wait_s:
        return _limited(answers.limited(), allowance)
    return _limited(await answers.to_record(record, plain.request_id), allowance)


async def _answer_to_batch(plain: Plain, body: bytes) -> Answer | None:
    # A batch pays before it is decoded: for as many records as there are braces. Those in an id count too
    # until then.
    braces = max(1, body.count(b"{"))
    if braces > answers.most_records(plain.atomic):
        return None
    allowance = rate_limits.take_held(plain.caller, braces)
    if allowance is None:
        allowance = await rate_limits.take_for_batch(plain.caller, braces)
    if allowance is not None and allowance.wait_s:
        # Django counts the records, where that is another number.
        exact = body.count(b'"transaction_id"') == body.count(b"{")
        return _limited(answers.limited(), allowance) if exact else None
    records = decoder.records(body)
    count = 0 if records is None else max(1, len(records))
    if allowance is not None and count < braces:
        allowance = rate_limits.give_back(plain.caller, braces - count) or allowance
    if records is None:
        return None
    judged = batches.all_right(records)
    answer = await answers.to_batch(judged, plain.request_id, atomic=plain.atomic)
    return _limited(answer, allowance)


def _limited(answer: Answer, allowance: rate_limits.Allowance | None) -> Answer:
    """`answer`, which says what is left to the caller where there is a limit."""
    if allowance is None:
        return answer
    return Answer(answer.status, answer.body, {**answer.headers, **allowance.headers()})


def _headers(answer: Answer, plain: Plain, length: int) -> list[tuple[bytes, bytes]]:
    """The headers that Django's middleware would have set, and those of what stands in front of Django."""
    return [
        *_common(plain.anonymous, plain.secure),
        (b"Content-Length", b"%d" % length),
        *((name.encode(), value.encode()) for name, value in answer.headers.items()),
        (b"X-Request-Id", plain.request_id.encode()),
    ]


@lru_cache(maxsize=4)
def _common(anonymous: bool, secure: bool) -> tuple[tuple[bytes, bytes], ...]:
    headers = {
        "Content-Type": "application/json",
        "Allow": "POST, OPTIONS",
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
