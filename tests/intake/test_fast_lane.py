"""The fast lane answers as Django does, or leaves the request to Django."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User

from tests.support.asgi import http_scope
from tests.support.exchanging import address_of, post, say
from tests.support.serving import daphne
from transaction_monitoring.observability import logs
from transactions.access.rights import Right
from transactions.access.tokens import create
from transactions.intake.fast_lane import fast_lane
from transactions.queue.keys import QUEUE
from transactions.stores.redis_connection import connection

pytestmark = pytest.mark.django_db(transaction=True)

ADD, MANY = "/api/add-transaction/", "/api/add-transactions/"
BODY_MAX = 4096


def one(user: User, id: str, **more: Any) -> dict[str, Any]:
    return {"transaction_id": id, "user": user.pk, "amount": 1000, **more}


def requests(user: User, bearer: str, read_only: str) -> Iterator[bytes]:
    """A long table, in an order that matters: what comes first is replayed or contradicted later."""
    for lines in ((), (bearer,)):
        yield from of_records(user, *lines)
        yield from of_batches(user, *lines)
        yield from of_forms(user, *lines)
    yield from of_bodies(user, bearer)
    yield from of_texts(user, bearer)
    yield from of_headers(user, bearer, read_only)
    yield from of_proxies(user, bearer)
    yield from of_methods_and_paths(user)


def of_records(user: User, *lines: str) -> Iterator[bytes]:
    """By who is known and by who is not, so with ids of each."""
    mark = "T" if lines else "A"
    for path in (ADD, ADD[:-1]):
        yield post(path, one(user, f"{mark}{path}"), *lines)
        for said in (
            {},
            {"status": "SUCCESS"},
            {"status": "FAILED"},
            {"amount": 7, "created_at": "2020-01-01T00:00:00Z"},
            {"user": 999_999},
        ):
            yield post(path, {**one(user, f"{mark}{path}"), **said}, *lines)
    for change in (
        {"user": "1x"},
        {"amount": -1},
        {"amount": "5"},
        {"amount": 1.0},
        {"status": "x"},
        {"created_at": "2026-01-31"},
        {"created_at": "2026-01-31T00:00:00+03:30"},
        {"transaction_id": " odd"},
        {"transaction_id": "üñ\u2028"},
        {"transaction_id": "ü" * 100},
        {"more": [1]},
    ):
        yield post(ADD, {**one(user, f"{mark}odd"), **change}, *lines)


FORM = "application/x-www-form-urlencoded"


def of_forms(user: User, *lines: str) -> Iterator[bytes]:
    """Right in every way, a replay, a conflict, and wrong in ways that a form alone has."""
    mark = "FT" if lines else "FA"
    right = f"transaction_id={mark}&user={user.pk}&amount=1000"
    for text in (
        *(right, right, f"{right}&status=SUCCESS", right.replace("1000", "7"), right.replace("1000", "0012")),
        *(f"{right}&status=", f"{right}&amount=1000", f"{right}&more=1", f"{right}&created_at=2020-01-01"),
        *(
            f"{right}&created_at=2020-01-01T00:00:00Z",
            f"{right}&currency=XTS",
            f"{right}&csrfmiddlewaretoken=x",
        ),
        *("", "&", "=", "user", f"user={user.pk}", right.replace("transaction_id", "transaction%5Fid")),
        *(
            right.replace(mark, f"+{mark}+"),
            right.replace(mark, f"{mark}+x"),
            right.replace(mark, f"{mark}%00"),
        ),
        *(
            right.replace(mark, f"{mark}%ff"),
            right.replace(mark, f"{mark}%C3%A9"),
            right.replace(mark, "%ZZ"),
        ),
        *(
            right.replace(mark, f"{mark}é"),
            right.replace(mark, "x" * 101),
            right + "&x=1" * 1100,
            f"\ufeff{right}",
        ),
        *(right.replace(str(user.pk), "999999"), right.replace(str(user.pk), "1e3"), right.replace("&", ";")),
    ):
        for path in (ADD, ADD[:-1], MANY):
            yield post(path, text.encode(), *lines, type=FORM)
    yield post(ADD, right.encode() + b"\xff", *lines, type=FORM)
    for number, stated in enumerate(("utf-8", "UTF8", "iso-8859-1", "foo", "")):
        body = right.replace(mark, f"{mark}{number}").encode()
        yield post(ADD, body, *lines, type=f"{FORM}; charset={stated}")
        yield post(ADD, body, *lines, type=FORM.upper())
    yield post(ADD, json.dumps(one(user, mark)).encode(), *lines, type=FORM)
    yield post(ADD, right.encode(), *lines)


def of_batches(user: User, *lines: str) -> Iterator[bytes]:
    mark = "T" if lines else "A"
    for text in (b"", b"{", b"[]", b"null", b"\xff", b"[" * 3000, b'{"a": NaN}'):
        yield post(ADD, text, *lines)
        yield post(MANY, text, *lines)
    first, second = one(user, f"{mark}1"), one(user, f"{mark}2")
    batch = [first, first, {**first, "amount": 1}, {**second, "user": 0}, 5]
    for query in ("", "?atomic=true", "?atomic=false", "?atomic=perhaps", "?other=1"):
        yield post(MANY + query, batch, *lines)
        yield post(MANY + query, batch[:2], *lines)
    yield post(MANY, [one(user, f"{mark}{number}") for number in range(20)], *lines)
    yield post(MANY, b"{}\n{}", *lines, type="application/x-ndjson")


def of_bodies(user: User, bearer: str) -> Iterator[bytes]:
    """How long they are, and how they say that they are encoded."""
    yield post(ADD, one(user, "A"), "X-Request-Id: mine")
    yield post(ADD, b"x" * (BODY_MAX + 1))
    yield post(MANY, b"x" * (BODY_MAX + 1))
    yield post(ADD, one(user, "Q"), type="application/json; charset=utf-8")
    yield post(ADD, one(user, "Q2"), type="APPLICATION/JSON")
    for number, stated in enumerate(
        ("UTF8", '"utf-8"', "iso-8859-1", "utf-16", "foo", "utf-8; charset=foo", "")
    ):
        type = f"application/json; charset={stated}"
        yield post(ADD, one(user, f"C{number}"), type=type)
        yield post(MANY, [one(user, f"C{number}")], bearer, type=type)
        yield post(ADD, one(user, f"C{number}"), bearer, type=type)
    text = json.dumps(one(user, "B"))
    for body in (text.encode("utf-8-sig"), text.encode("utf-16")):
        yield post(ADD, body)
        yield post(ADD, body, bearer)
        yield post(MANY, body.replace(b"{", b"[{").replace(b"}", b"}]"), bearer)


def of_texts(user: User, bearer: str) -> Iterator[bytes]:
    """Ids that cannot be seen, moments and numbers that can be read in two ways."""
    for id in ("\u200b", "\u202e\u202e", "\u3164", "\ufe0f", "\u2800", "a\u200b", "👩\u200d👩"):
        yield post(ADD, one(user, id), bearer)
    for digits in ("123456789", "1234567890"):
        yield post(ADD, one(user, digits, created_at=f"2026-01-31T00:00:00.{digits}Z"), bearer)
    yield post(ADD, b'{"transaction_id": -0, "user": %d, "amount": 1}' % user.pk, bearer)
    yield post(ADD, b'{"transaction_id": "N", "user": %d, "amount": -0}' % user.pk, bearer)
    yield post(ADD + "?x=1", one(user, "Q3"))
    yield post(ADD, b"transaction_id=F&user=1&amount=1", type="application/x-www-form-urlencoded")
    yield post(ADD, b"<a/>", type="text/xml")


def of_headers(user: User, bearer: str, read_only: str) -> Iterator[bytes]:
    yield post(ADD, one(user, "H"), host="evil.example")
    for id, lines in (
        ("H", ("Host: localhost",)),
        ("H2", ("Cookie: sessionid=x",)),
        ("H3", ("Origin: http://evil.example",)),
        ("H3", ("Sec-Fetch-Site: cross-site",)),
        ("H4", ("X-Forwarded-For: 203.0.113.7",)),
        ("H5", ("X-Forwarded-For: 203.0.113.7", bearer)),
        ("H6", ("Authorization: Bearer wrong",)),
        ("H6", (read_only,)),
        ("H6", ("Authorization: Basic YTpi",)),
        ("H7", ("Expect: 100-continue",)),
        ("H8", ("X-HTTP-Method-Override: DELETE",)),
        ("H9", ("Accept: text/html",)),
    ):
        yield post(ADD, one(user, id), *lines)


def of_proxies(user: User, bearer: str) -> Iterator[bytes]:
    for number, proto in enumerate(("https", "http", "https,http", "http, https", "HTTPS", "")):
        line = f"X-Forwarded-Proto: {proto}"
        yield post(ADD, one(user, f"S{number}"), line, bearer)
        yield post(MANY, [one(user, f"S{number}")], line, bearer)
        yield post(ADD, one(user, f"S{number}"), line)


def of_methods_and_paths(user: User) -> Iterator[bytes]:
    chunk = json.dumps(one(user, "C")).encode()
    yield post(ADD, b"%x\r\n%s\r\n0\r\n\r\n" % (len(chunk), chunk), "Transfer-Encoding: chunked")
    yield post("/api/add-transactionS/", one(user, "P"))
    for method in (b"GET ", b"OPTIONS "):
        yield method + post(ADD, one(user, "G")).removeprefix(b"POST ")


@pytest.mark.slow
@pytest.mark.parametrize("proxy", [False, True], ids=["plain", "behind a proxy"])
def test_both_ways_give_the_same_answers(people: list[User], proxy: bool) -> None:
    bearer = f"Authorization: Bearer {create('poster', rights=frozenset({Right.POST}))[0]}"
    reader = f"Authorization: Bearer {create('reader', rights=frozenset({Right.READ}))[0]}"
    told = []
    for lane in ("true", "false"):
        connection().flushdb()
        with daphne(
            FAST_LANE=lane,
            DATA_UPLOAD_MAX_MEMORY_SIZE=str(BODY_MAX),
            SECURE_SSL_REDIRECT=str(proxy),
            SECURE_HSTS_SECONDS="60",
            SECURE_PROXY_SSL_HEADER="X-Forwarded-Proto,https" if proxy else "",
        ) as url:
            address = address_of(url)
            warm = post(ADD, b"{}", bearer, "X-Forwarded-Proto: https")
            say(address, warm)  # the lane takes tokens that the process knows
            told.append([(request, say(address, request)) for request in requests(people[0], bearer, reader)])
    for (request, fast), (_, slow) in zip(*told, strict=True):
        assert fast == slow, request
    statuses = {answer[0] for _, answer in told[0]}
    assert statuses >= ({200, 301} if proxy else {200, 400, 401, 403, 405, 409, 413, 415})


def until_limited(address: tuple[str, int], request: bytes) -> list[tuple[int, dict[str, str], bytes]]:
    """The answers to a request sent until it is refused for being one too many, the numbers set to 0."""
    told = []
    for _ in range(1000):
        status, headers, body = say(address, request)
        for name in ("Ratelimit-Remaining", "Ratelimit-Reset", "Retry-After"):  # As Daphne writes them.
            assert headers.get(name, "0").isdigit()
            headers.update({name: "0"} if name in headers else {})
        told.append((status, headers, body))
        if status == 429:
            return [told[0], told[-1]]
    raise AssertionError("nothing was refused")


@pytest.mark.slow
def test_both_ways_are_limited_alike(people: list[User]) -> None:
    """A tenth of the limit's records at once, so that both its steps refuse: the first, and the rest's."""
    token, _ = create("poster", rights=frozenset({Right.POST}))
    told: list[Any] = []
    for lane in ("true", "false"):
        connection().flushdb()
        with daphne(
            FAST_LANE=lane,
            RATE_LIMIT_RECORDS_PER_SECOND="1",
            RATE_LIMIT_BURST="12",
            MAX_BATCH_RECORDS="12",
        ) as url:
            address = address_of(url)
            answers = []
            for lines in ((), (f"Authorization: Bearer {token}",)):
                say(address, post(ADD, b"{}", *lines))  # the lane takes tokens that the process knows
                record = {"transaction_id": "T1", "user": people[0].pk, "amount": 1}
                answers += until_limited(address, post(MANY, [record] * 4, *lines))
                # What is left may have become enough for one more meanwhile: only their last is a refusal.
                for request in (
                    post(ADD, record, *lines),
                    post(MANY, [record], *lines),
                    post(ADD, b"{", *lines),
                ):
                    answers.append(until_limited(address, request)[-1])
            told.append(answers)
    assert told[0] == told[1]
    assert {status for status, _, _ in told[0]} >= {200, 429}
    refused = next(headers for status, headers, _ in told[0] if status == 429)
    assert {"Retry-After", "Ratelimit-Limit", "Ratelimit-Remaining", "Ratelimit-Reset"} <= refused.keys()


@pytest.mark.slow
@pytest.mark.parametrize("lane", ["true", "false"])
def test_a_batch_that_is_refused_has_paid_nothing(people: list[User], lane: str) -> None:
    """Or many who try again would keep each other out for ever."""
    token, _ = create("poster", rights=frozenset({Right.POST}))
    bearer = f"Authorization: Bearer {token}"
    record = {"transaction_id": "T1", "user": people[0].pk, "amount": 1}
    with daphne(
        FAST_LANE=lane, RATE_LIMIT_RECORDS_PER_SECOND="1", RATE_LIMIT_BURST="200", MAX_BATCH_RECORDS="200"
    ) as url:
        address = address_of(url)
        say(address, post(ADD, b"{}", bearer))  # the lane takes tokens that the process knows
        assert say(address, post(MANY, [record] * 150, bearer))[0] == 200
        told = [say(address, post(MANY, [record] * 200, bearer)) for _ in range(100)]
    assert {status for status, _, _ in told} == {429}
    left = [int(headers["Ratelimit-Remaining"]) for _, headers, _ in told]
    assert left == sorted(left)
    assert left[0] >= 49
    assert int(told[0][1]["Retry-After"]) <= 151


@pytest.mark.slow
@pytest.mark.parametrize("lane", ["true", "false"])
def test_a_batch_costs_its_records_whatever_their_ids_and_an_empty_one_costs_1(
    people: list[User], lane: str
) -> None:
    """The lane pays by the braces that it sees, before it decodes, and gets back what was too much."""
    token, _ = create("poster", rights=frozenset({Right.POST}))
    bearer = f"Authorization: Bearer {token}"
    with daphne(
        FAST_LANE=lane,
        RATE_LIMIT_RECORDS_PER_SECOND="1",
        RATE_LIMIT_BURST="1000",
        MAX_BATCH_RECORDS="500",
    ) as url:
        address = address_of(url)
        # The lane takes tokens that the process knows.
        left = [int(say(address, post(ADD, b"{}", bearer))[1]["Ratelimit-Remaining"])]
        for documents, cost in (
            ([{"transaction_id": f"{{T{n}}}", "user": people[0].pk, "amount": 1} for n in range(200)], 200),
            ([{"transaction_id": "{" * 80, "user": people[0].pk, "amount": n} for n in range(1)], 1),
            ([{"transaction_id": "T", "user": people[0].pk, "amount": 1.5}] * 100, 100),
            *(([], 1),) * 50,
        ):
            status, headers, _ = say(address, post(MANY, documents, bearer))
            assert status == 200
            left.append(int(headers["Ratelimit-Remaining"]))
            assert left[-2] - cost <= left[-1] <= left[-2] - cost + 3, (cost, left)
        assert left[-1] <= 1000 - 200 - 1 - 100 - 50 + 10


@pytest.mark.slow
@pytest.mark.parametrize("lane", ["true", "false"])
def test_a_full_queue_is_told_alike(people: list[User], lane: str) -> None:
    record = {"transaction_id": "T1", "user": people[0].pk, "amount": 1}
    connection().rpush(QUEUE, "x", "y")
    with daphne(FAST_LANE=lane, MAX_QUEUE_LENGTH="2") as url:
        address = address_of(url)
        status, headers, body = say(address, post(ADD, record))
        assert (status, headers["Retry-After"]) == (503, "5")
        assert re.search("queue is full", json.loads(body)["detail"])
        assert say(address, post(MANY, [record]))[0] == 503


@pytest.mark.parametrize("is_form", [False, True], ids=["JSON", "a form"])
def test_the_common_post_never_reaches_django(people: list[User], is_form: bool) -> None:
    """Else the comparison above would hold without a lane."""
    record = {"transaction_id": "T1", "user": people[0].pk, "amount": 1}
    body = urlencode(record).encode() if is_form else json.dumps(record).encode()
    of_type = FORM if is_form else "application/json"
    headers = {"host": "localhost", "content-type": of_type, "content-length": str(len(body))}
    scope = http_scope("POST", ADD, *((name.encode(), value.encode()) for name, value in headers.items()))
    sent: list[Any] = []

    async def django(*_: Any) -> None:
        raise AssertionError("Django was asked")

    async def receive() -> Any:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        sent.append(message)

    async_to_sync(fast_lane(django, logs.request_id))(scope, receive, send)
    assert sent[0]["status"] == 200
    assert connection().llen(QUEUE) == 1
