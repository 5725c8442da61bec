"""Answers that their client does not read: no next request is begun while one waits.

HTTP lets a client send requests ahead. Twisted answers the next as soon as one has its answer, and keeps all
answers that are not read: nine hundred requests of a few bytes are sixty megabytes of a file. And while an
answer waits it reads on what the client sends, however much. So a connection whose client is behind in
reading, by more than Twisted gives the kernel at a time (64 kB), is at a stand: nothing is read of it,
nothing begun. After KEEP_ALIVE_SECONDS in which it did not catch up it is closed, as one that is idle.

This looks into Twisted: tests with such clients fail if it changes.
"""

from typing import Any

from django.conf import settings
from twisted.web import http

from . import connections

# Bytes of further requests that are kept while one is answered; the kernel has the rest.
AHEAD_BYTES_MAX = 4 * 1024

# Twisted has some types, but not for being changed.
HTTPChannel: Any = http.HTTPChannel

_request_done = HTTPChannel.requestDone
_raw_data_received = HTTPChannel.rawDataReceived
_resume_producing = HTTPChannel.resumeProducing


def install() -> None:
    """Puts the bound into Daphne's connections, for this process."""
    HTTPChannel._optimisticEagerReadSize = AHEAD_BYTES_MAX
    # The request that has been answered, where its client is behind.
    HTTPChannel.unread = None
    HTTPChannel.requestDone = request_done
    HTTPChannel.rawDataReceived = raw_data_received
    HTTPChannel.resumeProducing = resume_producing


def request_done(channel: Any, request: Any) -> None:
    """All of an answer is on its way."""
    connections.owes_a_request(channel)
    if channel._waitingForTransport and channel.persistent:
        # Nothing more is done with it, also where the connection is lost meanwhile.
        channel.unread = channel.requests.pop(0)
    else:
        _request_done(channel, request)
    if channel._waitingForTransport:
        # Twisted has stopped the clock while there was a request.
        channel.setTimeout(settings.KEEP_ALIVE_SECONDS)


def raw_data_received(channel: Any, data: bytes) -> None:
    """A part of a body, or what is sent while a request is answered."""
    _raw_data_received(channel, data)
    if channel._waitingForTransport and channel._handlingRequest:
        channel._networkProducer.pauseProducing()


def resume_producing(channel: Any) -> None:
    """The client has caught up."""
    _resume_producing(channel)
    if channel.unread is not None:
        channel.requests.insert(0, channel.unread)
        channel.unread = None
        _request_done(channel, channel.requests[0])
