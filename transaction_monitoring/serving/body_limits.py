"""Bounds on a request's body while it arrives, of which Daphne has none.

Daphne hands a request to the application once all of its body is in a temporary file, be it two
gigabytes, be it a byte a minute. So its request class gets bounds here: a length announced
over the limit is answered 413 before any of the body is read, a body without a length as soon as it
passes the limit, and one that comes too slowly is answered 408. What all bodies together may hold is in
`bodies_at_once`; where the disk has no room for them either, that is a 503 too. A file that somebody uploads
has a limit of its own. Installed with the ASGI
application, so that `daphne` needs no options for it.

This looks into Daphne and Twisted: a test posts such bodies and fails if they change. Behind a proxy
with limits of its own it has nothing to do.
"""

import contextlib
import logging
import time
from typing import Any

from daphne.http_protocol import WebRequest
from django.conf import settings

from transactions.uploads.limits import UPLOAD_PATH

from . import bodies_at_once
from .refusals import EarlyRefusal, refuse
from .seldom import Seldom

log = logging.getLogger(__name__)

# A body may take this long, and a second more for each so many bytes that have come. Daphne looks
# every two seconds.
GRACE_S = 10.0
LEAST_BYTES_PER_S = 20_000
TOO_LARGE = EarlyRefusal(413, "The body is over the limit of {limit} bytes.")
TOO_MANY = EarlyRefusal(503, "There is no room for this body now. Send the same again, which is safe.", 2)
TOO_SLOW = EarlyRefusal(408, "The body came too slowly.")

_init = WebRequest.__init__
_got_length = WebRequest.gotLength
_handle_chunk = WebRequest.handleContentChunk
_request_received = WebRequest.requestReceived
_check_timeouts = WebRequest.check_timeouts
_finish = WebRequest.finish
_connection_lost = WebRequest.connectionLost

_said = Seldom()


def install() -> None:
    """Puts the bounds into Daphne's request class, for this process."""
    WebRequest.__init__ = init
    WebRequest.body_began = None
    WebRequest.body_bytes = WebRequest.held_bytes = 0
    WebRequest.share = None
    WebRequest.gotLength = got_length
    WebRequest.handleContentChunk = handle_chunk
    WebRequest.requestReceived = request_received
    WebRequest.check_timeouts = check_timeouts
    WebRequest.finish = finish
    WebRequest.connectionLost = connection_lost


def init(request: Any, *arguments: Any, **options: Any) -> None:
    """Leaves bodies to the application. Twisted would take the Content-Type of every POST apart with
    Python's e-mail parser, an eighth of Daphne's time, and read every form, as Django does again.
    """
    _init(request, *arguments, parsePOSTFormSubmission=False, **options)


def got_length(request: Any, length: int | None) -> None:
    """The headers are here: `length` is that of the body, None where it comes in chunks."""
    request.body_began = time.monotonic()
    if length is not None and length > _limit(request):
        _refuse(request, TOO_LARGE)
        return
    try:
        _got_length(request, length)
    except OSError as error:
        _no_room(request, error)


def handle_chunk(request: Any, data: bytes) -> None:
    """A piece of the body; of one that was refused it is thrown away."""
    if request.channel.refused:
        return
    if request.body_bytes + len(data) > _limit(request):
        _refuse(request, TOO_LARGE)
        return
    bodies_at_once.hold(request, len(data), lambda other: _refuse(other, TOO_MANY), is_file=_is_file(request))
    request.body_bytes += len(data)
    if not request.channel.refused:
        try:
            _handle_chunk(request, data)
        except OSError as error:
            _no_room(request, error)


def request_received(request: Any, command: bytes, path: bytes, version: bytes) -> None:
    """The whole body is here; one that was refused has had its answer."""
    request.body_began = None
    bodies_at_once.has_come(request)
    try:
        request.content.flush()
    except OSError as error:
        _no_room(request, error)
        return
    _request_received(request, command, path, version)


def finish(request: Any) -> None:
    bodies_at_once.let_go(request)
    _finish(request)


def connection_lost(request: Any, reason: Any) -> None:
    bodies_at_once.let_go(request)
    _connection_lost(request, reason)


def check_timeouts(request: Any) -> None:
    """Called by Daphne every two seconds for each request there is."""
    began = request.body_began
    if began is None or request.channel is None or request.channel.refused:
        _check_timeouts(request)
    elif time.monotonic() - began > GRACE_S + request.body_bytes / LEAST_BYTES_PER_S:
        _refuse(request, TOO_SLOW)


def _is_file(request: Any) -> bool:
    """Whether the body is a form with a file. The target is the channel's until all of the body is here."""
    target: bytes = request.channel._path
    return target.partition(b"?")[0] == UPLOAD_PATH.encode()


def _limit(request: Any) -> int:
    """Bytes that the body may have."""
    is_file = _is_file(request)
    limit: int = settings.UPLOAD_BYTES_MAX if is_file else settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    return limit


def _no_room(request: Any, error: OSError) -> None:
    """A body cannot be kept: there is no room for its file, or no descriptor."""
    if _said.may_say():
        log.error("A body cannot be kept (%s): it is answered 503", error.strerror)
    _refuse(request, TOO_MANY)


def _refuse(request: Any, refusal: EarlyRefusal) -> None:
    """Answers in place of the application, and lets go of what has come."""
    bodies_at_once.let_go(request)
    told = refusal.detail.format(limit=_limit(request))
    refuse(request.channel, refusal._replace(detail=told))
    if request.content is not None:
        with contextlib.suppress(OSError):  # closing writes what is left, where there is no room
            request.content.close()
