"""Heads of requests that are right, however seldom they are seen; and what those are told that are not."""

import json
import socket
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


# --- Lengths -----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", [ADD, MANY, ADD[:-1]])
def test_a_body_whose_length_http_1_0_cannot_tell_is_asked_for_its_length(open_url: str, path: str) -> None:
    head = f"POST {path} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json"
    status, told = sent(open_url, head.encode(), b'{"transaction_id": "T1"}')
    assert (status, told) == (411, {"detail": "The Content-Length is missing, and so is the body."})


def test_with_its_length_it_is_taken_by_http_1_0(open_url: str, people: list[User]) -> None:
    record = {"transaction_id": "T1", "user": people[0].pk, "amount": 1}
    assert say(address_of(open_url), post(ADD, record).replace(b"HTTP/1.1", b"HTTP/1.0"))[0] == 200
