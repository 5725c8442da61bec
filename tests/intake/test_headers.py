"""Whoever sends what headers, the fast lane takes the request, and answers as Django does.

`senders/` has the headers of real clients, proxies and tracers, a file each.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.core.handlers.asgi import ASGIHandler, ASGIRequest
from django.http.request import HttpHeaders

from tests.support.asgi import http_scope
from tests.support.exchanging import address_of, post, say
from tests.support.serving import daphne
from transaction_monitoring.observability import logs
from transactions.access import plain_heads, token_checks
from transactions.access.rights import Right
from transactions.access.tokens import create
from transactions.intake import fast_lane
from transactions.queue.keys import QUEUE
from transactions.stores.redis_connection import connection

pytestmark = pytest.mark.django_db(transaction=True)

ADD, MANY = "/api/add-transaction/", "/api/add-transactions/"
READS = (
    "/api/transactions/T1/",
    "/api/transactions/UNKNOWN/",
    "/api/transactions/",
    "/api/transactions/?limit=none",
    "/api/transactions/average/?from=2026-01-01&to=2026-01-31",
    "/api/pipeline/",
)
SENDERS = {
    file.stem: file.read_text().splitlines() for file in sorted(Path(__file__).parent.glob("senders/*"))
}
EACH_SENDER = pytest.mark.parametrize("sender", SENDERS)


# --- What is read -----------------------------------------------------------------------------


class Recording(dict[str, Any]):
    """A request's META that notes the headers which somebody asks for by name."""

    asked: set[str]

    def _note(self, key: object) -> None:
        if isinstance(key, str) and key.startswith(("HTTP_", "CONTENT_")):
            self.asked.add(key.removeprefix("HTTP_").replace("_", "-").lower())

    def __getitem__(self, key: str) -> Any:
        self._note(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self._note(key)
        return super().__contains__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self._note(key)
        return super().get(key, default)


class RecordingHeaders(HttpHeaders):
    """The same of `request.headers`."""

    asked: set[str]

    def __getitem__(self, key: str) -> str:
        self.asked.add(key.replace("_", "-").lower())
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        self.asked.add(str(key).replace("_", "-").lower())
        return super().__contains__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self.asked.add(key.replace("_", "-").lower())
        return super().get(key, default)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The headers that Django, the REST framework and our own code ask a request for, by name."""
    found: set[str] = set()
    original = ASGIRequest.__init__

    def init(request: Any, *arguments: Any) -> None:
        original(request, *arguments)
        request.META = Recording(request.META)
        request.META.asked = found
        headers = RecordingHeaders(dict(request.META))
        headers.asked = found
        request.__dict__["headers"] = headers

    monkeypatch.setattr(ASGIRequest, "__init__", init)
    return found


def ask(application: Any, path: str, document: Any, lines: list[str], method: str = "POST") -> int:
    """The status that an ASGI application answers; no document is an empty body."""
    body = b"" if document is None else json.dumps(document).encode()
    given = [(name.strip().lower().encode(), value.strip().encode()) for name, value in map(split, lines)]
    base = [(b"host", b"localhost"), (b"content-type", b"application/json")]
    given += [each for each in base if each[0] not in dict(given)]
    given.append((b"content-length", b"%d" % len(body)))
    messages = [{"type": "http.request", "body": body}]
    sent: list[Any] = []

    async def receive() -> Any:
        if not messages:
            await asyncio.Event().wait()  # The client stays.
        return messages.pop()

    async def send(message: Any) -> None:
        sent.append(message)

    async def run() -> None:
        await application(http_scope(method, path, *given), receive, send)

    async_to_sync(run)()
    return int(sent[0]["status"])


def split(line: str) -> tuple[str, str]:
    name, _, value = line.partition(":")
    return name, value


def record(user: User, id: str, **more: Any) -> dict[str, Any]:
    return {"transaction_id": id, "user": user.pk, "amount": 1, **more}


def test_every_header_that_is_read_on_the_way_is_reckoned_with(
    people: list[User], asked: set[str], settings: Any
) -> None:
    """With a token, without one, with a session, with what is wrong; alone, as a batch, and read."""
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.TRUSTED_PROXIES = 1
    django = ASGIHandler()
    token, _ = create("poster", rights=frozenset({Right.POST, Right.READ}))
    known = [f"Authorization: Bearer {token}"]
    seen = []
    for lines in (
        known,
        [],
        ["Authorization: Bearer wrong"],
        [*known, "Cookie: AWSALB=x; csrftoken=y; sessionid=z", "Origin: https://evil.example"],
        ["Cookie: sessionid=z", "Origin: https://evil.example", "Referer: https://evil.example/x"],
        [*known, "X-Forwarded-Proto: https", "X-Forwarded-For: 203.0.113.7", "X-Request-Id: mine"],
        [*known, *(line for sender in SENDERS.values() for line in sender if not line.startswith("Host"))],
    ):
        for path in (ADD, MANY, f"{MANY}?atomic=true"):
            documents: list[Any] = [
                record(people[0], "T1"),
                record(people[0], "T1", amount=7),
                [],
                {"Status": 1},
            ]
            for document in documents:
                posted = [document] if path != ADD and isinstance(document, dict) else document
                seen.append(ask(django, path, posted, lines))
        for path in READS:
            seen.append(ask(django, path, None, lines, "GET"))
    assert {200, 400, 401, 404, 409} <= set(seen)
    reckoned = plain_heads.READ | plain_heads.OF_ANONYMOUS | plain_heads.READ_IN_VAIN
    reckoned |= {plain_heads.COOKIE, b"x-forwarded-proto"}
    assert asked == {name.decode() for name in reckoned}


# --- Who sends what ---------------------------------------------------------------------------


def test_there_are_many_senders() -> None:
    assert len(SENDERS) > 50
    assert all(len(set(map(str.lower, lines))) == len(lines) for lines in SENDERS.values())


@pytest.fixture
def known_token() -> str:
    """A token to post with, which this process knows."""
    token, _ = create("poster", rights=frozenset({Right.POST}))
    assert token_checks.check(token) is not None
    return token


@pytest.fixture
def lane(settings: Any) -> Any:
    """The lane alone: whoever gets past it to Django fails."""
    settings.SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    settings.TRUSTED_PROXIES = 1

    async def django(*_: Any) -> None:
        raise AssertionError("Django was asked")

    return fast_lane.fast_lane(django, logs.request_id)


@EACH_SENDER
def test_each_sender_is_in_the_lane(people: list[User], lane: Any, known_token: str, sender: str) -> None:
    lines = [*SENDERS[sender], f"Authorization: Bearer {known_token}"]
    assert ask(lane, ADD, record(people[0], "T1"), lines) == 200
    assert ask(lane, MANY, [record(people[0], "T2")], lines) == 200
    assert connection().llen(QUEUE) == 2


@pytest.mark.parametrize(
    "line",
    [
        "Cookie: a=b; sessionid=c",
        "Cookie: csrftoken=c",
        "Cookie: messages=c",
        "Transfer-Encoding: chunked",
        "Content-Encoding: br",
        "Host: localhost",
        "Content-Type: application/json",
        "X-Request-Id: two",
        "X-Forwarded-Proto: http",
    ],
)
def test_what_may_change_the_answer_is_left_to_django(
    people: list[User], lane: Any, known_token: str, line: str
) -> None:
    """Those that stand there anyhow a second time."""
    lines = [f"Authorization: Bearer {known_token}", "X-Request-Id: one", "X-Forwarded-Proto: https"]
    lines += ["Host: localhost", "Content-Type: application/json"]
    assert ask(lane, ADD, record(people[0], "T1"), lines) == 200
    with pytest.raises(AssertionError, match="Django was asked"):
        ask(lane, ADD, record(people[0], "T2"), [*lines, line])


@pytest.mark.parametrize(
    "line",
    ["Origin: null", "Sec-Fetch-Site: cross-site", "Forwarded: for=x", "X-Forwarded-For: x", "X-Real-IP: x"],
)
def test_without_a_token_where_a_caller_is_is_left_to_django(
    people: list[User], lane: Any, line: str
) -> None:
    assert ask(lane, ADD, record(people[0], "T1"), ["Cookie: AWSALB=x", "traceparent: x"]) == 200
    with pytest.raises(AssertionError, match="Django was asked"):
        ask(lane, ADD, record(people[0], "T2"), [line])


@pytest.mark.slow
def test_each_sender_is_answered_alike_by_the_lane_and_by_django(people: list[User]) -> None:
    token, _ = create("poster", rights=frozenset({Right.POST}))
    told = []
    for lane in ("true", "false"):
        connection().flushdb()
        with daphne(
            FAST_LANE=lane,
            SECURE_HSTS_SECONDS="60",
            TRUSTED_PROXIES="1",
            SECURE_PROXY_SSL_HEADER="X-Forwarded-Proto,https",
        ) as url:
            address = address_of(url)
            bearer = f"Authorization: Bearer {token}"
            say(address, post(ADD, b"{}", bearer))  # the lane takes tokens that the process knows
            for sender, lines in SENDERS.items():
                for head in ([bearer], []):
                    posted = record(people[0], f"{sender}{len(head)}")
                    for path, body in (
                        (ADD, posted),
                        (ADD, posted),
                        (ADD, {**posted, "amount": 7}),
                        (ADD, {**posted, "Amount": 7}),
                        (MANY, [posted, {**posted, "amount": 7}]),
                    ):
                        answer = say(address, post(path, body, *lines, *head))
                        told.append((lane, sender, path, bool(head), answer))
    half = len(told) // 2
    for (_, *request, fast), (_, *_, slow) in zip(told[:half], told[half:], strict=True):
        assert fast == slow, request
    assert {answer[0] for _, _, _, with_token, answer in told if with_token} == {200, 400, 409}
