"""The proxy of the compose file, a real nginx, before Daphne and before a service that takes notes."""

import gzip
import json
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from tests.support.containers import SERVICES
from tests.support.proxying import Proxy, Upstream, free_port, proxy, upstream
from tests.support.serving import daphne
from tests.support.watching import PATH, heard
from transactions.access.rights import Right
from transactions.access.tokens import create

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(map(shutil.which, ("nginx", "openssl", "envsubst", "curl"))),
        reason="nginx, openssl, envsubst or curl is not installed: apt-get install nginx-light gettext-base",
    ),
]
LIMIT = 100_000


@pytest.fixture
def web() -> Iterator[Upstream]:
    with upstream() as notes:
        yield notes


@pytest.fixture
def front(web: Upstream, tmp_path: Path) -> Iterator[Proxy]:
    with proxy(tmp_path, web.url, body_bytes=LIMIT, client_header_timeout="1s") as running:
        yield running


@pytest.fixture
def service(transactional_db: None, tmp_path: Path) -> Iterator[Proxy]:
    """The whole: Daphne with the settings of the compose file behind the proxy."""
    with (
        daphne(
            SECURE_SSL_REDIRECT="true",
            TRUSTED_PROXIES="1",
            SECURE_PROXY_SSL_HEADER="X-Forwarded-Proto,https",
            ALLOW_ANONYMOUS_API="false",
        ) as url,
        proxy(tmp_path, url) as running,
    ):
        yield running


def bearer(right: Right) -> dict[str, str]:
    token, _ = create(str(right), rights=frozenset({right}))
    return {"Authorization": f"Bearer {token}"}


# --- Before the service ------------------------------------------------------------------------


def test_a_post_by_tls_is_taken_and_shown_over_the_websocket(service: Proxy, people: list[User]) -> None:
    document = {"transaction_id": "T1", "user": people[0].pk, "amount": 5}
    watching = connect(
        service.secure.replace("https", "wss") + PATH,
        ssl=service.tls,
        additional_headers=bearer(Right.READ),
        proxy=None,
    )
    with watching as websocket, service.client() as client:
        answer = client.post("/api/add-transaction/", json=document, headers=bearer(Right.POST))

        assert (answer.status_code, answer.json()["message"][:11]) == (200, "Transaction")
        assert answer.headers["Strict-Transport-Security"]
        assert heard(websocket)["transaction_id"] == "T1"


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("path", ["/api/add-transaction/", "/api/add-transactions/"])
def test_a_body_in_chunks_goes_through_and_is_taken(
    service: Proxy, people: list[User], path: str, packed: bool
) -> None:
    document: Any = {"transaction_id": f"C{packed}{path}", "user": people[0].pk, "amount": 5}
    body = json.dumps([document] if path.endswith("s/") else document).encode()
    headers = {**bearer(Right.POST), "Content-Type": "application/json"}
    if packed:
        body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
    pieces = (body[at : at + 9] for at in range(0, len(body), 9))
    with service.client() as client:
        answer = client.post(path, content=pieces, headers=headers)

    assert answer.request.headers["Transfer-Encoding"] == "chunked"
    assert (answer.status_code, answer.json().get("accepted", 1)) == (200, 1)


def test_a_page_of_the_proxy_s_own_origin_may_watch_and_no_other(service: Proxy, people: list[User]) -> None:
    credentials = bearer(Right.READ)

    def knock(origin: str) -> int:
        headers = {**credentials, "Origin": origin}
        address = service.secure.replace("https", "wss") + PATH
        try:
            with connect(address, ssl=service.tls, additional_headers=headers, proxy=None, open_timeout=60):
                return 101
        except InvalidStatus as error:
            return error.response.status_code

    assert knock(service.secure) == 101
    assert knock("https://elsewhere.example") == 403
    assert knock(service.secure.replace("https", "http")) == 403


def test_a_body_that_never_ends_is_answered_by_the_service_s_own_clock(service: Proxy) -> None:
    with service.socket() as connection:
        host = urlsplit(service.secure).netloc
        connection.sendall(
            f"POST /api/add-transaction/ HTTP/1.1\r\nHost: {host}\r\nContent-Length: 999\r\n\r\n".encode()
        )
        connection.settimeout(0.5)
        began, answer = time.monotonic(), b""
        while not answer and time.monotonic() - began < 60:
            connection.sendall(b"{")
            try:
                answer = connection.recv(1000)
            except TimeoutError:
                continue
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - began < 30


# --- What goes through -------------------------------------------------------------------------


def test_the_service_is_told_who_calls_whatever_the_caller_says(front: Proxy, web: Upstream) -> None:
    lies = {
        "X-Forwarded-For": "203.0.113.7",
        "X-Forwarded-Proto": "http",
        "Forwarded": "for=203.0.113.7",
        "Upgrade": "h2c",
        "Connection": "Upgrade",
    }
    with front.client() as client:
        assert client.get("/api/pipeline/?x=1", headers=lies).text == "here"

    ((path, headers),) = web.asked
    assert path == "/api/pipeline/?x=1"
    assert headers["X-Forwarded-For"] == "203.0.113.7, 127.0.0.1"
    assert headers["X-Forwarded-Proto"] == "https"
    assert headers["Host"] == urlsplit(front.secure).netloc
    assert not headers.keys() & {"Forwarded", "Upgrade"}


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "/%6Detrics", "//metrics", "/x/../metrics?a=b"])
def test_metrics_are_not_for_the_world(front: Proxy, web: Upstream, path: str) -> None:
    with front.socket() as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert answer.endswith(b'{"detail": "Not found."}')
    assert web.asked == []


