"""What the compose file's proxy refuses by itself, and what it bears: its errors, other hosts, limits."""

import json
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings

from tests.support.proxying import NEEDS_NGINX, Proxy, Upstream, proxy

pytestmark = NEEDS_NGINX


def status_of(answer: bytes) -> int:
    return int(answer.split()[1])


def by_hand(front: Proxy, *lines: str, secure: bool = True) -> bytes:
    """The whole answer to a request of these lines."""
    parts = urlsplit(front.secure if secure else front.plain)
    with (
        front.socket() if secure else socket.create_connection(("127.0.0.1", parts.port or 80), 60)
    ) as connection:
        connection.sendall("\r\n".join((*lines, "Connection: close", "", "")).encode())
        return connection.makefile("rb").read()


# --- Errors of its own ---------------------------------------------------------------------------

REFUSED = {
    "a header of 20 kB": (431, b"GET / HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"a" * 20_000),
    "a target of 20 kB": (414, b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost"),
    "TRACE": (405, b"TRACE / HTTP/1.1\r\nHost: localhost"),
    "an encoding": (501, b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked"),
    "a length that is none": (400, b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x"),
    "a NUL": (400, b"GET /%00 HTTP/1.1\r\nHost: localhost"),
    "no host": (400, b"GET / HTTP/1.1"),
    "another host": (421, b"GET / HTTP/1.1\r\nHost: evil.example"),
    "two hosts": (400, b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost"),
    "no HTTP": (400, b"nonsense"),
    "another version": (505, b"GET / HTTP/3.0\r\nHost: localhost"),
    "no length by HTTP/1.0": (411, b"POST /api/add-transaction/ HTTP/1.0\r\nHost: localhost"),
    "what is its own": (404, b"GET /refused/ HTTP/1.1\r\nHost: localhost"),
    "a body over the limit": (413, b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100001"),
}


def answered(connection: socket.socket, sent: bytes) -> tuple[int, dict[str, str], bytes]:
    connection.sendall(sent)
    head, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    return int(first.split()[1]), dict(line.split(": ", 1) for line in lines), body


@pytest.mark.parametrize("name", REFUSED)
def test_its_own_errors_are_json_and_say_what_is_wrong(front: Proxy, web: Upstream, name: str) -> None:
    status, sent = REFUSED[name]
    with front.socket() as connection:
        got, headers, body = answered(connection, sent + b"\r\nConnection: close\r\n\r\n")
    assert (got, headers["Content-Type"], list(json.loads(body))) == (status, "application/json", ["detail"])
    assert (headers["Cache-Control"], "Retry-After" in headers) == ("no-store", False)
    assert web.asked == []


def test_http_on_the_port_of_tls_is_told_so(front: Proxy, web: Upstream) -> None:
    parts = urlsplit(front.secure)
    with socket.create_connection(("127.0.0.1", parts.port or 443), 30) as connection:
        status, _, body = answered(connection, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert (status, "https" in json.loads(body)["detail"]) == (400, True)


def test_a_head_that_the_service_takes_goes_through(front: Proxy, web: Upstream) -> None:
    path, cookie = "/" + "a" * 9_000, "a" * 6_000
    with front.client() as client:
        assert client.get(path, headers={"Cookie": cookie}).text == "here"
        # By HTTP/1.0 too, where there is nothing to be long.
    assert status_of(by_hand(front, "GET / HTTP/1.0", "Host: localhost")) == 200
    sent = by_hand(front, "POST / HTTP/1.0", "Host: localhost", "Content-Length: 0")
    assert status_of(sent) == 200


# --- Other hosts, limits, long downloads -----------------------------------------------------------


@pytest.mark.parametrize("secure", [True, False])
@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "127.0.0.1", "[::1]", "xmonitor.example.org"]
)
def test_a_host_that_is_not_served_gets_no_redirect_and_no_page(
    web: Upstream, tmp_path: Path, host: str, secure: bool
) -> None:
    with proxy(tmp_path, web.url, hosts="monitor.example.org,.example.net") as front:
        for path in ("/", "/admin/login/", "//evil.example/", "/metrics", "/api/pipeline/"):
            answer = by_hand(front, f"GET {path} HTTP/1.1", f"Host: {host}", secure=secure)
            assert status_of(answer) == 421, path
            assert b"Location" not in answer
        assert status_of(by_hand(front, "GET / HTTP/1.0", secure=secure)) == 421
        assert status_of(by_hand(front, "GET / HTTP/1.1", secure=secure)) == 400
        for path in ("/livez", "/readyz/"):  # as a balancer asks
            answer = by_hand(front, f"GET {path} HTTP/1.1", f"Host: {host}", secure=secure)
            assert status_of(answer) == 200
    assert {path for path, _ in web.asked} == {"/livez", "/readyz/"}


@pytest.mark.parametrize("host", ["localhost", "monitor.example.org:8443", "example.net", "a.b.example.net"])
def test_every_allowed_host_is_served(web: Upstream, tmp_path: Path, host: str) -> None:
    with proxy(tmp_path, web.url, hosts="monitor.example.org,.example.net") as front:
        assert status_of(by_hand(front, "GET / HTTP/1.1", f"Host: {host}")) == 200
        sent = by_hand(front, "GET /x?a=b HTTP/1.1", f"Host: {host}", secure=False)
        assert b"Location: https://%s/x?a=b\r\n" % host.partition(":")[0].encode() in sent


def test_where_all_hosts_are_allowed_all_are_served(web: Upstream, tmp_path: Path) -> None:
    with proxy(tmp_path, web.url, hosts="*") as front:
        for host in ("localhost", "evil.example", "127.0.0.1"):
            assert status_of(by_hand(front, "GET / HTTP/1.1", f"Host: {host}")) == 200


def test_a_root_path_that_a_client_makes_up_goes_no_further(front: Proxy, web: Upstream) -> None:
    with front.client() as client:
        client.get("/", headers={"Daphne-Root-Path": "/elsewhere"})
    ((_, headers),) = web.asked
    assert "daphne-root-path" not in {name.lower() for name in headers}


def test_whoever_asks_too_much_is_told_to_come_again_and_whoever_posts_is_not(
    front: Proxy, web: Upstream
) -> None:
    with front.client() as client:
        asked = [client.get("/api/transactions/") for _ in range(800)]
        posted = [client.post("/api/add-transaction/", json={}) for _ in range(800)]
    refused = [answer for answer in asked if answer.status_code != 200]
    assert 200 <= len(asked) - len(refused) < 800
    assert {answer.status_code for answer in refused} == {429}
    assert refused[0].headers["Retry-After"] == "1"
    assert list(refused[0].json()) == ["detail"]
    assert {answer.status_code for answer in posted} == {200}


def test_guesses_at_the_log_in_are_few_a_second(front: Proxy, web: Upstream) -> None:
    with front.client() as client:
        began = time.monotonic()
        statuses = [client.post("/admin/login/", data={"username": "ann"}).status_code for _ in range(60)]
        took_s = time.monotonic() - began
        assert client.get("/admin/login/").status_code == 200
    assert set(statuses) == {200, 429}
    assert statuses[:10] == [200] * 10
    assert statuses.count(200) <= 12 + took_s


def test_one_address_holds_only_so_many_requests(front: Proxy, web: Upstream) -> None:
    web.takes_s = 8.0
    with ExitStack() as stack:
        waiting = []
        for _ in range(230):
            waiting.append(stack.enter_context(front.socket()))
            waiting[-1].sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        statuses = [status_of(each.makefile("rb").read()) for each in waiting]
    assert (statuses.count(200), statuses.count(429)) == (200, 30)


def test_a_long_download_is_read_to_its_end_however_slowly(web: Upstream, tmp_path: Path) -> None:
    web.sends = 96 * 1024 * 1024
    with (
        proxy(tmp_path, web.url, file_bytes=20 * 1024 * 1024) as front,
        front.client() as client,
        client.stream("GET", "/admin/transactions/transaction/export/") as answer,
    ):
        received = 0
        for piece in answer.iter_raw(1024 * 1024):
            if received == 0:
                time.sleep(3)  # The service is ahead, as far as it is let.
            received += len(piece)
    assert received == web.sends


def test_an_idle_connection_is_kept_as_long_as_the_service_keeps_one(front: Proxy) -> None:
    configuration = (front.log.parent / "nginx.conf").read_text()
    assert f"    keepalive_timeout {settings.KEEP_ALIVE_SECONDS}s;" in configuration
