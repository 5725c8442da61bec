"""Floods on one websocket: the others do not wait for it, and it ends with a code."""

import contextlib
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from websockets.exceptions import ConnectionClosed

from tests.support.bystanders import holds_up_nobody
from tests.support.serving import daphne
from tests.support.watching import PATH, close_code, heard, post, watch
from transaction_monitoring.serving.websocket_frames import EARLY_BYTES_MAX, FRAMES_PER_SECOND_MAX
from transactions.live.close_codes import TOO_MANY_MESSAGES

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.usefixtures("nothing_failed_aloud"),
]

MASK = b"\0\0\0\0"
PING, PONG, TEXT, BEGUN, MORE = b"\x89", b"\x8a", b"\x81", b"\x01", b"\x00"
# Frames of six bytes, as many as fit into what is read in one go.
FLOODS = {
    "pings": PING + b"\x80" + MASK,
    "pongs": PONG + b"\x80" + MASK,
    "empty messages": TEXT + b"\x80" + MASK,
    "short messages": TEXT + b"\x81" + MASK + b"x",
    "empty fragments": MORE + b"\x80" + MASK,
}


@contextlib.contextmanager
def opened(url: str, path: str = PATH) -> Iterator[socket.socket]:
    """A websocket by hand, its handshake answered."""
    with handshaking(url, path) as client:
        received = b""
        while b"\r\n\r\n" not in received:
            received += client.recv(65_536)
        assert received.startswith(b"HTTP/1.1 101 ")
        yield client


@contextlib.contextmanager
def handshaking(url: str, path: str = PATH, cookie: str = "") -> Iterator[socket.socket]:
    """One that has sent its handshake."""
    parts = urlsplit(url)
    head = (
        f"GET {path} HTTP/1.1\r\nHost: {parts.netloc}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        f"Cookie: {cookie}\r\n\r\n"
    )
    with socket.create_connection((str(parts.hostname), parts.port or 80), 30) as client:
        client.sendall(head.encode())
        yield client


def end_of(client: socket.socket) -> bytes:
    """What still comes, to the end, which a reset is too."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while more := client.recv(65_536):
            received += more
    return received


@pytest.mark.parametrize("kind", FLOODS)
@pytest.mark.parametrize("path", [PATH, f"{PATH}?frames=1"])
def test_a_flood_keeps_nobody_waiting_and_is_cut_off_with_a_code(open_url: str, kind: str, path: str) -> None:
    received = b""

    def flood() -> None:
        nonlocal received
        with opened(open_url, path) as client:
            client.settimeout(0.01)
            if kind == "empty fragments":
                client.sendall(BEGUN + b"\x80" + MASK)
            with contextlib.suppress(OSError):
                for _ in range(500):  # 30 MB
                    with contextlib.suppress(TimeoutError):
                        client.sendall(FLOODS[kind] * 10_000)
                    with contextlib.suppress(TimeoutError):
                        received += client.recv(65_536)

    assert holds_up_nobody(open_url, flood, 2.5)
    assert b"\x88\x02" + struct.pack("!H", TOO_MANY_MESSAGES) in received


def test_as_many_as_a_client_may_send_are_answered(open_url: str) -> None:
    with opened(open_url) as client:
        for _ in range(2):
            client.sendall(FLOODS["pings"] * (FRAMES_PER_SECOND_MAX // 2))
            received = b""
            while received.count(b"\x8a\x00") < FRAMES_PER_SECOND_MAX // 2:
                piece = client.recv(65_536)
                assert piece, "the connection was ended"
                received += piece
            time.sleep(1.1)


def test_the_code_is_told_to_a_client_that_listens(open_url: str) -> None:
    with watch(open_url) as websocket:
        with contextlib.suppress(ConnectionClosed):
            for _ in range(3 * FRAMES_PER_SECOND_MAX):
                websocket.ping()
        assert close_code(websocket) == TOO_MANY_MESSAGES


@pytest.mark.parametrize("path", [PATH, f"{PATH}?frames=1"])
def test_who_is_cut_off_takes_nobody_along(open_url: str, people: list[User], path: str) -> None:
    """While records are posted, so that the hub sends to the one that is being cut off."""
    with contextlib.ExitStack() as stack:
        others = [stack.enter_context(watch(open_url)) for _ in range(5)]
        ids = [f"F{number}" for number in range(40)]
        for number, id in enumerate(ids):
            if number % 10 == 0:
                flooding = stack.enter_context(opened(open_url, path))
                flooding.sendall(FLOODS["pings"] * 10_000)
            post(open_url, people[0], id)
            time.sleep(0.05)
        for other in others:
            assert [heard(other)["transaction_id"] for _ in ids] == ids


@pytest.fixture
def undecided_url(transactional_db: None, log: Path) -> Iterator[str]:
    """A server that cannot tell for seconds whether a session may watch: its PostgreSQL says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with daphne(log=log, DATABASE_URL=f"postgres://nobody@127.0.0.1:{port}/none") as url:
            yield url


@pytest.mark.parametrize("early", [b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", FLOODS["pings"]])
def test_what_comes_before_the_handshake_is_answered_is_no_other_handshake(
    undecided_url: str, early: bytes
) -> None:
    with handshaking(undecided_url, cookie="sessionid=somebody") as client:
        time.sleep(0.5)
        client.sendall(early)
        # It is refused as it would be without.
        assert end_of(client).startswith((b"HTTP/1.1 403 ", b""))


def test_much_before_the_handshake_is_answered_ends_it(undecided_url: str) -> None:
    began = time.monotonic()
    with handshaking(undecided_url, cookie="sessionid=somebody") as client:
        time.sleep(0.5)
        with contextlib.suppress(OSError):
            for _ in range(100):
                client.sendall(bytes(EARLY_BYTES_MAX))
        assert end_of(client) == b""
    assert time.monotonic() - began < 20
