"""The read lane answers as Django does, or leaves the request to Django."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import redis.asyncio
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User

from tests.support.accepting import push, queued, record, take
from tests.support.asgi import http_scope
from tests.support.exchanging import address_of, get, say
from tests.support.serving import daphne
from transactions.access import rate_limits, token_checks
from transactions.access.rights import Right
from transactions.access.tokens import create
from transactions.models import Transaction
from transactions.queue.keys import INDEX
from transactions.reading import found_together
from transactions.reading.read_lane import read_lane
from transactions.stores.redis_connection import connection
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

ONE = "/api/transactions/"
LONG_AGO = datetime(2020, 1, 31, 20, 29, 59, 120_000, UTC)


@pytest.fixture
def posted(people: list[User]) -> list[str]:
    """Ids of transactions that are stored, settled since, waiting, refused, unreadable, and of nobody."""
    payer, leaver = people[:2]
    take(record("stored", payer), record("settles", payer), record("a:b_c~1.2@x-y", payer))
    take(record("of-a-time", payer, created_at=LONG_AGO))
    take(record("refused", leaver))
    leaver.delete()
    push(queued("T1", payer, created="2026-13-41T99:99:99.000000Z").encode())
    flush()
    take(record("settles", payer, status="SUCCESS", created_at=LONG_AGO))
    take(record("waits", payer), record("average", payer), record("x" * 100, payer))
    key = str(Transaction.objects.get(transaction_id="stored").pk)
    take(record("7" * 30, payer))
    connection().hset(INDEX, "garbled", "no state")
    return [
        *("stored", "settles", "a:b_c~1.2@x-y", "of-a-time", "refused", "T1", "waits", "average", key),
        *("x" * 100, "x" * 101, "7" * 30, "garbled", "nothing", "-", ".", "..", "0", "stored/x", "a%2Fb"),
        *("st%6fred", "%00", "%ff", "%C3%A9", "stored%0A", "stored;x", "stored+x", ""),
    ]


def requests(ids: list[str], bearer: str, poster: str) -> Iterator[bytes]:
    """A long table of good and bad requests."""
    for lines in ((), (bearer,)):
        for id in ids:
            yield get(f"{ONE}{id}", *lines)
            yield get(f"{ONE}{id}/", *lines)
            yield get(f"{ONE}{id}//", *lines)
        for method in ("HEAD", "OPTIONS", "DELETE", "POST", "get"):
            yield get(f"{ONE}stored/", *lines, method=method)
        for query in ("?", "?x=1", "?id=stored", "?%ff"):
            yield get(f"{ONE}stored/{query}", *lines)
        yield get("/API/transactions/stored/", *lines)
        yield get(f"{ONE}stored/", *lines, host="evil.example")
        for line in (
            "X-Request-Id: mine",
            "X-Request-Id: no such/name",
            "Accept: text/html",
            "Accept: application/xml",
            "Accept-Encoding: gzip",
            "Content-Length: 0",
            "Content-Type: application/json",
            "Content-Type: text/plain; charset=foo",
            "Content-Type: application/x-www-form-urlencoded; charset=utf-16",
            "If-None-Match: *",
            "If-Modified-Since: Fri, 27 Nov 2099 00:00:00 GMT",
            "Range: bytes=0-3",
            "Cookie: a=b",
            "Cookie: sessionid=x",
            "Origin: http://evil.example",
            "Sec-Fetch-Site: cross-site",
            "X-Forwarded-For: 203.0.113.7",
            "X-Forwarded-Proto: https",
            "X-Forwarded-Proto: http",
            "X-HTTP-Method-Override: DELETE",
            "Host: localhost",
            "Authorization: Bearer other",
        ):
            yield get(f"{ONE}stored/", *lines, line)
    for line in ("Bearer wrong", "Basic YTpi", "bearer", "Bearer"):
        yield get(f"{ONE}stored/", f"Authorization: {line}")
    yield get(f"{ONE}stored/", poster)
    yield get(f"{ONE}stored/", bearer.replace("Bearer", "bearer"))
    yield get(f"{ONE}stored/", "Content-Length: 2", bearer) + b"{}"


@pytest.mark.slow
@pytest.mark.parametrize("proxy", [False, True], ids=["plain", "behind a proxy"])
def test_both_ways_give_the_same_answers(posted: list[str], proxy: bool) -> None:
    bearer = f"Authorization: Bearer {create('reader', rights=frozenset({Right.READ}))[0]}"
    poster = f"Authorization: Bearer {create('poster', rights=frozenset({Right.POST}))[0]}"
    told = []
    for lane in ("true", "false"):
        with daphne(
            FAST_LANE=lane,
            SECURE_SSL_REDIRECT=str(proxy),
            SECURE_HSTS_SECONDS="60",
            SECURE_PROXY_SSL_HEADER="X-Forwarded-Proto,https" if proxy else "",
        ) as url:
            address = address_of(url)
            for line in (bearer, poster):  # the lane takes tokens that the process knows
                say(address, get("/api/pipeline/", line, "X-Forwarded-Proto: https"))
            told.append([(asked, say(address, asked)) for asked in requests(posted, bearer, poster)])
    for (asked, fast), (_, slow) in zip(*told, strict=True):
        assert fast == slow, asked
    statuses = {answer[0] for _, answer in told[0]}
    assert statuses >= ({200, 301} if proxy else {200, 400, 401, 403, 404, 405})


@pytest.mark.slow
def test_both_ways_are_limited_alike(posted: list[str]) -> None:
    """What is found and what is not costs 1, whoever answers; and what is refused says when to come again."""
    token, _ = create("reader", rights=frozenset({Right.READ}))
    told: list[Any] = []
    for lane in ("true", "false"):
        connection().flushdb()
        with daphne(
            FAST_LANE=lane,
            RATE_LIMIT_RECORDS_PER_SECOND="1",
            RATE_LIMIT_BURST="60",
            MAX_BATCH_RECORDS="60",
        ) as url:
            address = address_of(url)
            answers = []
            bearer = f"Authorization: Bearer {token}"
            say(address, get("/api/pipeline/", bearer))  # one that is unknown is paid for by its address
            for lines in ((), (bearer,)):
                left = []
                for id in ("stored", "nothing") * 10:
                    status, headers, _ = say(address, get(f"{ONE}{id}/", *lines))
                    assert status == (200 if id == "stored" else 404)
                    left.append(int(headers["Ratelimit-Remaining"]))
                # Nineteen, less what the bucket has got back meanwhile.
                assert 10 <= left[0] - left[-1] <= 19, left
                for _ in range(100):
                    status, headers, body = say(address, get(f"{ONE}stored/", *lines))
                    if status == 429:
                        break
                for name in ("Ratelimit-Remaining", "Ratelimit-Reset", "Retry-After"):
                    assert headers[name].isdigit()
                    headers[name] = "0"
                answers.append((status, headers, body))
            told.append(answers)
    assert told[0] == told[1]
    assert {status for status, _, _ in told[0]} == {429}


# --- The lane alone ---------------------------------------------------------------------------


class Lane:
    """The lane on a loop that lasts; `ask` tells the status, and 0 where Django was asked."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []

    async def ask(self, path: str, token: str) -> int:
        sent: list[Any] = []

        async def django(*_: Any) -> None:
            sent.append({"status": 0})

        async def receive() -> Any:
            raise AssertionError("a GET has no body")

        async def send(message: Any) -> None:
            sent.append(message)

        headers = ((b"host", b"localhost"), (b"authorization", f"Bearer {token}".encode()))
        await read_lane(django)(http_scope("GET", path, *headers), receive, send)
        if len(sent) > 1:
            self.bodies.append(json.loads(sent[1]["body"]))
        return int(sent[0]["status"])

    def ask_at_once(self, paths: list[str], token: str) -> list[int]:
        async def ask_all() -> list[int]:
            finder = found_together.serve_here()
            try:
                return await asyncio.gather(*(self.ask(path, token) for path in paths))
            finally:
                await finder.close()

        return async_to_sync(ask_all)()


