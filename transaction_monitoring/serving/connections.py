"""Bounds on a connection before there is a request: how long it may idle, and how long a head may take.

Twisted counts both with one clock, which every byte sets back: with a minute of patience a balancer
that keeps connections for longer meets one that is just being closed, and a head that comes a byte
a second is waited for for ever. So an idle connection stays open for KEEP_ALIVE_SECONDS, and a head
that has begun has HEAD_S of its own, whatever still comes of it.

And a client's Daphne-Root-Path is dropped, which Daphne would take for the operator's --root-path.

Installed with the ASGI application, so that `daphne` needs no options for it. This looks into Daphne
and Twisted: tests hold connections open and fail if they change.
"""

from typing import Any

from daphne.http_protocol import HTTPFactory
from django.conf import settings
from twisted.web import http

# From a head's first byte to its last. The body has a clock of its own, see `body_limits`.
HEAD_S = 10.0
TOO_SLOW = (
    b"HTTP/1.1 408 Request Timeout\r\nContent-Type: application/json\r\nContent-Length: 38\r\n"
    b'Connection: close\r\n\r\n{"detail":"The head came too slowly."}'
)
ROOT_PATH = b"daphne-root-path"

# Twisted has some types, but not for being changed.
HTTPChannel: Any = http.HTTPChannel

_init = HTTPFactory.__init__
_data_received = HTTPChannel.dataReceived
_all_headers_received = HTTPChannel.allHeadersReceived
_connection_lost = HTTPChannel.connectionLost


def install() -> None:
    """Puts the bounds into Daphne's connections, for this process."""
    HTTPFactory.__init__ = init
    HTTPChannel.head_clock = None
    HTTPChannel.dataReceived = data_received
    HTTPChannel.allHeadersReceived = all_headers_received
    HTTPChannel.connectionLost = connection_lost


def init(factory: Any, server: Any) -> None:
    """What Twisted calls the time-out is that of an idle connection."""
    _init(factory, server)
    factory.timeOut = settings.KEEP_ALIVE_SECONDS


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
    _stop_clock(channel)
    channel.requests[-1].requestHeaders.removeHeader(ROOT_PATH)
    _all_headers_received(channel)


def connection_lost(channel: Any, reason: Any) -> None:
    _stop_clock(channel)
    _connection_lost(channel, reason)


def _stop_clock(channel: Any) -> None:
    if channel.head_clock is not None:
        channel.head_clock.cancel()
        channel.head_clock = None


def _too_slow(channel: Any) -> None:
    channel.head_clock = None
    channel.transport.write(TOO_SLOW)
    channel.timeoutConnection()
