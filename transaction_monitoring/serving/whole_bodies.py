"""Bodies as everything behind here wants them: whole, unpacked, and with a Content-Length.

HTTP lets a client leave the length out and send its body in chunks, as Java's and Node's streams and some
proxies do; the REST framework takes that for no body at all. So a body without a length is read here, and
the length that was read is handed on. A body with a Content-Encoding is unpacked. Both are bounded by
DATA_UPLOAD_MAX_MEMORY_SIZE, packed and unpacked. All of this by ASGI alone, for whichever server.

Five kilobytes may become five megabytes, before anybody has asked who sends them. So a large one has its
turn, which lasts until it is answered: LARGE_AT_ONCE times the limit is all that unpacked bodies take of a
process. A small one never waits. Of a client without any credentials nothing is unpacked, and a token is
looked at first: one that is unknown ends there. A session is looked at by Django alone, so those that the
process does not know have one place of their own.
"""

import asyncio
import zlib
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from time import perf_counter
from typing import NamedTuple, cast

import orjson
from asgiref.typing import (
    ASGI3Application,
    ASGIReceiveCallable,
    ASGIReceiveEvent,
    ASGISendCallable,
    HTTPScope,
    Scope,
)
from django.conf import settings
from django.db import Error as DatabaseError

from transactions.access import rate_limits, token_checks
from transactions.access.known_callers import is_remembered, known_caller, token_of
from transactions.intake.fast_lane import BATCH_PATHS, ENDPOINTS
from transactions.metrics.counters import tally
from transactions.stores.per_loop import PerLoop

from .early_answers import address_in, header
from .probes import strangers
from .request_ids import HEADER, name_of_request

# Requests that have no body, or none that anybody looks at.
BODILESS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE", "CONNECT"})
# What zlib calls the forms that we unpack; the names are HTTP's.
FORMS = {"gzip": 31, "x-gzip": 31, "deflate": 15}
TAKEN = "gzip, deflate"
# What is unpacked on the event loop, in bytes of the result: a tenth of a millisecond's worth. The rest,
# which may be a thousand times what came, in threads of our own.
ON_LOOP_BYTES = 64 * 1024
# Larger ones that are unpacked, or being answered, at once.
LARGE_AT_ONCE = 4
# How long the next one waits for its turn, in seconds, and when a client is told to come again.
WAIT_S = 2.0
RETRY_AFTER_S = 2
UNKNOWN = "The token is unknown, expired or revoked."
AWAY = "A store does not answer. Try again."
# As much is given to zlib at a time: at the end of a member it copies what is left of that.
PORTION_BYTES = 16 * 1024
# Members of one gzip file; whoever joins files has a few, and each empty one takes time for 20 bytes.
MEMBERS_MAX = 1_000

_turns = PerLoop(lambda: asyncio.Semaphore(LARGE_AT_ONCE))
# For those with a session that the process does not know.
_turns_of_strangers = PerLoop(lambda: asyncio.Semaphore(1))
_unpacking = ThreadPoolExecutor(2, thread_name_prefix="unpacking")


