"""The proxy of the compose file, a real nginx, before Daphne and before a service that takes notes."""

import gzip
import json
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from django.contrib.auth.models import User
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from dev.ports import free_port
from tests.support.containers import SERVICES
from tests.support.proxying import LIMIT, NEEDS_NGINX, Proxy, Upstream, proxy, upstream
from tests.support.serving import daphne
from tests.support.watching import PATH, heard
from transactions.access.rights import Right
from transactions.access.tokens import create
from transactions.uploads.limits import UPLOAD_PATH

pytestmark = NEEDS_NGINX


@pytest.fixture(scope="module")
def served(django_db_setup: None) -> Iterator[str]:
    """Daphne with the settings of the compose file."""
    with daphne(
        SECURE_SSL_REDIRECT="true",
        TRUSTED_PROXIES="1",
        SECURE_PROXY_SSL_HEADER="X-Forwarded-Proto,https",
        ALLOW_ANONYMOUS_API="false",
    ) as url:
        yield url


@pytest.fixture
def service(transactional_db: None, served: str, tmp_path: Path) -> Iterator[Proxy]:
    """The whole: that behind the proxy."""
    with proxy(tmp_path, served) as running:
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


def test_a_file_that_somebody_uploads_may_be_larger_at_its_path_alone(front: Proxy, web: Upstream) -> None:
    with front.client() as client:
        assert client.post(UPLOAD_PATH, content=b"x" * (LIMIT + 1)).text == "here"
        answer = client.post(f"{UPLOAD_PATH}more/", content=b"x" * (LIMIT + 1))
        assert (answer.status_code, answer.json()) == (
            413,
            {"detail": f"The body is over the limit of {LIMIT} bytes."},
        )
    head = f"POST {UPLOAD_PATH} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 52428801\r\n\r\n"
    with front.socket() as connection:
        connection.sendall(head.encode())
        answered = connection.makefile("rb").read()
    assert answered.startswith(b"HTTP/1.1 413 ")
    assert answered.endswith(b'{"detail": "The body is over the limit of 52428800 bytes."}')


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


def test_what_the_service_answers_is_left_as_it_is(service: Proxy) -> None:
    with service.client() as client:
        answer = client.get("/api/nothing", headers=bearer(Right.READ))
        assert (answer.status_code, answer.json()) == (404, {"detail": "Not found."})
        answer = client.post("/api/add-transaction/", content=b"{}", headers={"Content-Type": "text/plain"})
        assert (answer.status_code, "X-Request-Id" in answer.headers) == (401, True)
        for content_type in ("text/plain; charset*=nix''a", "a/b; " + ";" * 2_000):
            answer = client.get("/readyz", headers={"Content-Type": content_type})
            assert "Content-Type" in answer.json()["detail"]
