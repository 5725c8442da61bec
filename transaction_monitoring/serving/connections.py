"""Bounds on a connection before there is a request: how long it may idle, and how long a head may take.

Twisted counts both with one clock, which every byte sets back: with a minute of patience a balancer
that keeps connections for longer meets one that is just being closed, and a head that comes a byte
a second is waited for for ever. So an idle connection stays open for KEEP_ALIVE_SECONDS, and a head
that has begun has HEAD_S of its own, whatever still comes of it. The first has them from connecting:
who connects has something to say.

A process has only so many descriptors. Once nearly all are taken, whoever connects takes the place of the
connection that has owed us a request for longest; those which have had one come last. Nobody who is being
served is cut off.

And a client's Daphne-Root-Path is dropped, which Daphne would take for the operator's --root-path.

Installed with the ASGI application, so that `daphne` needs no options for it. This looks into Daphne
and Twisted: tests hold connections open and fail if they change.
"""

import logging
import resource
from typing import Any

from daphne.http_protocol import HTTPFactory
from django.conf import settings
from twisted.web import http

from . import header_bounds
from .refusals import Refusal, refuse
from .seldom import Seldom

log = logging.getLogger(__name__)

# From connecting, or a later head's first byte, to its last. The body has a clock of its own.
HEAD_S = 10.0
TOO_SLOW = Refusal(408, "The head came too slowly.")
ROOT_PATH = b"daphne-root-path"
# Descriptors that are kept for what is no client's connection: an eighth of all, but no more than these.
KEPT_FREE_MAX = 256

# Twisted has some types, but not for being changed.
HTTPChannel: Any = http.HTTPChannel

_init = HTTPFactory.__init__
_connection_made = HTTPChannel.connectionMade
_data_received = HTTPChannel.dataReceived
_all_headers_received = HTTPChannel.allHeadersReceived
_all_content_received = HTTPChannel.allContentReceived
_connection_lost = HTTPChannel.connectionLost

# Connections that owe us a request, the oldest first: their first one, or another.
_new: dict[Any, None] = {}
_idle: dict[Any, None] = {}
_said = Seldom()


def install() -> None:
    """Puts the bounds into Daphne's connections, for this process."""
    HTTPFactory.__init__ = init
    HTTPChannel.head_clock = None
    HTTPChannel.refused = False
    HTTPChannel.stop_head_clock = stop_head_clock
    HTTPChannel.connectionMade = connection_made
    HTTPChannel.dataReceived = data_received
    HTTPChannel.allHeadersReceived = all_headers_received
    HTTPChannel.allContentReceived = all_content_received
    HTTPChannel.connectionLost = connection_lost


def init(factory: Any, server: Any) -> None:
    """What Twisted calls the time-out is that of an idle connection."""
    _init(factory, server)
    factory.timeOut = settings.KEEP_ALIVE_SECONDS


def connection_made(channel: Any) -> None:
    """Somebody has connected."""
    _connection_made(channel)
    channel.head_clock = channel.callLater(HEAD_S, lambda: _too_slow(channel))
    _new[channel] = None
    # The kernel gives the lowest number that is free.
    number = getattr(channel.transport, "fileno", int)()
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limit != resource.RLIM_INFINITY and number >= limit - min(KEPT_FREE_MAX, limit // 8):
        _make_room(channel)


def _make_room(channel: Any) -> None:
    oldest = next(iter(_new))
    if oldest is channel and _idle:
        oldest = next(iter(_idle))
    _forget(oldest)
    oldest.transport.abortConnection()
    if _said.may_say():
        log.warning("Connections take nearly all descriptors that RLIMIT_NOFILE lets: idle ones are closed")


def _forget(channel: Any) -> None:
    _new.pop(channel, None)
    _idle.pop(channel, None)


def data_received(channel: Any, data: bytes) -> None:
    """Some bytes came. Of most heads all comes at once, and no clock is started for them."""
    _data_received(channel, data)
    if channel.head_clock is None and _amid_head(channel):
        channel.head_clock = channel.callLater(HEAD_S, lambda: _too_slow(channel))


def _amid_head(channel: Any) -> bool:
    """Part of a head is here: of a line, or a line and not the last."""
    return bool(channel.line_mode and (channel._buffer or not channel._HTTPChannel__first_line))


def all_headers_received(channel: Any) -> None:
    """The head is complete."""
    stop_head_clock(channel)
    headers = channel.requests[-1].requestHeaders
    if (fault := header_bounds.fault_of(headers)) is not None:
        refuse(channel, fault)
        return
    headers.removeHeader(ROOT_PATH)
    _all_headers_received(channel)


def all_content_received(channel: Any) -> None:
    """The request is complete; of one that was refused nothing is made."""
    if not channel.refused:
        _forget(channel)
        _all_content_received(channel)


def owes_a_request(channel: Any) -> None:
    """A request has its answer; the connection waits for another."""
    _idle[channel] = None


def connection_lost(channel: Any, reason: Any) -> None:
    stop_head_clock(channel)
    _forget(channel)
    _connection_lost(channel, reason)


def stop_head_clock(channel: Any) -> None:
    if channel.head_clock is not None:
        channel.head_clock.cancel()
        channel.head_clock = None


def _too_slow(channel: Any) -> None:
    channel.head_clock = None
    if _amid_head(channel) or channel._HTTPChannel__first_line == 2:
        refuse(channel, TOO_SLOW)
    else:  # it has said nothing, and would take an answer for that to what it says next
        channel.timeoutConnection()
