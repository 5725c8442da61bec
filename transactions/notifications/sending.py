"""One POST to somebody else's server, which may hang, drip, redirect or answer without end.

Bounded in time as a whole, in what is read, and in where it goes: to the very address that was judged, under
the host's name. Nothing is followed.
"""

import http.client
import io
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, NamedTuple

from . import destinations
from .destinations import Address, Destination, Forbidden

# Seconds for all of it: the name, the connection, TLS, the answer; and for one address to connect.
WHOLE_S, CONNECT_S = 15.0, 5.0
# How often, in seconds, it is looked which connections are to be cut.
CUT_EACH_S = 0.25
# Bytes of the answer that are read; characters of it that are kept.
ANSWER_BYTES_MAX, ANSWER_CHARACTERS_MAX = 2_048, 500
# Bytes that are taken from the connection at most: with head, sizes of chunks and trailers.
TAKEN_BYTES_MAX = 65_536
# A receiver may put the next attempt off by so many seconds.
RETRY_AFTER_S_MAX = 24 * 3_600.0

# Connections on which something is sent, and until when, on the monotonic clock.
_deadlines: dict[socket.socket, float] = {}


class Reply(NamedTuple):
    """What came of one POST: the answer's status and beginning, or why there was none."""

    status: int | None
    error: str
    answer: str
    seconds: float
    # For how long the receiver wants to be left alone.
    retry_after_s: float = 0.0

    @property
    def delivered(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class AnswerTooLong(http.client.IncompleteRead):
    """The answer goes on beyond what is taken of it."""


class _Taken(io.RawIOBase):
    """What is taken of an answer. Whatever it says of its own length: a chunk of -1 is read without end."""

    def __init__(self, source: io.RawIOBase) -> None:
        self._source, self._left = source, TAKEN_BYTES_MAX

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if not self._left:
            raise AnswerTooLong(b"")
        taken: int | None = self._source.readinto(memoryview(buffer)[: self._left])
        self._left -= taken or 0
        return taken

    def close(self) -> None:
        self._source.close()
        super().close()


class _Answer(http.client.HTTPResponse):
    """An answer that is read from no more than is taken of it."""

    def __init__(self, sock: socket.socket, *args: Any, **named: Any) -> None:
        super().__init__(sock, *args, **named)
        self.fp = io.BufferedReader(_Taken(self.fp.detach()))


class _ToAddress(http.client.HTTPConnection):
    """A connection to an address, by another name than that."""

    response_class = _Answer

    def __init__(self, destination: Destination, addresses: list[Address], deadline: float) -> None:
        port = destination.port
        host = f"[{destination.host}]" if ":" in destination.host else destination.host
        self.default_port = 443 if destination.is_secure else 80
        super().__init__(host, port)
        self._destination, self._addresses, self._deadline = destination, addresses, deadline

    def connect(self) -> None:
        self.sock = _connected(self._addresses, self.port, self._deadline)
        if self._destination.is_secure:
            self.sock.settimeout(_left(self._deadline))
            # By the name: the certificate is of the name, whichever address it has.
            self.sock = _tls().wrap_socket(self.sock, server_hostname=self._destination.host)
        self.sock.settimeout(_left(self._deadline))


def post(url: str, headers: Mapping[str, str], body: bytes) -> Reply:
    """Posts a body to a URL; whatever happens is an outcome."""
    began = time.monotonic()
    deadline = began + WHOLE_S
    try:
        destination = destinations.read(url)
        found = destinations.addresses(destination, WHOLE_S)
        status, answer, retry_after_s = _exchange(destination, found, deadline, headers, body)
    except (Forbidden, OSError, http.client.HTTPException) as failed:
        late = time.monotonic() >= deadline or isinstance(failed, TimeoutError)
        told = f"No answer within {WHOLE_S:.0f} s." if late else _told(failed)
        return Reply(None, told[:200], "", time.monotonic() - began)
    error = "" if 200 <= status < 300 else _refused(status)
    return Reply(status, error, answer, time.monotonic() - began, retry_after_s)


def _exchange(
    destination: Destination, found: list[Address], deadline: float, headers: Mapping[str, str], body: bytes
) -> tuple[int, str, float]:
    connection = _ToAddress(destination, found, deadline)
    try:
        connection.connect()
        with _cut_at(connection.sock, deadline):
            connection.request("POST", destination.target, body, {**headers, "Connection": "close"})
            response = connection.getresponse()
            # A head that was cut off reads like a whole one.
            _left(deadline)
            retry_after_s = _retry_after_s(response.headers.get("Retry-After", ""))
            # What is said in the status counts, whatever becomes of the rest.
            return response.status, _legible(_beginning(response)), retry_after_s
    finally:
        connection.close()


def _beginning(response: http.client.HTTPResponse) -> bytes:
    """What can be read of an answer, up to what is kept; nothing where it breaks off otherwise."""
    try:
        return response.read(ANSWER_BYTES_MAX)
    except http.client.IncompleteRead as cut:
        return cut.partial
    except (OSError, http.client.HTTPException, ValueError, OverflowError):
        # The last two by chunks of negative size.
        return b""


def _connected(addresses: list[Address], port: int, deadline: float) -> socket.socket:
    """A connection to the first of the addresses that takes one. Raises OSError."""
    failed: OSError = OSError("The name has no address.")
    for address in addresses:
        try:
            return socket.create_connection((str(address), port), min(CONNECT_S, _left(deadline)))
        except OSError as error:
            failed = error
    raise failed


@contextmanager
def _cut_at(sock: socket.socket, deadline: float) -> Iterator[None]:
    """Ends the connection at the deadline: a time-out of the socket begins anew with each byte."""
    _cutter()
    _deadlines[sock] = deadline
    try:
        yield
    finally:
        del _deadlines[sock]


@cache
def _cutter() -> threading.Thread:
    """One thread for all connections: one for each would cost a fifth of what a worker sends."""
    cutter = threading.Thread(target=_cut_what_is_late, name="webhook deadlines", daemon=True)
    cutter.start()
    return cutter


def _cut_what_is_late() -> None:
    while True:
        time.sleep(CUT_EACH_S)
        now = time.monotonic()
        for sock, deadline in _deadlines.copy().items():
            if now >= deadline:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)


def _left(deadline: float) -> float:
    """Seconds until the deadline. Raises TimeoutError where it is over."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("too late")
    return left


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


def _told(error: Exception) -> str:
    if isinstance(error, Forbidden):
        return str(error)
    if isinstance(error, socket.gaierror):
        return "The name cannot be resolved."
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"The certificate was refused: {error.verify_message}."
    if isinstance(error, http.client.HTTPException):
        return f"The answer is not HTTP: {type(error).__name__}."
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return f"No connection, or it broke: {reason}."


def _refused(status: int) -> str:
    if 300 <= status < 400:
        return f"Answered {status}: a redirect is not followed."
    return f"Answered {status}."


def _retry_after_s(text: str) -> float:
    """Seconds that a Retry-After asks for, as a number or a date; 0 for none that can be read."""
    text = text.strip()
    if text.isascii() and text.isdecimal():
        seconds = float(text[:12])
    else:
        try:
            at = parsedate_to_datetime(text)
            seconds = ((at if at.tzinfo else at.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return 0.0
    return min(max(seconds, 0.0), RETRY_AFTER_S_MAX)


def _legible(answer: bytes) -> str:
    """The beginning of an answer as text that a page and PostgreSQL take."""
    text = answer.decode(errors="replace")
    return "".join(each if each.isprintable() or each == "\n" else "\ufffd" for each in text)[
        :ANSWER_CHARACTERS_MAX
    ]
