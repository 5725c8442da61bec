"""Connections: how long an idle one stays, how long a head may take, and what its client may not state."""

import resource
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from daphne.http_protocol import HTTPFactory
from django.conf import settings

from tests.support.bystanders import LONG_S, longest_wait_s
from tests.support.serving import daphne, the_server
from tests.support.watching import failures
from transaction_monitoring.serving import connections

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

KEEP_ALIVE_S = 8
# A head may take ten seconds; what a busy machine takes besides.
HEAD_S_MAX = 20.0
GET = b"GET /livez HTTP/1.1\r\nHost: localhost\r\n"


@pytest.fixture(scope="module")
def hasty_url(django_db_setup: None) -> Iterator[str]:
    """A server that keeps idle connections for KEEP_ALIVE_S."""
    with daphne(KEEP_ALIVE_SECONDS=str(KEEP_ALIVE_S)) as url:
        yield url


def connected(url: str) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((str(parts.hostname), parts.port or 80), 30)


def answer(client: socket.socket) -> bytes:
    """The next answer, or "" where the server has closed."""
    received = client.recv(65_536)
    while received and b"\r\n\r\n" not in received:
        received += client.recv(65_536)
    return received


def test_an_idle_connection_is_kept_and_then_closed(hasty_url: str) -> None:
    with connected(hasty_url) as client:
        for pause_s in (0.0, 2.0):
            time.sleep(pause_s)
            began = time.monotonic()
            client.sendall(GET + b"\r\n")
            assert answer(client).startswith(b"HTTP/1.1 200 ")
        assert answer(client) == b""
        assert KEEP_ALIVE_S - 1 < time.monotonic() - began < KEEP_ALIVE_S + 10


def test_it_is_kept_longer_than_any_balancer_does_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HTTPFactory, "__init__", connections.init)
    assert settings.KEEP_ALIVE_SECONDS > 600
    assert HTTPFactory(None).timeOut == settings.KEEP_ALIVE_SECONDS


# What comes at once of a head whose rest comes a byte a time, and that rest.
HEADS = {
    "a request line": (b"G", b"ET /aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    "a header": (GET, b"X-Slow: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"),
    "headers": (GET, b"a:b\r\nc:d\r\n" * 6),
    "the head of a second request": (GET + b"\r\n", GET),
    "an empty line, and no more": (b"\r\n", b"G"),
}


def test_a_body_and_an_answer_take_longer_than_a_head_may(open_url: str) -> None:
    """The clock of the head is not that of the request."""
    with connected(open_url) as client:
        client.sendall(b"POST /api/nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 6\r\n")
        time.sleep(4)
        client.sendall(b"\r\n")
        for _ in range(6):
            time.sleep(1.2)
            client.sendall(b"a")
        assert answer(client).startswith(b"HTTP/1.1 404 ")


def crawl(client: socket.socket, rest: bytes) -> None:
    """Sends `rest` byte by byte until the server has had enough of it."""
    client.settimeout(0.5)
    for number in range(len(rest)):
        try:
            client.sendall(rest[number : number + 1])
            client.recv(1, socket.MSG_PEEK)
            return
        except TimeoutError:
            continue
    client.settimeout(HEAD_S_MAX)


def test_heads_that_come_byte_by_byte_are_answered_408_and_keep_nobody_waiting(open_url: str) -> None:
    answers: list[tuple[str, bytes, float]] = []

    def ask_slowly(name: str) -> None:
        at_once, rest = HEADS[name]
        began = time.monotonic()
        with connected(open_url) as client:
            client.sendall(at_once)
            if at_once.endswith(b"\r\n\r\n"):
                assert answer(client).startswith(b"HTTP/1.1 200 ")
            crawl(client, rest)
            answers.append((name, answer(client), time.monotonic() - began))

    def all_ask() -> None:
        asking = [threading.Thread(target=ask_slowly, args=[name]) for name in HEADS for _ in range(40)]
        for each in asking:
            each.start()
        for each in asking:
            each.join()

    assert longest_wait_s(open_url, all_ask) < LONG_S
    assert len(answers) == 40 * len(HEADS)
    for name, answered, took_s in answers:
        assert answered.startswith(b"HTTP/1.1 408 "), name
        assert answered.endswith(b'{"detail":"The head came too slowly."}'), name
        assert 9 < took_s < HEAD_S_MAX, name


def test_who_connects_and_says_nothing_is_closed_without_a_word(open_url: str) -> None:
    with connected(open_url) as client:
        began = time.monotonic()
        assert answer(client) == b""
        assert 9 < time.monotonic() - began < HEAD_S_MAX


# Descriptors of a server; a few dozen are no connections, and 128 are kept free.
LIMIT = 400


def ask(client: socket.socket) -> bytes:
    client.sendall(GET + b"\r\n")
    return answer(client)


def is_closed(client: socket.socket) -> bool:
    client.settimeout(30)
    try:
        return client.recv(1) == b""
    except ConnectionResetError:
        return True
    except TimeoutError:
        return False


def test_where_descriptors_run_short_the_oldest_that_owe_a_request_give_way(
    transactional_db: None, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with daphne(log=log) as url, ExitStack() as stack:
        resource.prlimit(the_server(), resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
        kept = [stack.enter_context(connected(url)) for _ in range(5)]
        assert {ask(each)[:12] for each in kept} == {b"HTTP/1.1 200"}
        uploading = stack.enter_context(connected(url))
        uploading.sendall(
            b"POST /api/nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 9\r\n\r\n"
        )

        def crowd() -> None:
            silent = [stack.enter_context(connected(url)) for _ in range(2 * LIMIT)]
            assert is_closed(silent[0])
            assert ask(silent[-1]).startswith(b"HTTP/1.1 200 ")

        assert longest_wait_s(url, crowd) < LONG_S
        # Of those that have asked before none had to go, nor one that is sending.
        assert {ask(each)[:12] for each in kept} == {b"HTTP/1.1 200"}
        uploading.sendall(b"a" * 9)
        assert answer(uploading).startswith(b"HTTP/1.1 404 ")
    said = log.read_text()
    assert said.count("nearly all descriptors") == 1
    assert failures(said) == []


def test_where_all_have_asked_the_one_that_idles_longest_gives_way(
    transactional_db: None, tmp_path: Path
) -> None:
    with daphne(log=tmp_path / "log") as url, ExitStack() as stack:
        resource.prlimit(the_server(), resource.RLIMIT_NOFILE, (LIMIT, LIMIT))
        clients = []
        for _ in range(LIMIT):
            clients.append(stack.enter_context(connected(url)))
            assert ask(clients[-1]).startswith(b"HTTP/1.1 200 ")
        assert is_closed(clients[0])
        assert ask(clients[-1]).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("header", ["Daphne-Root-Path", "DAPHNE-ROOT-PATH", "daphne-root-path"])
@pytest.mark.parametrize("value", ["/livez", "/elsewhere", "", "%2e%2e", "http://evil.example", "\xff"])
def test_a_root_path_of_a_client_changes_nothing(open_url: str, header: str, value: str) -> None:
    with connected(open_url) as client:
        client.sendall(GET + f"{header}: {value}\r\n\r\n".encode("latin-1"))
        assert answer(client).startswith(b"HTTP/1.1 200 ")
        client.sendall(b"GET /api/nothing HTTP/1.1\r\nHost: localhost\r\n%s: /api\r\n\r\n" % header.encode())
        assert answer(client).startswith(b"HTTP/1.1 404 ")
    page = httpx.get(f"{open_url}/", headers={header: "/elsewhere"}, trust_env=False)
    assert (page.status_code, page.headers["Location"]) == (302, "/admin/")
