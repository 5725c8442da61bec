"""Django in one hop: a request goes to a thread once, and comes back with its answer.

Takes the place of Django's own ASGI handler, of which it keeps how a request is read, how an answer
is sent and what is said of an error. What is different, and why it is our own:

- Django's handler runs its chain of middleware on the event loop, visits a thread for each part of
  it that is synchronous (WhiteNoise, the view, the signals), and starts a thread for each request.
  Nine tenths of a GET's time went there. All of ours is synchronous, so it runs as it does under
  WSGI: signals, middleware, view, template and `response.close()`, one after the other.
- Django's has as many threads, and so connections to PostgreSQL, as there are requests. Ours has
  DJANGO_THREADS, each with a connection that lasts; DJANGO_WAITING_MAX requests may wait for one,
  WAIT_S seconds each, caller by caller, and the others are answered 503. Probes do not come
  here (see `probes`): a process that is busy is not dead.
- A PostgreSQL that is frozen holds every thread that asks it. Who waits for a thread then, or, reading,
  for what a thread makes, is told so (see `silence`); the thread waits on by itself.
- Django's produces a streamed answer as fast as it can, and Daphne keeps what its client does not
  read. Here a portion is produced, in whichever thread is free, once the one before has been taken.
  Between two portions no thread is held.

A client that leaves while it waits, or amid a streamed answer, is noticed. What has begun in a thread
runs to its end, also at a shutdown: that waits for the threads.
"""

import asyncio
import logging
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextvars import copy_context
from functools import partial
from io import BytesIO
from typing import IO, Any, TypeVar, cast

from asgiref.typing import HTTPScope
from django.conf import settings
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.core.handlers.exception import response_for_exception
from django.http import FileResponse, HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.security import SecurityMiddleware
from django.urls import set_script_prefix

from transactions.access.known_callers import known_caller, note_session
from transactions.access.plain_heads import Rules
from transactions.intake.answers import REASONS
from transactions.intake.fast_lane import ENDPOINTS
from transactions.live.unsent import abort, unread_bytes, unsent_bytes
from transactions.metrics.counters import refused
from transactions.stores.per_loop import PerLoop
from transactions.views import plain_reads

from .early_answers import address_in, header
from .errors import AwayStore, store_failure, unavailable
from .security_headers import content_policies
from .seldom import Seldom
from .silence import PostgresSilent, unless_silent
from .threads import Busy, Thread, Threads, drop_ended_connections

log = logging.getLogger(__name__)

# As Django's handler has them.
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

# How long a request waits for a thread, in seconds. Clients give up after a little more.
WAIT_S = 10.0
RETRY_AFTER_S = 2
BUSY = "The server is busy: too many requests at once. Retry-After says when to send the same again."
SILENT_FOR_PROGRAMS = "PostgreSQL does not answer in time. Retry-After says when to send the same again."
# What may be answered while a thread is still at it: nothing is changed.
READING = ("GET", "HEAD")
UNREADABLE = "The request cannot be read: its target or one of its headers is not what HTTP has there."
# A streamed answer is made in portions of about so many bytes, and goes on once no more of it waits.
PORTION_BYTES = 64 * 1024
# A client that has read nothing for so many seconds has its connection cut.
PORTION_S = 60.0
# At a shutdown the loop is kept for so many seconds for what has begun: a view that posts waits for it.
# That is more than intake ever waits for its stores.
LAST_S = 5.0
# How soon, and how seldom, it is looked how much waits for a client, in seconds.
LOOK_S, LOOK_S_MAX = 0.001, 0.25


class ReadsNothing(Exception):
    """A client has read nothing of its answer for PORTION_S."""


class StreamedAnswer:
    """A streamed answer on its way: its portions are made, and it is closed, in threads, one at a time."""

    def __init__(self, response: Any, *, empty: bool) -> None:
        self.response = response
        self.portion = b""
        self.ended = False
        self._parts: Iterator[bytes] = iter(()) if empty else iter(response)
        self._lock = threading.Lock()

    def advance(self) -> None:
        """Makes the next `portion`; `ended` says that it is the last."""
        parts: list[bytes] = []
        size = 0
        with self._lock:
            for part in self._parts:
                parts.append(part)
                size += len(part)
                if size >= PORTION_BYTES:
                    break
            else:
                self.ended = True
            self.portion = b"".join(parts)

    def close(self) -> None:
        """Frees what the answer holds; Django hears that the request has finished."""
        with self._lock:
            self.response.close()