@pytest.fixture
def token() -> str:
    """A token to read with, which this process knows."""
    token, _ = create("reader", rights=frozenset({Right.READ}))
    assert token_checks.check(token) is not None
    return token


def test_what_is_there_never_reaches_django(posted: list[str], token: str) -> None:
    """Else the comparisons above would hold without a lane."""
    lane = Lane()
    ids = ["stored", "settles", "waits", "of-a-time", "x" * 100]
    assert lane.ask_at_once([f"{ONE}{id}/" for id in ids], token) == [200] * 5
    assert [each["transaction_id"] for each in lane.bodies] == ids
    assert (
        lane.ask_at_once([f"{ONE}{id}" for id in ("nothing", "refused", "average", "a/b")], token) == [0] * 4
    )


def test_what_was_not_paid_is_not_paid_back(
    posted: list[str], token: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Redis cannot be asked about limits, and nobody is limited."""
    settings.RATE_LIMIT_RECORDS_PER_SECOND = 1

    async def nothing(*_: Any) -> None:
        return None

    monkeypatch.setattr(rate_limits, "take", nothing)
    monkeypatch.setattr(rate_limits, "give_back", lambda *_: pytest.fail("paid back"))
    assert Lane().ask_at_once([f"{ONE}nothing/"], token) == [0]


def test_those_who_ask_at_once_share_their_questions(
    posted: list[str], token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than one group holds: the first that comes is alone, the others are together."""
    groups: list[int] = []
    original = found_together.Finder._look

    async def look(self: Any, ids: Any) -> Any:
        groups.append(len(ids))
        return await original(self, ids)

    monkeypatch.setattr(found_together.Finder, "_look", look)
    lane = Lane()
    paths = [f"{ONE}{id}/" for id in ("stored", "waits", "settles", "nothing")] * 100
    assert lane.ask_at_once(paths, token) == [200, 200, 200, 0] * 100
    assert len(groups) <= 4
    assert max(groups) == 4


def test_a_token_without_the_right_to_read_is_left_to_django(posted: list[str]) -> None:
    poster, _ = create("poster", rights=frozenset({Right.POST}))
    assert token_checks.check(poster) is not None
    assert Lane().ask_at_once([f"{ONE}stored/"], poster) == [0]


def test_without_an_answer_from_postgresql_django_is_asked(
    posted: list[str], token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def connect() -> Any:
        await asyncio.Event().wait()

    monkeypatch.setattr("transactions.stores.postgres_on_loop.connect", connect)
    assert Lane().ask_at_once([f"{ONE}stored/", f"{ONE}waits/"], token) == [0, 0]


def test_without_an_answer_from_redis_django_is_asked(
    posted: list[str], token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(found_together, "intake_connection", _nowhere)
    assert Lane().ask_at_once([f"{ONE}stored/", f"{ONE}waits/"], token) == [0, 0]


def _nowhere() -> Any:
    return redis.asyncio.Redis(unix_socket_path="/nowhere")
