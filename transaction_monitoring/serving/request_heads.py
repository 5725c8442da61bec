"""Heads of requests as RFC 9110 and 9112 have them, where Daphne and Twisted are stricter or say nothing.

A header's value is opaque bytes: a city's name in UTF-8 that a proxy adds is no reason to refuse a record.
Daphne refuses six of those bytes, as autobahn, which reads a handshake's head once more, takes them for
line ends. So they are let pass, but in a handshake a `?` stands for each.

A target may be a whole URL, whose host counts then, and one with bytes beyond ASCII is read as if they had
been escaped. What is no HTTP gets a 400 that says so, where Twisted's has no body, and what is too long a 414
or 431, where Twisted says nothing at all; a Transfer-Encoding or Content-Length that is not taken is named.

Upgrade is a wish, and only in a GET whose Connection names it, with the key and version of a websocket, it is
that for one (RFC 9110, 7.8). Daphne would have autobahn refuse all others.

This looks into Daphne and Twisted: tests post such heads and fail if they change.
"""

import re
from typing import Any

import daphne.http_protocol
from daphne.http_protocol import WebRequest
from twisted.web import http

from .refusals import EarlyRefusal, refuse

# No header's value has them (RFC 9110, 5.5). Twisted looks for them too.
INVALID = frozenset(b"\r\n\0")
# Line ends to Python's str.splitlines, by which autobahn parts a head.
LINE_ENDS = bytes.maketrans(b"\x0b\x0c\x1c\x1d\x1e\x85", b"??????")
BEYOND_ASCII = re.compile(rb"[\x80-\xff]")
ABSOLUTE = re.compile(rb"(?i)https?://([^/?#]*)(.*)")

NO_HTTP = EarlyRefusal(400, "This is no HTTP request: its head cannot be read.")
TARGET_TOO_LONG = EarlyRefusal(414, "The request's target is too long: its line has at most {limit:,} bytes.")
HEAD_TOO_LONG = EarlyRefusal(431, "The head is too long: it has at most {limit:,} bytes and {count} headers.")
BAD_TARGET = EarlyRefusal(400, "The request's target is neither a path nor the URL of one.")
BAD_ENCODING = EarlyRefusal(501, "This Transfer-Encoding is not taken: send the body as it is, or chunked.")
BAD_CHUNKS = EarlyRefusal(400, "The body is not in chunks as HTTP has them.")
BAD_LENGTH = EarlyRefusal(400, "The Content-Length is no number of bytes.")
TWO_LENGTHS = EarlyRefusal(
    400, "The length is said twice: send Content-Length, or Transfer-Encoding: chunked."
)
# No body is that long; Python refuses to read a number of thousands.
LENGTH_DIGITS_MAX = 20

# Twisted has some types, but not for being changed.
HTTP: Any = http

_parse_request_line = HTTP._parseRequestLine
_process = WebRequest.process
_choose_decoder = HTTP.HTTPChannel._maybeChooseTransferDecoder


def install() -> None:
    """Has this process read heads so."""
    daphne.http_protocol.INVALID_HEADER_VALUE_BYTES = INVALID
    HTTP._parseRequestLine = parse_request_line
    HTTP.HTTPChannel._respondToBadRequestAndDisconnect = respond_to_bad_request
    HTTP.HTTPChannel._maybeChooseTransferDecoder = choose_decoder
    HTTP.HTTPChannel.lineLengthExceeded = line_length_exceeded
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
    if request.uri[:1] != b"/" and not _take_apart(request):
        refuse(request.channel, BAD_TARGET)
        return None
    headers = request.requestHeaders
    if headers.hasHeader(b"Upgrade"):
        if _is_handshake(request):
            for name, values in list(headers.getAllRawHeaders()):
                headers.setRawHeaders(name, [value.translate(LINE_ENDS) for value in values])
        else:
            headers.removeHeader(b"Upgrade")
    return _process(request)


def _is_handshake(request: Any) -> bool:
    """Whether a request with Upgrade is a websocket's."""
    headers = request.requestHeaders
    wished = b",".join(headers.getRawHeaders(b"Connection", [])).lower().split(b",")
    return (
        request.method == b"GET"
        and request.clientproto == b"HTTP/1.1"
        and b"upgrade" in (each.strip() for each in wished)
        and headers.hasHeader(b"Sec-WebSocket-Key")
        and headers.hasHeader(b"Sec-WebSocket-Version")
    )


def _take_apart(request: Any) -> bool:
    """Makes of a target that is a whole URL its path, and of its host the request's; false for what is none.

    `*` is the service as a whole, and made a path that leads nowhere.
    """
    if request.uri == b"*":
        request.uri = request.path = b"/*"
        return True
    absolute = ABSOLUTE.fullmatch(request.uri)
    if absolute is None:
        return False
    host, rest = absolute.groups()
    request.requestHeaders.setRawHeaders(b"Host", [host])
    request.uri = rest if rest[:1] == b"/" else b"/" + rest
    request.path = request.uri.partition(b"?")[0]
    return True


def choose_decoder(channel: Any, header: bytes, value: bytes) -> bool:
    """Of each header: whether what it says of the body's length, if that, is understood."""
    if header == b"Content-Length":
        if not value.isdigit() or len(value) > LENGTH_DIGITS_MAX:
            return _refused(channel, BAD_LENGTH)
    elif header != b"Transfer-Encoding":
        return True
    elif value.lower() not in (b"chunked", b"identity"):
        return _refused(channel, BAD_ENCODING)
    if channel._transferDecoder is not None and value.lower() != b"identity":
        return _refused(channel, TWO_LENGTHS)
    return bool(_choose_decoder(channel, header, value))


def _refused(channel: Any, refusal: EarlyRefusal) -> bool:
    refuse(channel, refusal)
    return False


def line_length_exceeded(channel: Any, line: bytes) -> None:
    """A line is longer than a whole head may be."""
    _too_long(channel)


def _too_long(channel: Any) -> None:
    refusal = TARGET_TOO_LONG if channel._HTTPChannel__first_line else HEAD_TOO_LONG
    told = refusal.detail.format(limit=channel.totalHeadersSize, count=channel.maxHeaders)
    refuse(channel, refusal._replace(detail=told))


def respond_to_bad_request(channel: Any) -> None:
    """Twisted has found something wrong with a head, or with the chunks of a body."""
    count, size = channel._receivedHeaderCount, channel._receivedHeaderSize
    if size > channel.totalHeadersSize or count > channel.maxHeaders:
        _too_long(channel)
    elif not channel.line_mode:
        refuse(channel, BAD_CHUNKS)
    else:
        refuse(channel, NO_HTTP)
