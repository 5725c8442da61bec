"""The probes as they are asked: by address, without a host, a hundred at a time, and by another's page."""

import json
import os
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg2
import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.support.accepting import record, take
from tests.support.bystanders import LONG_S, longest_wait_s
from tests.support.outages import locked
from tests.support.serving import daphne, database_url
from tests.support.watching import refused, session_of
from transaction_monitoring.serving.probes import LOOK_HOLDS_S
from transactions.access.rights import Right
from transactions.access.tokens import create
from transactions.queue.keys import QUEUE
from transactions.stores.redis_connection import connection
from transactions.storing.flush import flush

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.usefixtures("nothing_failed_aloud"),
]


@pytest.fixture
def flushed_lately(people: list[User]) -> None:
    """Ready, however long ago the server was started."""
    take(record("T1", people[0]))
    flush()
    time.sleep(LOOK_HOLDS_S + 0.1)  # What was seen before no longer holds.


PROBES = ["/livez", "/livez/", "/readyz", "/readyz/"]
HOSTS = ["10.0.0.7", "10.0.0.7:8000", "[fd00::7]:8000", "evil.example", "a_b", "", ":::", "\xff", "x" * 300]


@pytest.fixture(scope="module")
def closed_url(django_db_setup: None, log: Path) -> Iterator[str]:
    """In production: everybody needs credentials, and everything TLS."""
    with daphne(log=log, ALLOW_ANONYMOUS_API="false", SECURE_SSL_REDIRECT="true") as url:
        yield url


@pytest.fixture(scope="module")
def debug_url(django_db_setup: None, log: Path) -> Iterator[str]:
    """A private run, as `make run` has it."""
    with daphne(log=log, DEBUG="true") as url:
        yield url


def asked(
    url: str, path: str, *headers: str, version: str = "1.1", method: str = "GET"
) -> tuple[int, str, str]:
    """Status, head and body of an answer to a request with just these headers."""
    parts = urlsplit(url)
    lines = [f"{method} {path} HTTP/{version}", *headers, "Connection: close", "", ""]
    with socket.create_connection((str(parts.hostname), parts.port or 80), 30) as client:
        client.sendall("\r\n".join(lines).encode("latin-1"))
        received = b""
        while more := client.recv(65_536):
            received += more
    head, _, body = received.decode("latin-1").partition("\r\n\r\n")
    return int(head.split()[1]), head, body


@pytest.mark.parametrize("path", PROBES)
def test_a_probe_is_answered_for_any_host_or_none(closed_url: str, path: str) -> None:
    for host in HOSTS:
        status, _, body = asked(closed_url, path, f"Host: {host}")
        assert (status, set(httpx.Response(200, text=body).json())) == (200, {"status"}), host
    for version in ("1.0", "1.1"):
        assert asked(closed_url, path, version=version)[0] == 200
    assert asked(closed_url, path, "Host: a", "Host: b")[0] == 200
    assert asked(closed_url, path, "Host: a", method="HEAD")[::2] == (200, "")


@pytest.mark.parametrize("path", [*PROBES, "/metrics"])
def test_a_probe_is_for_reading_whatever_the_host(closed_url: str, path: str) -> None:
    status, head, body = asked(closed_url, path, "Host: 10.0.0.7", "Content-Length: 0", method="POST")
    assert (status, json.loads(body)) == (405, {"detail": 'Method "POST" not allowed.'})
    assert "Allow: GET, HEAD" in head


def test_a_token_shows_the_details_whatever_the_host(closed_url: str) -> None:
    for right, sees in ((Right.READ, True), (Right.POST, False)):
        bearer = f"Authorization: Bearer {create(str(right), rights=frozenset({right}))[0]}"
        for host in ("localhost", "10.0.0.7:8000"):
            for _ in range(2):  # The second time it is known.
                body = asked(closed_url, "/readyz", f"Host: {host}", bearer)[2]
                assert ('"problems"' in body) is sees
            assert asked(closed_url, "/metrics", f"Host: {host}", bearer)[0] == (200 if sees else 403)
    assert asked(closed_url, "/metrics", "Host: localhost")[0] == 401
    assert asked(closed_url, "/metrics", "Host: 10.0.0.7")[0] == 400
    assert asked(closed_url, "/metrics", "Host: 10.0.0.7", "Authorization: Bearer x")[0] == 401


def test_a_session_shows_the_details_on_our_own_hosts(closed_url: str) -> None:
    cookie = f"Cookie: {session_of(User.objects.create_superuser('ann'))}"
    assert '"problems"' in asked(closed_url, "/readyz", "Host: localhost", cookie)[2]
    assert '"problems"' not in asked(closed_url, "/readyz", "Host: evil.example", cookie)[2]
    assert asked(closed_url, "/metrics", "Host: localhost", cookie)[0] == 200
    assert asked(closed_url, "/metrics", "Host: evil.example", cookie)[0] == 400
    other = f"Cookie: {session_of(User.objects.create_user('customer'))}"
    assert '"problems"' not in asked(closed_url, "/readyz", "Host: localhost", other)[2]