@pytest.mark.parametrize("announced", [True, False])
def test_a_body_over_the_limit_of_the_settings_is_answered_413(
    front: Proxy, web: Upstream, announced: bool
) -> None:
    def body(size: int) -> bytes | Iterator[bytes]:
        return b"x" * size if announced else iter([b"x" * size])

    with front.client() as client:
        answer = client.post("/api/add-transactions/", content=body(LIMIT + 1))
        assert (answer.status_code, list(answer.json())) == (413, ["detail"])
        assert str(LIMIT) in answer.json()["detail"]
        if announced:
            assert web.asked == []
            assert client.post("/api/add-transactions/", content=body(LIMIT)).text == "here"


def test_headers_that_never_end_end_the_connection(front: Proxy, web: Upstream) -> None:
    with front.socket() as connection:
        connection.sendall(b"GET / HTTP/1.1\r\n")
        began, ended = time.monotonic(), False
        while not ended and time.monotonic() - began < 30:
            try:
                connection.sendall(b"X-A: b\r\n")
                connection.settimeout(0.2)
                ended = b"here" not in connection.recv(1000)
            except TimeoutError:
                continue
            except OSError:
                ended = True
        assert ended
        assert time.monotonic() - began < 10
    assert web.asked == []


def test_without_tls_there_is_nothing_but_the_way_to_it(front: Proxy, web: Upstream, tmp_path: Path) -> None:
    answer = httpx.post(f"{front.plain}/api/add-transaction/?a=b", json={}, trust_env=False)

    assert (answer.status_code, answer.headers["Location"]) == (
        308,
        "https://localhost/api/add-transaction/?a=b",
    )
    challenge = tmp_path / "certificates" / "acme" / ".well-known" / "acme-challenge" / "token"
    challenge.parent.mkdir(parents=True)
    challenge.write_text("answer")
    got = [
        httpx.get(f"{front.plain}/.well-known/acme-challenge/{name}", trust_env=False)
        for name in ("token", "../../../privkey.pem")
    ]
    assert [answer.text for answer in got[:1]] == ["answer"]
    assert "PRIVATE KEY" not in got[1].text
    assert web.asked == []


def test_a_service_that_is_away_is_a_503_that_may_be_sent_again(tmp_path: Path) -> None:
    with proxy(tmp_path, f"http://127.0.0.1:{free_port()}") as running, running.client() as client:
        answer = client.post("/api/add-transaction/", json={})

        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert "again" in answer.json()["detail"]


def test_a_process_that_takes_no_connections_is_passed_over(web: Upstream, tmp_path: Path) -> None:
    away = f"http://127.0.0.1:{free_port()}"
    with proxy(tmp_path, away, web.url) as running, running.client() as client:
        assert {client.post("/api/add-transaction/", json={}).text for _ in range(4)} == {"here"}


def test_a_post_whose_answer_is_lost_is_not_sent_again(web: Upstream, tmp_path: Path) -> None:
    web.breaks = True
    with upstream() as second, proxy(tmp_path, web.url, second.url) as running, running.client() as client:
        second.breaks = True
        # Without a body, which could not be sent again anyway.
        assert client.post("/api/add-transaction/").status_code == 503
        assert len(web.asked) + len(second.asked) == 1


def test_its_health_check_fails_once_it_is_gone(front: Proxy) -> None:
    assert subprocess.run(front.health_check).returncode == 0
    front.process.terminate()
    front.process.wait(30)
    assert subprocess.run(front.health_check).returncode != 0


def test_a_request_under_way_ends_before_it_stops(front: Proxy, web: Upstream) -> None:
    web.takes_s = 2.0
    answers: list[str] = []

    def ask() -> None:
        with front.client() as client:
            answers.append(client.get("/").text)

    asking = threading.Thread(target=ask)
    asking.start()
    while not web.asked:
        time.sleep(0.05)
    front.process.send_signal(signal.Signals[SERVICES["proxy"]["stop_signal"]])
    asking.join()
    assert answers == ["here"]
    assert front.process.wait(30) == 0


def test_its_log_holds_no_query(front: Proxy) -> None:
    with front.client() as client:
        client.get("/api/transactions/?transaction_id=secret")
    front.process.terminate()
    front.process.wait(30)
    said = front.log.read_text()
    assert '"GET /api/transactions/" 200' in said
    assert "secret" not in said


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


def test_what_the_service_answers_is_left_as_it_is(service: Proxy) -> None:
    with service.client() as client:
        answer = client.get("/api/nothing", headers=bearer(Right.READ))
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."})
        answer = client.post("/api/add-transaction/", content=b"{}", headers={"Content-Type": "text/plain"})
        assert (answer.status_code, "X-Request-Id" in answer.headers) == (401, True)
        for content_type in ("text/plain; charset*=nix''a", "a/b; " + ";" * 2_000):
            answer = client.get("/readyz", headers={"Content-Type": content_type})
            assert "Content-Type" in answer.json()["detail"]


# --- Other hosts, limits, long downloads -----------------------------------------------------------


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
