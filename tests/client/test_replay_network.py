"""A replay over a network that fails, to servers that refuse, at a pace, and interrupted."""

import io
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from django.contrib.auth.models import User
from django.core.management import call_command

from tests.support.interrupting import interrupted
from tests.support.replayed import NOWHERE, WHEN, replay, written
from tests.support.serving import daphne
from transactions.books import balance
from transactions.client.api import Client, PostingPace
from transactions.models import Transaction
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def url(transactional_db: None, private_url: str) -> str:
    return private_url


class Unreliable(ThreadingHTTPServer):
    """Passes POSTs on to a server, but for those that meet one of `faults`, the first of them first."""

    daemon_threads = True

    def __init__(self, server: str, *faults: str) -> None:
        super().__init__(("127.0.0.1", 0), UnreliableHandler)
        self.server = server
        self.faults = list(faults)
        self.bodies: list[bytes] = []


class UnreliableHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        assert isinstance(self.server, Unreliable)
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.bodies.append(body)
        fault = self.server.faults.pop(0) if self.server.faults else ""
        if fault == "answer lost":
            self.pass_on(body)
            self.close_connection = True
        elif fault.isdigit():
            self.answer(
                int(fault), b'{"detail": "No,\\nnot now."}', {"Retry-After": "1", "Location": "https://x/"}
            )
        else:
            self.answer(200, self.pass_on(body))

    def pass_on(self, body: bytes) -> bytes:
        assert isinstance(self.server, Unreliable)
        headers = {"Content-Type": self.headers["Content-Type"]}
        return httpx.post(self.server.server + self.path, content=body, headers=headers, timeout=60).content

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Says nothing."""


@contextmanager
def unreliable(server: str, *faults: str) -> Iterator[tuple[str, Unreliable]]:
    with Unreliable(server, *faults) as proxy:
        thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{proxy.server_port}", proxy
        finally:
            proxy.shutdown()
            thread.join()


def test_a_batch_is_sent_again_after_a_503_as_late_as_asked(
    url: str, people: list[User], tmp_path: Path
) -> None:
    with unreliable(url, "503", "429") as (server, proxy):
        status, told = replay(written(tmp_path, f"A,{people[0].pk},1,SUCCESS,{WHEN}"), server)

    assert status == 0
    assert "answered 503 Service Unavailable: No, not now.: the same again in 1.0 s" in told.splitlines()[0]
    assert len(proxy.bodies) == 3
    assert len(set(proxy.bodies)) == 1


def test_a_batch_whose_answer_was_lost_is_stored_once(url: str, people: list[User], tmp_path: Path) -> None:
    file = written(tmp_path, *(f"A{number},{people[0].pk},1,SUCCESS,{WHEN}" for number in range(4)))

    with unreliable(url, "", "answer lost") as (server, _):
        status, told = replay(file, server, "--batch", "2")
    flush()

    assert status == 0
    assert "2 accepted, 2 replayed" in told
    assert Transaction.objects.count() == 4
    assert balance.read().balanced is True


def test_a_client_says_that_a_batch_was_sent_again(url: str, people: list[User]) -> None:
    record = {"transaction_id": "T1", "user": people[0].pk, "amount": 5, "status": "SUCCESS"}
    with unreliable(url, "answer lost") as (base, _):
        client = Client(base, patience_s=20.0)
        lost, next_one = client.post([record]), client.post([{**record, "transaction_id": "T2"}])
        client.close()
    assert (lost.accepted, lost.duplicates, lost.resent) == (0, 1, True)
    assert (next_one.accepted, next_one.resent) == (1, False)


def test_it_gives_up_after_its_patience_and_says_where(url: str, people: list[User], tmp_path: Path) -> None:
    file = written(tmp_path, *(f"A{number},{people[0].pk},1,SUCCESS,{WHEN}" for number in range(6)))

    with unreliable(url, "", *["503"] * 9) as (server, _):
        status, told = replay(file, server, "--batch", "2", "--patience", "1.5")

    assert status == 2
    assert "2 rows in" in told
    last = told.splitlines()[-1]
    assert last.startswith("stopped at the row on line 4: gave up after 1.5 s: http://127.0.0.1:")
    assert last.endswith("answered 503 Service Unavailable: No, not now.")


def test_a_server_that_is_not_there_is_told(tmp_path: Path) -> None:
    status, told = replay(written(tmp_path, f"A,1,1,SUCCESS,{WHEN}"), NOWHERE, "--patience", "0.5")

    assert status == 2
    assert f"{NOWHERE} does not answer ([Errno 111] Connection refused)" in told.splitlines()[-1]


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        ("301", "it sends us to https://x/: give that server as --url"),
        ("400", "No, not now."),
        ("401", "give a token: API_TOKEN in the environment, or --token"),
        ("403", "give a token that may post: API_TOKEN in the environment, or --token"),
        ("404", "is the URL right?"),
        ("413", "use a smaller --batch"),
        ("500", "No, not now."),
    ],
)
def test_an_answer_that_waiting_does_not_mend_ends_it_with_one_line(
    answer: str, hint: str, tmp_path: Path
) -> None:
    with unreliable("", answer, answer) as (server, proxy):
        status, told = replay(written(tmp_path, f"A,1,1,SUCCESS,{WHEN}"), server)

    assert (status, len(proxy.bodies)) == (2, 1)
    assert f"stopped at the row on line 2: {server} answered {answer}" in told.splitlines()[-1]
    assert hint in told.splitlines()[-1]


@pytest.mark.parametrize(
    "body",
    [
        b"<html><style>a{}</style><p>Welcome</p>",
        b"[]",
        b'{"accepted": 0, "duplicates": 0, "conflicts": 0, "invalid": 0, "errors": []}',
    ],
)
def test_a_server_of_another_kind_is_not_believed(
    body: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(UnreliableHandler, "pass_on", lambda self, posted: body)

    with unreliable("") as (server, _):
        status, told = replay(written(tmp_path, f"A,1,1,SUCCESS,{WHEN}"), server)

    assert status == 2
    assert "<" not in told


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8000", "ftp://host", "http://", "http://host:port", "http://[::1"]
)
def test_a_url_that_is_none_is_told(url: str, tmp_path: Path) -> None:
    status, told = replay(written(tmp_path), url)

    assert (status, told.count("\n")) == (2, 0)
    assert "is no URL" in told


def test_a_batch_that_is_too_large_for_the_server_is_told(people: list[User], tmp_path: Path) -> None:
    file = written(tmp_path, *(f"A{number},{people[0].pk},1,SUCCESS,{WHEN}" for number in range(100)))

    with daphne(DATA_UPLOAD_MAX_MEMORY_SIZE="1024") as url:
        status, told = replay(file, url)
        smaller, _ = replay(file, url, "--batch", "5")

    assert (status, smaller) == (2, 0)
    assert "413" in told
    assert "(use a smaller --batch)" in told


def test_the_token_of_the_environment_is_sent(
    token_url: str, people: list[User], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, f"A,{people[0].pk},1,SUCCESS,{WHEN}")
    out = io.StringIO()
    call_command("create_token", "tests", stdout=out)

    without, told = replay(file, token_url)
    monkeypatch.setenv("API_TOKEN", out.getvalue().split()[-1])
    with_token, _ = replay(file, token_url)
    monkeypatch.setenv("API_TOKEN", "wrong")
    other, _ = replay(file, token_url)

    assert (without, with_token, other) == (2, 0, 2)
    assert "give a token: API_TOKEN in the environment" in told


def test_records_go_out_at_the_rate_and_a_delay_is_not_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    clock = SimpleNamespace(monotonic=lambda: now[0], sleep=sleep)
    monkeypatch.setattr("transactions.client.api.time", clock)
    pace = PostingPace(40)

    sent_at = []
    for number in range(6):
        assert pace.wait(pace.batch(1000), until=1010)
        sent_at.append(now[0] - 1000)
        if number == 2:
            now[0] += 5

    assert pace.batch(1000) == 10
    assert sent_at == [0, 0.25, 0.5, 5.5, 5.75, 6.0]
    assert pace.wait(160, until=1010)
    assert not pace.wait(1, until=1010)
    assert now[0] == 1010


def test_ctrl_c_ends_it_with_what_was_done(url: str, people: list[User], tmp_path: Path) -> None:
    file = written(tmp_path, *(f"A{number},{people[0].pk},1,SUCCESS,{WHEN}" for number in range(10_000)))
    status, out, error = interrupted("replay", str(file), "--url", url, "--rate", "40")

    assert (status, error) == (130, "")
    assert " accepted, 0 replayed, 0 refused" in out
