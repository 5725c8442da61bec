"""Requests sent ahead, and clients that do not read: what they cost, and that nothing gets lost."""

import contextlib
import re
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from tests.support.bystanders import LONG_S, longest_wait_s
from tests.support.serving import collect_static_files, daphne, resident_mb

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

# Not larger than a portion of a streamed answer, which waits for its reader by itself.
FILE = "/static/unfold/js/htmx/htmx.js"
GET = f"GET {FILE} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
AHEAD = 200
CONNECTIONS = 12
# An answer each, what the kernel lets wait, and room: two hundred answers are ten megabytes each.
GROWN_MB_MAX = 60


@pytest.fixture(scope="module")
def url(django_db_setup: None) -> Iterator[str]:
    collect_static_files()
    with daphne() as url:
        yield url


def connected(url: str) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((str(parts.hostname), parts.port or 80), 30)


def test_answers_to_requests_sent_ahead_wait_for_their_reader(url: str) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(connected(url)) for _ in range(CONNECTIONS)]
        before_mb = resident_mb()

        def send_ahead() -> None:
            for client in clients:
                client.setblocking(False)
                with contextlib.suppress(BlockingIOError):
                    client.send(GET * AHEAD)
            # As long as others are served, so are these.
            until = time.monotonic() + 6
            while time.monotonic() < until:
                with connected(url) as other:
                    other.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                    assert other.recv(12) == b"HTTP/1.1 200"

        assert longest_wait_s(url, send_ahead) < LONG_S
        assert resident_mb() - before_mb < GROWN_MB_MAX


def test_who_reads_is_answered_all_of_them_in_their_order(url: str) -> None:
    number, paths = 120, (FILE, "/livez", "/api/nothing")
    with connected(url) as client, client.makefile("rb") as answers:
        for turn in range(number):
            path = paths[turn % len(paths)]
            client.sendall(
                f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: t{turn}\r\n\r\n".encode()
            )
        time.sleep(1)  # The first of them fill what the kernel takes.
        for turn in range(number):
            told = b"".join(iter(answers.readline, b"\r\n"))
            assert b"X-Request-Id: t%d\r\n" % turn in told
            if length := re.search(rb"Content-Length: (\d+)", told):
                body = answers.read(int(length[1]))
                assert len(body) == int(length[1])
            else:
                while (size := int(answers.readline(), 16)) > 0:
                    answers.read(size + 2)
                answers.readline()


def test_of_who_does_not_read_nothing_more_is_read(url: str) -> None:
    with connected(url) as client:
        client.settimeout(3)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 64 * 1024 * 1024:
                sent += client.send(GET * 1000)
    assert sent < 32 * 1024 * 1024