class UnreadableBody(Exception):
    """A body that is not taken: status, what is said, and further headers."""

    def __init__(self, status: int, detail: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(detail)
        self.status, self.headers = status, headers


class Left(Exception):
    """The client is gone; there is nobody to answer."""


class Framing(NamedTuple):
    """What a request says of its body."""

    has_length: bool
    encoding: str
    # Whether it has what may be credentials: a header, or the cookie of a session.
    credentials: bool


def with_whole_bodies(application: ASGI3Application) -> ASGI3Application:
    """`application`, which gets each body whole, plain, and with its length."""

    async def whole(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] != "http":
            return await application(scope, receive, send)
        names = dict(scope["headers"])
        if b"content-encoding" not in names and (b"content-length" in names or scope["method"] in BODILESS):
            return await application(scope, receive, send)  # as nearly always: nothing more is looked at
        has_length, encoding, credentials = _framing(scope)
        if not encoding and (has_length or scope["method"] in BODILESS):
            return await application(scope, receive, send)
        began = perf_counter()
        unpacking: Unpacking | None = None
        try:
            body = await _read(receive)
            if not body and not has_length and _needs_length(scope):
                raise UnreadableBody(411, "The Content-Length is missing, and so is the body.")
            if encoding and body and not credentials and _asks_for_credentials(scope):
                body = b""  # the answer is 401 whatever it says
            elif encoding and body:
                unpacking = Unpacking(body, encoding, _bytes_max(scope))
                body = await unpacking.result(partial(_places, scope))
            told, once = _told(scope, len(body)), _once(body, receive)
            del body  # kept by nobody while the request is served
            return await application(told, once, send)
        except UnreadableBody as refused:
            if scope["method"] == "POST" and scope["path"] in ENDPOINTS:
                tally.answered(ENDPOINTS[scope["path"]], refused.status, perf_counter() - began)
            return await _answer(scope, send, refused)
        except Left:
            return None
        finally:
            if unpacking is not None:
                unpacking.end()

    return whole


def _framing(scope: HTTPScope) -> Framing:
    has_length, credentials, encodings = False, False, list[str]()
    for name, value in scope["headers"]:
        if name == b"content-length":
            has_length = True
        elif name == b"content-encoding":
            encodings += [each.strip() for each in value.decode("latin-1").lower().split(",")]
        elif name == b"authorization" or (
            name == b"cookie" and settings.SESSION_COOKIE_NAME.encode() in value
        ):
            credentials = True
    encoding = ", ".join(each for each in encodings if each not in ("", "identity"))
    return Framing(has_length, encoding, credentials)


def _asks_for_credentials(scope: HTTPScope) -> bool:
    """Whether the answer to a request that has none is 401."""
    return not settings.ALLOW_ANONYMOUS_API and scope["path"].startswith("/api/")


def _bytes_max(scope: HTTPScope) -> int:
    """How long a body may be once it is unpacked: who posts a batch alone has much to say."""
    limit: int = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    return limit if scope["path"] in BATCH_PATHS else min(limit, ON_LOOP_BYTES)


def _needs_length(scope: HTTPScope) -> bool:
    """Whether a body cannot be told from no body: HTTP/1.0 knows no chunks, and such a body ends with the
    connection, which a server cannot wait for.
    """
    chunked = any(name == b"transfer-encoding" for name, _ in scope["headers"])
    return scope["http_version"] == "1.0" and scope["method"] in ("POST", "PUT", "PATCH") and not chunked


async def _read(receive: ASGIReceiveCallable) -> bytes:
    """All of a body. Raises UnreadableBody over the limit."""
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise Left
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
            raise _too_large(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        if not message.get("more_body"):
            return b"".join(pieces)


def _too_large(limit: int) -> UnreadableBody:
    return UnreadableBody(413, f"The body is over the limit of {limit} bytes.")


class Unpacking:
    """One body on its way to what it is packed from, with a turn where that is large. `end` it."""

    def __init__(self, body: bytes, encoding: str, bytes_max: int) -> None:
        """Raises UnreadableBody for an encoding that is not taken."""
        if encoding not in FORMS:
            told = f'Unsupported Content-Encoding "{encoding[:60]}". A body is taken as it is, or as {TAKEN}.'
            raise UnreadableBody(415, told, (b"Accept-Encoding", TAKEN.encode()))
        self._unpacker: Unpacker | None = Unpacker(body, encoding, bytes_max)
        self._turn: asyncio.Semaphore | None = None

    async def result(self, places: Callable[[], Awaitable[asyncio.Semaphore]]) -> bytes:
        """What the body is packed from, to be asked for once; a large one needs one of `places`.

        Raises UnreadableBody.
        """
        unpacker, self._unpacker = self._unpacker, None
        assert unpacker is not None
        if not unpacker.run(ON_LOOP_BYTES):
            turns = await places()
            try:
                async with asyncio.timeout(WAIT_S):
                    await turns.acquire()
            except TimeoutError:
                raise _busy() from None
            self._turn = turns
            await asyncio.get_running_loop().run_in_executor(_unpacking, unpacker.run, None)
        return unpacker.result()

    def end(self) -> None:
        """The request has had its answer: the turn is another's."""
        if self._turn is not None:
            self._turn.release()
            self._turn = None


async def _places(scope: HTTPScope) -> asyncio.Semaphore:
    """The places that the sender of a large body may wait for. Raises UnreadableBody where it has none.

    A token that neither the process nor Redis knows is paid for by its address, and asked for.
    """
    authorization, cookies = header(scope, b"authorization") or "", header(scope, b"cookie") or ""
    known, token = known_caller(authorization, cookies) is not None, token_of(authorization)
    if token is None:
        trusted = known or settings.SESSION_COOKIE_NAME not in cookies
        return (_turns if trusted else _turns_of_strangers).here()
    if not known and not await is_remembered(token):
        await _ask_for(token, f"address:{address_in(scope)}")
    return _turns.here()


async def _ask_for(token: str, caller: str) -> None:
    """Has a token checked at the cost of `caller`. Raises UnreadableBody unless it opens anything."""
    allowance = await rate_limits.take(caller, 1)
    if allowance is not None and allowance.wait_s:
        told = [(name.encode(), value.encode()) for name, value in allowance.headers().items()]
        raise UnreadableBody(429, rate_limits.REFUSED, *told)
    worker = strangers.here()
    if worker.busy:
        raise _busy()
    try:
        access = await worker.run(partial(token_checks.check, token))
    except DatabaseError:
        raise UnreadableBody(503, AWAY, (b"Retry-After", b"%d" % RETRY_AFTER_S)) from None
    if access is None:
        raise UnreadableBody(401, UNKNOWN, (b"WWW-Authenticate", b"Bearer"))


def _busy() -> UnreadableBody:
    told = "The server is busy: too many large packed bodies at once. Send the same again, which is safe."
    return UnreadableBody(503, told, (b"Retry-After", b"%d" % RETRY_AFTER_S))


class Unpacker:
    """Unpacks one body; `run` goes on where it stopped."""

    def __init__(self, body: bytes, encoding: str, bytes_max: int | None = None) -> None:
        """`bytes_max`: of the result, where that is not DATA_UPLOAD_MAX_MEMORY_SIZE."""
        self._limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE if bytes_max is None else bytes_max
        self._waiting = memoryview(body)
        self._bits = FORMS[encoding]
        self._encoding = encoding
        self._found: list[bytes] = []
        self._size = 0
        self._members = 0
        self._member = self._next_member()
        self._rest = b""
        # Whether the last piece was as long as it might be: zlib may hold more, of what it was given.
        self._more = False

    def run(self, most: int | None) -> bool:
        """Unpacks about `most` bytes more, or everything; whether that was all. Raises UnreadableBody."""
        limit = self._limit
        until = limit + 1 if most is None else min(limit + 1, self._size + most)
        try:
            while self._rest or self._waiting or self._more:
                if self._size >= until:
                    if self._size > limit:
                        raise _too_large(limit)
                    return False
                self._go_on(until)
        except zlib.error:
            raise self._broken() from None
        if self._size > limit:
            raise _too_large(limit)
        return True

    def result(self) -> bytes:
        """All that was unpacked. Raises UnreadableBody for a body that ends too early."""
        if not self._member.eof:
            raise self._broken()
        return b"".join(self._found)

    def _go_on(self, until: int) -> None:
        if not self._rest and not self._more:
            self._rest, self._waiting = bytes(self._waiting[:PORTION_BYTES]), self._waiting[PORTION_BYTES:]
        if self._member.eof:
            # Some fill the last block with zeros; what follows otherwise is another member.
            self._rest = self._rest.lstrip(b"\0")
            if not self._rest:
                return
            self._member = self._next_member()
        most = until - self._size
        piece = self._member.decompress(self._rest, most)
        self._rest = self._member.unused_data if self._member.eof else self._member.unconsumed_tail
        self._more = len(piece) == most and not self._member.eof
        self._found.append(piece)
        self._size += len(piece)

    def _next_member(self) -> "zlib._Decompress":
        self._members += 1
        if self._members > (MEMBERS_MAX if self._bits == FORMS["gzip"] else 1):
            raise self._broken()
        return zlib.decompressobj(self._bits)

    def _broken(self) -> UnreadableBody:
        return UnreadableBody(400, f"The body is no {self._encoding}, or not all of it.")


def _told(scope: HTTPScope, length: int) -> HTTPScope:
    """The request as if it had come with this length, plain and in one piece."""
    framing = (b"content-length", b"content-encoding", b"transfer-encoding")
    kept = [header for header in scope["headers"] if header[0] not in framing]
    told = scope.copy()
    told["headers"] = [*kept, (b"content-length", b"%d" % length)]
    return told


def _once(body: bytes, receive: ASGIReceiveCallable) -> ASGIReceiveCallable:
    """The body, then what comes."""
    waiting = [body]

    async def once() -> ASGIReceiveEvent:
        if waiting:
            message = {"type": "http.request", "body": waiting.pop(), "more_body": False}
            return cast("ASGIReceiveEvent", message)
        return await receive()

    return once


async def _answer(scope: HTTPScope, send: ASGISendCallable, refused: UnreadableBody) -> None:
    name = name_of_request([value for name, value in scope["headers"] if name == HEADER])
    content = orjson.dumps({"detail": str(refused)})
    headers = [
        (b"Content-Type", b"application/json"),
        (b"Content-Length", b"%d" % len(content)),
        (b"X-Request-Id", name.encode()),
        (b"Cache-Control", b"no-store"),
        *refused.headers,
    ]
    if refused.status == 413:  # Whatever still comes is not read.
        headers.append((b"Connection", b"close"))
    await send(
        {"type": "http.response.start", "status": refused.status, "headers": headers, "trailers": False}
    )
    await send({"type": "http.response.body", "body": content, "more_body": False})
