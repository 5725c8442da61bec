"""Answers to what is no request yet, or not all of one: written by hand, as Twisted answers only what it has
read to its end.

The connection is closed afterwards, but not at once: what a client still sends would have the kernel reset
it, and the answer be lost. So our side ends with the answer, and for LINGER_S what comes is thrown away.

This looks into Twisted: tests send such requests and fail if it changes.
"""

from http import HTTPStatus
from typing import Any, NamedTuple

import orjson

from transactions.intake.answers import REASONS
from transactions.intake.fast_lane import ENDPOINTS
from transactions.metrics.counters import refused

from .request_ids import HEADER, name_of_request

# Seconds after a refusal in which what still comes is thrown away.
LINGER_S = 2.0


class EarlyRefusal(NamedTuple):
    """What is answered: the status, what is said, and seconds after which the same may be sent again."""

    status: int
    detail: str
    retry_after_s: int | None = None


def refuse(channel: Any, refusal: EarlyRefusal) -> None:
    """Answers on a connection and ends it, once: nothing more is read from it."""
    if channel.refused:
        return
    channel.refused = True
    channel.lineReceived = channel.rawDataReceived = channel.dataReceived = _thrown_away
    channel.setTimeout(None)
    request = channel.requests[-1] if channel.requests else None
    named: list[bytes] = []
    if request is not None:
        request.requestHeaders.removeHeader(b"Expect")  # else Twisted would say 100 Continue after this
        named = request.requestHeaders.getRawHeaders(HEADER, [])
    path = getattr(channel, "_path", b"").partition(b"?")[0].decode("latin-1")
    if path in ENDPOINTS and refusal.status in REASONS:
        refused(REASONS[refusal.status])
    channel.transport.write(_written(refusal, name_of_request(named)))
    if half_close := getattr(channel.transport, "loseWriteConnection", None):
        half_close()
    channel.stop_head_clock()
    channel.head_clock = channel.callLater(LINGER_S, lambda: _ended(channel))


def _written(refusal: EarlyRefusal, name: str) -> bytes:
    content = orjson.dumps({"detail": refusal.detail})
    lines = [
        f"HTTP/1.1 {refusal.status} {HTTPStatus(refusal.status).phrase}",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
        f"X-Request-Id: {name}",
        "Cache-Control: no-store",
        "Connection: close",
    ]
    if refusal.retry_after_s is not None:
        lines.append(f"Retry-After: {refusal.retry_after_s}")
    return "\r\n".join([*lines, "", ""]).encode() + content


def _thrown_away(*_: object) -> None:
    pass


def _ended(channel: Any) -> None:
    channel.head_clock = None
    channel.timeoutConnection()
