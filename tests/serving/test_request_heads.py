"""Heads of requests that are right, however seldom they are seen; and what those are told that are not."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User

from tests.support.exchanging import post, say
from tests.support.serving import daphne
from tests.support.watching import PATH

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.usefixtures("nothing_failed_aloud"),
]

ADD, MANY = "/api/add-transaction/", "/api/add-transactions/"
# Opaque to HTTP: UTF-8, Latin-1, each byte that Python takes for a line end, and all others.
VALUES = {
    "Ålesund in UTF-8": "Ålesund".encode(),
    "Ålesund in Latin-1": "Ålesund".encode("latin-1"),
    **{f"{byte:#04x}": b"a%cb" % byte for byte in (0x0B, 0x0C, 0x1C, 0x1D, 0x1E, 0x85)},
    "every byte that may be": bytes(byte for byte in range(1, 256) if byte not in b"\r\n"),
}
NAMES = ["CF-IPCity", "User-Agent", "X-Request-Id", "Traceparent", "Cookie", "Accept-Language", "Referer"]


@pytest.fixture(scope="module")
def debug_url(django_db_setup: None, log: Path) -> Iterator[str]:
    """A private run, with DEBUG."""
    with daphne(log=log, DEBUG="true") as url:
        yield url


def address_of(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return str(parts.hostname), int(parts.port or 80)


def sent(url: str, head: bytes, body: bytes = b"") -> tuple[int, Any]:
    """The status of one request, and its body as JSON."""
    status, headers, content = say(address_of(url), head + b"\r\n\r\n" + body)
    assert headers["Content-Type"] == "application/json", (head, status, content)
    return status, json.loads(content)


def with_header(request: bytes, line: bytes) -> bytes:
    head, _, body = request.partition(b"\r\n\r\n")
    return head + b"\r\n" + line + b"\r\n\r\n" + body


# --- Headers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("lane", ["true", "false"])
def test_a_record_is_taken_whatever_bytes_its_headers_hold(people: list[User], log: Path, lane: str) -> None:
    with daphne(log=log, FAST_LANE=lane) as url:
        number = 0
        for name in NAMES:
            for value in VALUES.values():
                for path in (ADD, MANY):
                    record = {"transaction_id": f"T{number}", "user": people[0].pk, "amount": 1}
                    number += 1
                    request = post(path, [record] if path == MANY else record)
                    line = name.encode() + b": " + value
                    status, _, body = say(address_of(url), with_header(request, line))
                    assert status == 200, (line, body)


@pytest.mark.parametrize(
    "name",
    [
        "Host",
        "Content-Type",
        "Authorization",
        "Content-Encoding",
        "Origin",
        "X-Forwarded-For",
        "Forwarded",
        "Accept",
        "Expect",
        "Content-Length",
    ],
)
def test_no_value_is_our_error(open_url: str, name: str) -> None:
    for value in VALUES.values():
        for path in ("/api/pipeline/", "/api/transactions/", "/livez", "/metrics"):
            head = f"GET {path} HTTP/1.1\r\nConnection: close\r\n" + (
                "" if name == "Host" else "Host: localhost\r\n"
            )
            status, _, _ = say(
                address_of(open_url), head.encode() + name.encode() + b": " + value + b"\r\n\r\n"
            )
            assert status < 500, (path, value)


@pytest.mark.parametrize("invalid", [b"a\0b", b"a\rb", b"\0"])
def test_a_value_that_cannot_be_is_refused_with_words(open_url: str, invalid: bytes) -> None:
    status, told = sent(open_url, b"GET /api/pipeline/ HTTP/1.1\r\nHost: localhost\r\nX-A: " + invalid)
    assert (status, "no HTTP" in told["detail"]) == (400, True)


@pytest.mark.parametrize("byte", [b"\x0b", b"\x0c", b"\x1c", b"\x1d", b"\x1e", b"\x85"])
def test_in_a_handshake_no_value_becomes_a_line(open_url: str, byte: bytes) -> None:
    """Autobahn would part the head there: the second line would be a header of the client's making."""
    head = (
        f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    ).encode()
    smuggled = b"CF-IPCity: x" + byte + b"Origin: http://evil.example\r\n"
    with socket.create_connection(address_of(open_url), 30) as client:
        client.sendall(head + smuggled + b"\r\n")
        assert client.recv(65_536).startswith(b"HTTP/1.1 101 ")


# --- Targets -----------------------------------------------------------------------------------