# --- Another site's page, whose name leads here ---------------------------------------------------

PAGES = ["/", "/admin/login/", "/nothing", "/admin/nothing/", "/static/none.css", "/api", "/apix", "//evil/x"]


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "localhost.evil.example", "a_b", ""])
def test_a_private_run_shows_a_foreign_page_nothing(debug_url: str, host: str) -> None:
    for path in PAGES:
        status, head, body = asked(debug_url, path, f"Host: {host}")
        assert (status, body) == (400, "This host is not served here.\n"), path
        assert "Content-Type: text/plain" in head
        assert "X-Request-Id: " in head
    for path in ("/api/pipeline/", "/api/nothing", "/api/"):
        status, _, body = asked(debug_url, path, f"Host: {host}", f"Origin: http://{host}")
        assert (status, body) == (400, '{"detail":"This host is not served here."}'), path
    for method in ("POST", "DELETE", "OPTIONS", "TRACE"):
        path = "/api/delete-transactions/"
        assert asked(debug_url, path, f"Host: {host}", "Content-Length: 0", method=method)[0] == 400
    assert asked(debug_url, "/metrics", f"Host: {host}")[0] == 400
    assert asked(debug_url, "/readyz", f"Host: {host}")[2] == '{"status": "ready"}'
    if host:
        assert refused(debug_url, host=host, Origin=f"http://{host}")


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:8000", "LOCALHOST", "[::1]", "[::1]:8000", "localhost."]
)
def test_our_own_hosts_are_served(debug_url: str, host: str) -> None:
    assert asked(debug_url, "/admin/login/", f"Host: {host}")[0] == 200
    assert '"problems"' in asked(debug_url, "/readyz", f"Host: {host}")[2]


def test_a_request_without_a_host_is_for_the_address_that_it_came_to(debug_url: str) -> None:
    for version in ("1.0", "1.1"):
        assert asked(debug_url, "/admin/login/", version=version)[0] == 200


def test_the_redirect_to_tls_sends_nobody_to_another_host(closed_url: str) -> None:
    for headers in (
        ["Host: evil.example"],
        ["Host: localhost", "Host: evil.example"],
        ["Host: localhost@evil.example"],
    ):
        status, head, _ = asked(closed_url, "/admin/", *headers)
        assert (status, "Location" in head) == (400, False)
    for path in ("/admin/", "//evil.example/", "/\\evil.example", "/%2F%2Fevil.example", "/@evil.example"):
        lies = ("X-Forwarded-Host: evil.example", "Forwarded: host=evil.example", "X-Host: evil.example")
        status, head, _ = asked(closed_url, path, "Host: localhost", *lies)
        assert status == 301, path
        (location,) = (line for line in head.splitlines() if line.startswith("Location: "))
        assert urlsplit(location.removeprefix("Location: ")).netloc == "localhost", path


# --- Many at once ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("flushed_lately")
def test_a_look_holds_for_a_second(open_url: str) -> None:
    def status() -> int:
        return httpx.get(f"{open_url}/readyz", trust_env=False).status_code

    took_s = LOOK_HOLDS_S
    # On a machine that stood still meanwhile the first look held no more.
    while took_s >= LOOK_HOLDS_S:
        connection().delete(QUEUE)
        time.sleep(LOOK_HOLDS_S + 0.1)
        began = time.monotonic()
        assert status() == 200
        connection().rpush(QUEUE, "smuggled")
        held = status()
        took_s = time.monotonic() - began
    time.sleep(LOOK_HOLDS_S + 0.1)
    assert (held, status()) == (200, 503)


@pytest.mark.usefixtures("flushed_lately")
def test_a_hundred_at_once_cost_one_look_and_keep_nobody_waiting(open_url: str) -> None:
    sessions: list[int] = []
    over = threading.Event()

    def watch() -> None:
        with psycopg2.connect(database_url()) as observer, observer.cursor() as cursor:
            while not over.wait(0.005):
                cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
                sessions.extend(cursor.fetchone() or ())
        observer.close()

    def ask(_: int) -> int:
        return asked(open_url, "/readyz", "Host: localhost")[0]

    def all_ask() -> None:
        with ThreadPoolExecutor(100) as pool:
            assert list(pool.map(ask, range(400))) == [200] * 400

    watching = threading.Thread(target=watch)
    watching.start()
    looks, began = commands("llen"), time.monotonic()
    try:
        assert longest_wait_s(open_url, all_ask) < LONG_S
    finally:
        over.set()
        watching.join()
    # The observer's own, the test's, the look's, and what the server keeps for look-ups.
    assert max(sessions) < 8
    # One a second, each of a few commands.
    assert commands("llen") - looks < 40 + 4 * (time.monotonic() - began)


def commands(name: str) -> int:
    """How often Redis has run a command."""
    return int(connection().info("commandstats").get(f"cmdstat_{name}", {}).get("calls", 0))


