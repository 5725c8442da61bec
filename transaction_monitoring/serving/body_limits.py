"""Bounds on a request's body while it arrives, of which Daphne has none.

Daphne hands a request to the application once all of its body is in a temporary file, be it two
gigabytes, be it a byte a minute. So its request class gets three bounds here: a length announced
over the limit is answered 413 before any of the body is read, a body without a length as soon as it
passes the limit, and one that comes too slowly is answered 408. Installed with the ASGI application,
so that `daphne` needs no options for it.

This looks into Daphne and Twisted: a test posts such bodies and fails if they change. Behind a proxy
with limits of its own it has nothing to do.
"""

import time
from typing import Any

import orjson
from daphne.http_protocol import WebRequest
from django.conf import settings

from .request_ids import HEADER, name_of_request

# A body may take this long, and a second more for each so many bytes that have come. Daphne looks
# every two seconds.
GRACE_S = 10.0
LEAST_BYTES_PER_S = 20_000
# Seconds after such an answer in which what still comes is thrown away: a connection closed at once
# would be reset, and the answer lost with it.
LINGER_S = 2.0

TOO_LARGE = (413, b"Content Too Large", "The body is over the limit of {limit} bytes.")
TOO_SLOW = (408, b"Request Timeout", "The body came too slowly.")
HEAD = (
    b"HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nX-Request-Id: %s\r\n"
    b"Connection: close\r\n\r\n"
)

_init = WebRequest.__init__
_got_length = WebRequest.gotLength
_handle_chunk = WebRequest.handleContentChunk
_request_received = WebRequest.requestReceived
_check_timeouts = WebRequest.check_timeouts


def install() -> None:
    """Puts the bounds into Daphne's request class, for this process."""
    WebRequest.__init__ = init
    WebRequest.gotLength = got_length
    WebRequest.handleContentChunk = handle_chunk
    WebRequest.requestReceived = request_received
    WebRequest.check_timeouts = check_timeouts


def init(request: Any, *arguments: Any, **options: Any) -> None:
    """Leaves bodies to the application. Twisted would take the Content-Type of every POST apart with
    Python's e-mail parser, an eighth of Daphne's time, and read every form, as Django does again.
    """
    _init(request, *arguments, parsePOSTFormSubmission=False, **options)


def got_length(request: Any, length: int | None) -> None:
    """The headers are here: `length` is that of the body, None where it comes in chunks."""
    request.body_began = time.monotonic()
    request.body_bytes = 0
    request.body_refused = False
    _got_length(request, length)
    if length is not None and length > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        _refuse(request, *TOO_LARGE)


def handle_chunk(request: Any, data: bytes) -> None:
    """A piece of the body; of one that was refused it is thrown away."""
    if request.body_refused:
        return
    request.body_bytes += len(data)
    if request.body_bytes > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        _refuse(request, *TOO_LARGE)
    else:
        _handle_chunk(request, data)


def request_received(request: Any, command: bytes, path: bytes, version: bytes) -> None:
    """The whole body is here; one that was refused has had its answer."""
    if not request.body_refused:
        request.body_began = None
        _request_received(request, command, path, version)


def check_timeouts(request: Any) -> None:
    """Called by Daphne every two seconds for each request there is."""
    began = getattr(request, "body_began", None)
    if began is None or request.channel is None:
        _check_timeouts(request)
        return
    took_s = time.monotonic() - began
    if request.body_refused:
        if took_s > LINGER_S:
            request.channel.loseConnection()
    elif took_s > GRACE_S + request.body_bytes / LEAST_BYTES_PER_S:
        _refuse(request, *TOO_SLOW)


def _refuse(request: Any, status: int, words: bytes, told: str) -> None:
    """Answers by hand, as Twisted answers only requests that it has read to their end."""
    request.body_refused = True
    request.body_began = time.monotonic()  # from here LINGER_S are counted
    request.requestHeaders.removeHeader(b"Expect")  # else Twisted would send 100 Continue after the answer
    name = name_of_request(request.requestHeaders.getRawHeaders(HEADER, []))
    body = orjson.dumps({"detail": told.format(limit=settings.DATA_UPLOAD_MAX_MEMORY_SIZE)})
    request.channel.transport.write(HEAD % (status, words, len(body), name.encode()) + body)