@pytest.mark.parametrize("scheme", ["http", "HTTP", "https"])
def test_a_whole_url_is_its_path_and_its_host(open_url: str, scheme: str) -> None:
    def get(target: str, host: str) -> tuple[int, Any]:
        return sent(open_url, f"GET {target} HTTP/1.1\r\nConnection: close\r\nHost: {host}".encode())

    status, books = get(f"{scheme}://localhost/api/pipeline/", "localhost")
    assert (status, "accepted" in books) == (200, True)
    # The host is that of the target, whichever the header names.
    assert get(f"{scheme}://localhost:8000/api/pipeline", "evil.example")[0] == 200
    refused = (400, {"detail": "This host is not served here."})
    for evil in ("evil.example", "localhost@evil.example", "", "a b".replace(" ", "%20")):
        assert get(f"{scheme}://{evil}/api/pipeline/", "localhost") == refused
    status, told = get(f"{scheme}://localhost/api/transactions/?limit=none", "localhost")
    assert (status, list(told)) == (400, ["limit"])
    assert get(f"{scheme}://localhost/api/nothing", "localhost") == (404, {"detail": "Not found."})
    for root in ("", "/", "?a=b"):
        head = f"GET {scheme}://localhost{root} HTTP/1.1\r\nConnection: close\r\nHost: localhost\r\n\r\n"
        _, headers, _ = say(address_of(open_url), head.encode())
        assert headers["Location"] == "/admin/"


def test_a_record_to_a_whole_url_is_taken(open_url: str, people: list[User]) -> None:
    record = {"transaction_id": "T1", "user": people[0].pk, "amount": 1}
    status, _, body = say(address_of(open_url), post(f"http://localhost{ADD}", record))
    assert status == 200, body


@pytest.mark.parametrize("id", ["١", "Ålesund", "\u2028", "💶"])
def test_a_path_that_is_not_escaped_is_read_as_if_it_were(open_url: str, people: list[User], id: str) -> None:
    for line in (f"GET /api/transactions/{id}/ HTTP/1.1", f"GET /api/transactions/{id} HTTP/1.0"):
        assert sent(open_url, f"{line}\r\nConnection: close\r\nHost: localhost".encode())[0] == 404
    query = f"GET /api/transactions/?limit={id} HTTP/1.1\r\nConnection: close\r\nHost: localhost"
    status, told = sent(open_url, query.encode())
    assert (status, list(told)) == (400, ["limit"])


@pytest.mark.parametrize("path", [b"\xff", b"\xc3", b"\x85", b"\xed\xa0\x80"])
def test_a_path_of_no_encoding_is_nothing_that_we_have(open_url: str, path: bytes) -> None:
    get = b"GET /api/transactions/%s/ HTTP/1.1\r\nConnection: close\r\nHost: localhost" % path
    assert sent(open_url, get) == (404, {"detail": "Not found."})
    get = b"GET /api/transactions/?user=%s HTTP/1.1\r\nConnection: close\r\nHost: localhost" % path
    assert sent(open_url, get) == (400, {"detail": "The query string is not UTF-8."})


@pytest.mark.parametrize(
    "line", [b"GET", b"GET /", b"GET  / HTTP/1.1", b"GET /a b HTTP/1.1", b"G\xc3\x84T / HTTP/1.1",
             b"GET / HTTP/2.0", b"\x16\x03\x01\x02", b"GET / \xff"]
)  # fmt: skip
def test_what_is_no_request_is_told_so_once(open_url: str, line: bytes) -> None:
    status, told = sent(open_url, line + b"\r\nHost: localhost\r\nno header\r\n\0: b")
    assert (status, "no HTTP request" in told["detail"]) == (400, True)


@pytest.mark.parametrize("target", ["foo", "api/pipeline/", "localhost:80", "ftp://localhost/", "**"])
def test_a_target_that_is_neither_a_path_nor_a_url_is_refused(open_url: str, target: str) -> None:
    status, told = sent(open_url, f"GET {target} HTTP/1.1\r\nHost: localhost".encode())
    assert (status, "target" in told["detail"]) == (400, True)


@pytest.mark.parametrize(
    "line", ["OPTIONS *", "GET /livez//", "GET //x", "GET /x", "GET /apix", "GET /static/x", "POST /livez//"]
)
def test_a_path_that_leads_nowhere_is_a_plain_404_with_debug_too(debug_url: str, line: str) -> None:
    head = f"{line} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    status, headers, body = say(address_of(debug_url), head.encode())
    assert (status, body) == (404, b"Not found.\n")
    assert headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("path", ["/api", "/api/", "/api/nothing", "/api//pipeline/"])
def test_under_the_api_it_is_json(debug_url: str, path: str) -> None:
    get = f"GET {path} HTTP/1.1\r\nConnection: close\r\nHost: localhost"
    assert sent(debug_url, get.encode()) == (404, {"detail": "Not found."})


# --- What is too long --------------------------------------------------------------------------

