"""Bounds on a connection before there is a request: how long it may idle, and how long a head may take.

Twisted counts both with one clock, which every byte sets back: with a minute of patience a balancer
that keeps connections for longer meets one that is just being closed, and a head that comes a byte
a second is waited for for ever. So an idle connection stays open for KEEP_ALIVE_SECONDS, and a head
that has begun has HEAD_S of its own, whatever still comes of it. The first has them from connecting:
who connects has something to say.

A process has only so many descriptors. Once nearly all are taken, whoever connects takes the place of the
connection that has owed us its first request for longest, or else a further one, or else the rest of one.
Nobody who is being served is cut off.

And a client's Daphne-Root-Path is dropped, which Daphne would take for the operator's --root-path.

Installed with the ASGI application, so that `daphne` needs no options for it. This looks into Daphne
and Twisted: tests hold connections open and fail if they change.
"""

import logging
import resource
from typing import Any

from daphne.http_protocol import HTTPFactory
from django.conf import settings
from twisted.internet.error import ConnectionAborted
from twisted.python.failure import Failure
from twisted.web import http

from . import header_bounds
from .refusals import EarlyRefusal, refuse
from .seldom import Seldom

log = logging.getLogger(__name__)

# From connecting, or a later head's first byte, to its last. The body has a clock of its own.
HEAD_S = 10.0
TOO_SLOW = EarlyRefusal(408, "The head came too slowly.")
ROOT_PATH = b"daphne-root-path"
# Descriptors that are kept for what is no client's connection: files, the stores.
KEPT_FREE = 128

# Twisted has some types, but not for being changed.
HTTPChannel: Any = http.HTTPChannel
HasFailed: Any = Failure

_init = HTTPFactory.__init__
_connection_made = HTTPChannel.connectionMade
_data_received = HTTPChannel.dataReceived
_all_headers_received = HTTPChannel.allHeadersReceived
_all_content_received = HTTPChannel.allContentReceived
_connection_lost = HTTPChannel.connectionLost

# Connections that owe us a request, the oldest first: the first one, another, or the rest of one.
_new: dict[Any, None] = {}
_idle: dict[Any, None] = {}
_sending: dict[Any, None] = {}
# The transports of those that have one of the last descriptors.
_last: list[Any] = []
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
    if _is_short_of_descriptors(channel.transport):
        _make_room(channel)


def _is_short_of_descriptors(transport: Any) -> bool:
    """Whether a connection has one of the last: the kernel gives the lowest that is free. As long as one has,
    whoever connects with a lower, that another has just left, is one too many as well.
    """
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if getattr(transport, "fileno", int)() >= limit - KEPT_FREE and limit != resource.RLIM_INFINITY:
        _last.append(transport)
    _last[:] = [each for each in _last if each.connected]
    return bool(_last)


def _make_room(channel: Any) -> None:
    """Closes the connection that has kept us waiting for longest; where nobody does, the new one."""
    firsts = [next(iter(each), channel) for each in (_new, _idle, _sending)]
    oldest = next((first for first in firsts if first is not channel), channel)
    _forget(oldest)
    oldest.transport.abortConnection()
    # Now, and not once all are taken in who wait for it, which may be hundreds.
    oldest.transport.connectionLost(HasFailed(ConnectionAborted()))
    if _said.may_say():
        log.warning("Connections take nearly all descriptors that RLIMIT_NOFILE lets: idle ones are closed")


def _forget(channel: Any) -> None:
    _new.pop(channel, None)
    _idle.pop(channel, None)
    _sending.pop(channel, None)


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
    _forget(channel)
    _sending[channel] = None
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