class DjangoPool(ASGIHandler):
    """Serves HTTP by Django's synchronous handler, in a bounded number of threads."""

    def __init__(self) -> None:
        BaseHandler.__init__(self)  # Django's ASGI handler would load the chain for a loop
        self.load_middleware(is_async=False)
        self._threads = PerLoop(
            lambda: Threads("django", settings.DJANGO_THREADS, settings.DJANGO_WAITING_MAX, WAIT_S)
        )
        self._said = Seldom()
        self._rules = Rules.of_settings()

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves one request; called by Django's handler, around which Sentry stands where it is on."""
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        threads = self._threads.here()
        try:
            thread = threads.take_idle() or await _turn(threads, receive, _caller(scope))
        except BaseException as error:
            if isinstance(error, Busy):
                await self.send_response(self._refusal(scope, body, error), send)
            body.close()
            if not isinstance(error, Busy | RequestAborted):
                raise
            return
        answering = threads.start(thread, copy_context(), partial(self._answer, scope, body))
        try:
            if scope["method"] in READING:
                await unless_silent(answering)
            answer = await asyncio.shield(answering)
        except PostgresSilent as error:
            answering.add_done_callback(partial(_forsake, threads))
            # The thread has the body.
            await self.send_response(self._refusal(scope, BytesIO(), error), send)
            return
        except asyncio.CancelledError:
            answering.add_done_callback(partial(_forsake, threads))
            await asyncio.wait((answering,), timeout=LAST_S)
            raise
        if isinstance(answer, StreamedAnswer):
            await self._stream(answer, threads, scope, receive, send)
        else:
            await self.send_response(answer, send)

    async def read_body(self, receive: Receive) -> IO[bytes]:
        """The body, of which Django would make a file beyond 2.5 MB. It is in memory already, and bounded."""
        pieces: list[bytes] = []
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise RequestAborted
            pieces.append(message.get("body", b""))
            if not message.get("more_body"):
                return BytesIO(b"".join(pieces))

    def create_request(self, scope: Mapping[str, Any], body_file: IO[bytes]) -> tuple[Any, Any]:
        """The request and None; or None and a 400, for what Django cannot make a request of."""
        try:
            return self.request_class(scope, body_file), None
        except Exception as error:  # whatever it is, a client has sent it
            log.info("A request cannot be read: %s", type(error).__name__)
            return None, JsonResponse({"detail": UNREADABLE}, status=400)

    def _short_way(self, scope: Scope) -> HttpResponse | None:
        if not settings.FAST_LANE:
            return None
        path = scope["path"]
        try:
            return plain_reads.answer(
                cast("HTTPScope", scope), self._rules, lambda error: store_failure(error, path)
            )
        except Exception:
            log.exception("The short way of %s fails: it is left to Django", path)
            return None

    def _answer(self, scope: Scope, body: IO[bytes]) -> HttpResponse | StreamedAnswer:
        """In a thread: the short way of a plain read, or else the whole of Django for one request.

        A `StreamedAnswer` has its first portion.
        """
        drop_ended_connections()
        signals.request_started.send(sender=self.__class__, scope=scope)
        answer = self._short_way(scope)
        if answer is not None:
            body.close()
            cast("Any", answer)._handler_class = self.__class__
            answer.close()
            return answer
        set_script_prefix(get_script_prefix(scope))
        request, response = self.create_request(scope, body)
        if request is None:
            body.close()
        else:
            response = self.get_response(request)
            if getattr(getattr(request, "_cached_user", None), "is_authenticated", False):
                note_session(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
        response._handler_class = self.__class__
        if not response.streaming:
            response.close()
            return cast("HttpResponse", response)
        if isinstance(response, FileResponse):
            response.block_size = PORTION_BYTES
        stream = StreamedAnswer(response, empty=scope["method"] == "HEAD")
        try:
            stream.advance()
        except Exception as error:  # nothing has been sent, so it can still be told
            stream.close()
            return response_for_exception(request, error)
        if not stream.ended:
            return stream
        stream.close()
        return _like(response, HttpResponse(stream.portion))

    async def _stream(
        self, stream: StreamedAnswer, threads: Threads, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Sends an answer portion by portion, each once the one before has been taken."""
        gone = asyncio.ensure_future(receive())
        server_send = (scope.get("state") or {}).get("server_send")
        portions = _portions(stream, threads, server_send, gone)

        async def send_in_time(message: Mapping[str, Any]) -> None:
            try:
                async with asyncio.timeout(PORTION_S):
                    await send(message)
            except TimeoutError:
                raise ReadsNothing from None

        try:
            await self.send_response(_like(stream.response, StreamingHttpResponse(portions)), send_in_time)
        except RequestAborted:
            pass
        except ReadsNothing:
            log.info("A client was cut off: it did not read what it had asked for (%s)", scope["path"])
            abort(server_send)
        except TimeoutError as error:
            log.info("An answer was cut off: %s (%s)", error, scope["path"])
            abort(server_send)
        except Exception:
            # It has begun, so there is no other way to tell the client; Daphne is told nothing, which
            # would have it look after no request any more.
            log.exception("An answer broke off amid its stream: %s", scope["path"])
            abort(server_send)
        finally:
            gone.cancel()
            await asyncio.shield(_close(stream, threads))

    def _refusal(self, scope: Scope, body: IO[bytes], error: Busy) -> HttpResponse:
        """The 503 of a request for which there is no thread, or that PostgreSQL does not let be answered."""
        if scope["method"] == "POST" and scope["path"] in ENDPOINTS:
            refused(REASONS[503])
        if not isinstance(error, PostgresSilent) and self._said.may_say():
            log.warning(
                "More requests at once than DJANGO_THREADS and DJANGO_WAITING_MAX let in: some are 503"
            )
        request, refusal = self.create_request(scope, body)
        if request is None:
            return cast("HttpResponse", refusal)
        if isinstance(error, PostgresSilent):
            response = unavailable(request, AwayStore.POSTGRES, SILENT_FOR_PROGRAMS)
        else:
            response = unavailable(request, None, BUSY)
        response["Retry-After"] = str(RETRY_AFTER_S)
        response["Content-Length"] = str(len(response.content))
        return cast("HttpResponse", _guarded(response)(request))


def _guarded(response: HttpResponse) -> Callable[[HttpRequest], Any]:
    """The headers of every answer, where the rest of the chain has not been asked."""
    framed = cast("Any", XFrameOptionsMiddleware(lambda _: response))
    secured = SecurityMiddleware(framed).process_response
    return content_policies(lambda request: secured(request, framed(request)))


def _caller(scope: Scope) -> str:
    """Who waits: whom this process knows by its credentials, else whoever is at the address."""
    asked = cast("HTTPScope", scope)
    known = known_caller(header(asked, b"authorization") or "", header(asked, b"cookie") or "")
    return known or f"address:{address_in(asked)}"


async def _turn(threads: Threads, receive: Receive, caller: str) -> Thread:
    """A thread, unless the client leaves first (RequestAborted) or it takes too long (Busy)."""
    gone = asyncio.ensure_future(receive())
    try:
        return await threads.take(gone, caller)
    finally:
        gone.cancel()


async def _portions(
    stream: StreamedAnswer, threads: Threads, server_send: Any, gone: "asyncio.Future[Any]"
) -> AsyncIterator[bytes]:
    """The first portion, which is there, and the others as they are wanted.

    Raises RequestAborted where the client has left, ReadsNothing where it does not read.
    """
    yield stream.portion
    while not stream.ended:
        await _room(server_send, gone)
        thread = await threads.take(gone, first=True)
        await asyncio.shield(threads.start(thread, copy_context(), stream.advance))
        yield stream.portion


async def _room(server_send: Any, gone: "asyncio.Future[Any]") -> None:
    """Returns once little waits for the client; raises RequestAborted, ReadsNothing."""
    least, until, pause_s = unread_bytes(server_send), time.monotonic() + PORTION_S, LOOK_S
    while unsent_bytes(server_send) > PORTION_BYTES and not gone.done():
        if (unread := unread_bytes(server_send)) < least:
            least, until = unread, time.monotonic() + PORTION_S
        elif time.monotonic() > until:
            raise ReadsNothing
        await asyncio.wait((gone,), timeout=pause_s)
        pause_s = min(2 * pause_s, LOOK_S_MAX)
    if gone.done():
        raise RequestAborted


async def _close(stream: StreamedAnswer, threads: Threads) -> None:
    """In a thread, since what is closed may use the database."""
    never = asyncio.get_running_loop().create_future()
    thread = await threads.take(never, first=True)
    await threads.start(thread, copy_context(), stream.close)


def _forsake(threads: Threads, answering: "asyncio.Future[HttpResponse | StreamedAnswer]") -> None:
    """Closes an answer that came when nobody waited for it any more."""
    if answering.cancelled():
        return
    if (error := answering.exception()) is not None:
        log.error("A request failed that nobody waited for any more", exc_info=error)
        return
    answer = answering.result()
    if isinstance(answer, StreamedAnswer):
        _closing.add(closing := asyncio.ensure_future(_close(answer, threads)))
        closing.add_done_callback(_closing.discard)


_closing: set["asyncio.Future[None]"] = set()

Response = TypeVar("Response", bound=HttpResponseBase)


def _like(response: HttpResponseBase, other: Response) -> Response:
    """`other` with the status, headers and cookies of `response`."""
    other.status_code, other.reason_phrase = response.status_code, response.reason_phrase
    other.headers, other.cookies = response.headers, response.cookies
    return other