GET = b"GET /api/pipeline/ HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize("bytes_more", [0, 100, 60_000, 2_000_000])
def test_a_target_that_is_too_long_is_a_414(open_url: str, bytes_more: int) -> None:
    target = b"/api/transactions/?a=" + b"b" * (16_384 + bytes_more)
    status, told = sent(open_url, b"GET " + target + b" HTTP/1.1\r\nHost: localhost")
    assert (status, "16,384" in told["detail"]) == (414, True)


@pytest.mark.parametrize(
    "lines",
    [b"X-A: " + b"b" * 16_384, b"X-A: " + b"b" * 2_000_000, b"X-A: bbbbbbbbbb\r\n" * 1_000, b"a:b\r\n" * 501],
    ids=["a line", "a very long line", "many lines", "many headers"],
)
def test_a_head_that_is_too_long_is_a_431(open_url: str, lines: bytes) -> None:
    status, told = sent(open_url, GET + lines.removesuffix(b"\r\n"))
    assert (status, "16,384" in told["detail"], "500" in told["detail"]) == (431, True, True)


@pytest.mark.parametrize("length", ["9" * 5_000, "1" * 21, "-1", "1.0", "0x10", "", "1, 1", "\xb2"])
def test_a_length_that_is_none_is_named(open_url: str, length: str) -> None:
    head = f"POST {ADD} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}"
    status, told = sent(open_url, head.encode("latin-1"), b"{}")
    assert (status, "Content-Length" in told["detail"]) == (400, True)


@pytest.mark.parametrize("encoding", ["gzip, chunked", "gzip", "chunked, chunked", "deflate", "x"])
def test_a_transfer_encoding_that_is_not_taken_is_named(open_url: str, encoding: str) -> None:
    head = f"POST {ADD} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: {encoding}"
    status, told = sent(open_url, head.encode(), b"0\r\n\r\n")
    assert (status, "Transfer-Encoding" in told["detail"]) == (501, True)


def test_a_length_that_is_said_twice_is_refused(open_url: str) -> None:
    for second in ("Content-Length: 2", "Content-Length: 3", "Transfer-Encoding: chunked"):
        head = f"POST {ADD} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n{second}"
        status, told = sent(open_url, head.encode(), b"{}")
        assert (status, "twice" in told["detail"]) == (400, True)


def test_chunks_that_are_none_are_named(open_url: str) -> None:
    head = f"POST {ADD} HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked"
    status, told = sent(open_url, head.encode(), b"nonsense\r\n")
    assert (status, "chunk" in told["detail"]) == (400, True)


# --- Wishes to change the protocol -------------------------------------------------------------


@pytest.mark.parametrize("lane", ["true", "false"])
def test_a_record_is_taken_whatever_protocol_its_client_wishes_for(people: list[User], lane: str) -> None:
    wishes = (
        ("Upgrade: websocket",),
        ("Upgrade: websocket", "Connection: Upgrade"),
        ("Upgrade: WebSocket", "Connection: keep-alive, upgrade"),
        ("Upgrade: h2c, websocket", "HTTP2-Settings: AAMAAABkAAQAAP__"),
    )
    with daphne(FAST_LANE=lane) as url:
        for number, wish in enumerate(wishes):
            record = {"transaction_id": f"T{number}", "user": people[0].pk, "amount": 1}
            request = post(ADD, record, *wish)
            status, _, body = say(address_of(url), request)
            assert status == 200, (wish, body)


@pytest.mark.parametrize("path", ["/api/pipeline/", "/livez"])
@pytest.mark.parametrize(
    "lines",
    [
        "Upgrade: websocket",
        "Upgrade: websocket\r\nConnection: Upgrade",
        "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13",
    ],
)
def test_what_is_no_handshake_is_answered_as_if_it_wished_for_nothing(
    open_url: str, path: str, lines: str
) -> None:
    get = f"GET {path} HTTP/1.1\r\nConnection: close\r\nHost: localhost\r\n{lines}"
    assert sent(open_url, get.encode())[0] == 200


# --- Lengths -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [ADD, MANY, ADD[:-1]])
def test_a_body_whose_length_http_1_0_cannot_tell_is_asked_for_its_length(open_url: str, path: str) -> None:
    head = f"POST {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json"
    status, told = sent(open_url, head.encode(), b'{"transaction_id": "T1"}')
    assert (status, told) == (411, {"detail": "The Content-Length is missing, and so is the body."})


def test_with_its_length_it_is_taken_by_http_1_0(open_url: str, people: list[User]) -> None:
    record = {"transaction_id": "T1", "user": people[0].pk, "amount": 1}
    assert say(address_of(open_url), post(ADD, record).replace(b"HTTP/1.1", b"HTTP/1.0"))[0] == 200