@pytest.mark.usefixtures("flushed_lately")
def test_a_hundred_with_made_up_credentials_are_bounded_too(closed_url: str) -> None:
    def ask(number: int) -> tuple[int, str]:
        made_up = f"Cookie: sessionid={number}" if number % 2 else f"Authorization: Bearer txmon_{number:043}"
        return asked(closed_url, "/readyz", "Host: localhost", made_up)[::2]

    with ThreadPoolExecutor(100) as pool:
        assert list(pool.map(ask, range(400))) == [(200, '{"status": "ready"}')] * 400


def test_it_tells_within_seconds_that_postgres_is_silent(transactional_db: None, log: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent_url = f"postgres://nobody@127.0.0.1:{silent.getsockname()[1]}/none"
        with daphne(log=log, DATABASE_URL=silent_url) as url:
            began = time.monotonic()
            answer = httpx.get(f"{url}/readyz", trust_env=False, timeout=30)
            took_s = time.monotonic() - began
    assert (answer.status_code, answer.json()["status"]) == (503, "not ready")
    assert took_s < 9


def test_it_is_told_within_seconds_whoever_asks_while_nobody_gets_at_what_tells_who_that_is(
    people: list[User], log: Path
) -> None:
    token, _ = create("balancer", rights=frozenset({Right.READ}))
    with daphne(log=log, FLUSH_INTERVAL_SECONDS="3600") as url, locked("transactions_apitoken"):
        began = time.monotonic()
        shown = {"Authorization": f"Bearer {token}"}
        answer = httpx.get(f"{url}/readyz", headers=shown, trust_env=False, timeout=30)
        took_s = time.monotonic() - began
    assert (answer.status_code, answer.json()) == (200, {"status": "ready"})
    assert took_s < 9


def test_django_s_own_views_say_the_same(client: Client, open_url: str) -> None:
    """They serve where the service does not run under ASGI."""
    assert os.environ["ALLOW_ANONYMOUS_API"] == "true"
    for path in ("/livez", "/metrics"):
        front, behind = httpx.get(f"{open_url}{path}", trust_env=False), client.get(path)
        assert (front.status_code, front.headers["Content-Type"]) == (
            behind.status_code,
            behind["Content-Type"],
        )
        differing = {name for name, value in behind.items() if front.headers.get(name) != value}
        assert differing <= {"Content-Length", "Vary"}


# --- Made-up credentials ------------------------------------------------------------------------


def hammer(url: str, path: str, until: threading.Event) -> None:
    """Asks with made-up tokens, again and again."""
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
        while not until.is_set():
            token = f"txmon_{secrets.token_urlsafe(32)}"
            client.get(path, headers={"Authorization": f"Bearer {token}"})


def test_a_scrape_never_waits_behind_made_up_tokens(transactional_db: None, closed_url: str) -> None:
    token, _ = create("prometheus", rights=frozenset({Right.READ}))
    bearer, enough = {"Authorization": f"Bearer {token}"}, threading.Event()
    others = [threading.Thread(target=hammer, args=(closed_url, "/metrics", enough)) for _ in range(60)]
    with httpx.Client(base_url=closed_url, trust_env=False, timeout=60) as client:
        assert client.get("/metrics", headers=bearer).status_code == 200
        for other in others:
            other.start()
        try:
            time.sleep(0.5)
            statuses = [client.get("/metrics", headers=bearer).status_code for _ in range(10)]
        finally:
            enough.set()
            for other in others:
                other.join()
    assert statuses == [200] * 10


def test_guesses_are_paid_for_by_their_address_on_probes_and_websockets(
    transactional_db: None, log: Path
) -> None:
    token, _ = create("prometheus", rights=frozenset({Right.READ}))
    limits: dict[str, Any] = {
        "MAX_BATCH_RECORDS": "5",
        "RATE_LIMIT_BURST": "5",
        "RATE_LIMIT_RECORDS_PER_SECOND": "1",
        # Nobody flushes here, and that is well for so long.
        "FLUSH_INTERVAL_SECONDS": "3600",
    }
    with (
        daphne(log=log, ALLOW_ANONYMOUS_API="false", **limits) as url,
        httpx.Client(base_url=url, trust_env=False, timeout=60) as client,
    ):

        def guess(path: str, shown: dict[str, str]) -> httpx.Response:
            return client.get(path, headers=shown)

        good = {"Authorization": f"Bearer {token}"}
        assert guess("/metrics", good).status_code == 200
        for path in ("/metrics", "/readyz"):
            # So many of each: one is let through with every second that passes.
            for made_up in ("Authorization: Bearer txmon_{:043}", "Cookie: sessionid=made-up-{}"):
                name, _, value = made_up.partition(": ")
                for number in range(30):
                    refused = guess(path, {name: value.format(number)})
                assert (refused.status_code, int(refused.headers["Retry-After"]) >= 1) == (429, True), path
                assert guess(path, good).status_code == 200
        assert guess("/readyz", {}).status_code == 200
