"""Heads of requests as RFC 9110 and 9112 have them, where Daphne and Twisted are stricter or say nothing.

A header's value is opaque bytes: a city's name in UTF-8 that a proxy adds is no reason to refuse a record.
Daphne refuses six of those bytes, as autobahn, which reads a handshake's head once more, takes them for
line ends. So they are let pass, but in a handshake a `?` stands for each.

A target may be a whole URL, whose host counts then, and one with bytes beyond ASCII is read as if they had
been escaped. What is no HTTP gets a 400 that says so, where Twisted's has no body.

This looks into Daphne and Twisted: tests post such heads and fail if they change.
"""

import re
from typing import Any

import daphne.http_protocol
from daphne.http_protocol import WebRequest
from twisted.web import http

# No header's value has them (RFC 9110, 5.5). Twisted looks for them too.
INVALID = frozenset(b"\r\n\0")
# Line ends to Python's str.splitlines, by which autobahn parts a head.
LINE_ENDS = bytes.maketrans(b"\x0b\x0c\x1c\x1d\x1e\x85", b"??????")
BEYOND_ASCII = re.compile(rb"[\x80-\xff]")
ABSOLUTE = re.compile(rb"(?i)https?://([^/?#]*)(.*)")
TOLD = b'{"detail":"This is no HTTP request: its head cannot be read, or is too long."}'
BAD_REQUEST = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
    b"Connection: close\r\n\r\n%s" % (len(TOLD), TOLD)
)

# Twisted has some types, but not for being changed.
HTTP: Any = http

_parse_request_line = HTTP._parseRequestLine
_process = WebRequest.process


def install() -> None:
    """Has this process read heads so."""
    daphne.http_protocol.INVALID_HEADER_VALUE_BYTES = INVALID
    HTTP._parseRequestLine = parse_request_line
    HTTP.HTTPChannel.told_bad = False
    HTTP.HTTPChannel._respondToBadRequestAndDisconnect = respond_to_bad_request
    WebRequest.process = process


def parse_request_line(line: bytes) -> tuple[bytes, bytes, bytes]:
    """Method, target and version; the target in ASCII. Raises ValueError."""
    if not line.isascii():
        method, _, rest = line.partition(b" ")
        line = method + b" " + BEYOND_ASCII.sub(lambda found: b"%%%02X" % found[0][0], rest)
    parsed: tuple[bytes, bytes, bytes] = _parse_request_line(line)
    return parsed


def process(request: Any) -> Any:
    """The request is here, and about to be handed on."""
    if request.uri[:1] != b"/":
        _take_apart(request)
    if request.requestHeaders.hasHeader(b"Upgrade"):
        for name, values in list(request.requestHeaders.getAllRawHeaders()):
            request.requestHeaders.setRawHeaders(name, [value.translate(LINE_ENDS) for value in values])
    return _process(request)


def _take_apart(request: Any) -> None:
    """Makes of a target that is a whole URL its path, and of its host the request's."""
    if absolute := ABSOLUTE.fullmatch(request.uri):
        host, rest = absolute.groups()
        request.requestHeaders.setRawHeaders(b"Host", [host])
        request.uri = rest if rest[:1] == b"/" else b"/" + rest
        request.path = request.uri.partition(b"?")[0]


def respond_to_bad_request(channel: Any) -> None:
    """Once: Twisted reads on in what came with it."""
    if not channel.told_bad:
        channel.told_bad = True
        channel.transport.write(BAD_REQUEST)
        channel.loseConnection()
