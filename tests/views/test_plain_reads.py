"""The list, the averages and the books by the shortest way: as Django answers, or left to Django."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
import redis
from django.contrib.auth.models import User
from django.db import OperationalError
from django.http import HttpResponse

from tests.support.accepting import record, take
from tests.support.asgi import http_scope
from tests.support.exchanging import address_of, get, say
from tests.support.serving import daphne
from transaction_monitoring.serving.django_pool import DjangoPool
from transaction_monitoring.serving.errors import store_failure
from transactions.access import rate_limits, token_checks
from transactions.access.plain_heads import Rules
from transactions.access.rights import Right
from transactions.access.tokens import create, digest_of
from transactions.reading import averages, listing
from transactions.stores.redis_connection import connection
from transactions.storing.flush import flush
from transactions.views.plain_reads import CALLS, answer

pytestmark = pytest.mark.django_db(transaction=True)

LIST, AVERAGES, BOOKS = "/api/transactions/", "/api/transactions/average/", "/api/pipeline/"
DAY = datetime(2025, 3, 14, 9, 26, 53, tzinfo=UTC)


@pytest.fixture
def stored(people: list[User]) -> list[User]:
    """Seven transactions of two people, all stored."""
    for number in range(7):
        status = ("SUCCESS", "FAILED", "PENDING")[number % 3]
        day = DAY.replace(day=10 + number)
        take(record(f"order-{number}", people[number % 2], 1000 + number, status=status, created_at=day))
    take(record("Größe 7", people[0], 5, created_at=DAY))
    flush()
    return people


def asked(payer: User) -> Iterator[str]:
    """Good and bad questions, by their paths."""
    for query in (
        *(
            "",
            "?",
            "?limit=3",
            "?limit=0",
            "?limit=1001",
            "?limit=",
            "?limit=3&limit=3",
            "?limit=%33",
            "?limit=3&",
        ),
        *(f"?user={payer.pk}", "?user=0", "?user=999999999", "?user=x", f"?user={payer.pk}&limit=1"),
        *("?status=FAILED", "?status=failed", "?status=SETTLED", "?status=PENDING&limit=2&amount_min=1001"),
        *("?amount_min=1003", "?amount_max=1003", "?amount_min=3&amount_max=2", "?amount_min=-1"),
        *("?from=2025-03-12", "?to=2025-03-12", "?from=2025-03-12&to=2025-03-11", "?from=2025-02-30"),
        *("?from=2025-03-12T00:00:00Z&to=2025-03-14T00:00:00%2B01:00", "?from=2025-03-12T00:00:00+01:00"),
        *("?timezone=Asia/Kathmandu&from=2025-03-12", "?timezone=Nowhere", "?timezone=Etc/GMT+3&limit=1"),
        *("?transaction_id=order-3", "?transaction_id=nothing", "?transaction_id=Gr%C3%B6%C3%9Fe+7"),
        *(
            "?cursor=x",
            "?sort=amount",
            "?x=1",
            "?=1",
            "?limit",
            "?%00=1",
            "?limit=%ff",
            "?limit=%",
            "?limit=\xe9",
        ),
        *(
            "?limit=3;status=FAILED",
            "?limit=3#x",
            "?a=1&" * 200,
            "?" + "&".join(f"a{n}=1" for n in range(1001)),
        ),
    ):
        yield f"{LIST}{query}"
        yield f"{LIST.rstrip('/')}{query}"
    month = "from=2025-03-01&to=2025-03-31"
    for query in (
        *(
            "",
            "?",
            f"?{month}",
            f"?{month}&timezone=Asia/Tehran",
            f"?{month}&status=SUCCESS",
            f"?{month}&user=x",
        ),
        *(
            f"?{month}&user={payer.pk}",
            "?from=2025-03-31&to=2025-03-01",
            "?from=2025-03-01",
            "?to=2025-03-31",
        ),
        *(
            "?from=2020-01-01&to=2025-03-31",
            "?from=1990-01-01&to=2025-03-31",
            "?from=2025-3-1",
            f"?{month}&x=1",
        ),
        *(f"?{month}&from=2025-03-01", f"?{month}&limit=1", "?from=0001-01-01&to=0001-01-02"),
    ):
        yield f"{AVERAGES}{query}"
        yield f"{AVERAGES.rstrip('/')}{query}"
    for query in ("", "?", "?x=1", "?%ff", "?&"):
        yield f"{BOOKS}{query}"
        yield f"{BOOKS.rstrip('/')}{query}"


def requests(payer: User, bearer: str, poster: str) -> Iterator[bytes]:
    """All that is asked, with credentials and without, and what else a head may say."""
    for lines in ((), (bearer,)):
        for path in asked(payer):
            yield get(path, *lines)
        for path in (f"{LIST}?limit=2", f"{AVERAGES}?from=2025-03-01&to=2025-03-31", BOOKS):
            for method in ("HEAD", "OPTIONS", "DELETE", "get"):
                yield get(path, *lines, method=method)
            yield get(path, *lines, host="evil.example")
            yield get(path, *lines, host="localhost:8443")
            yield get(path, poster)
            for line in (
                *("X-Request-Id: mine", "X-Request-Id: no such/name", "Accept: application/json; indent=4"),
                *(
                    "Accept: text/html",
                    "Accept-Encoding: gzip",
                    "Content-Length: 0",
                    "Content-Type: text/plain",
                ),
                *("Content-Type: text/plain; charset=foo", "If-None-Match: *", "Range: bytes=0-3"),
                *("Cookie: a=b", "Cookie: sessionid=x", "Origin: http://evil.example", "Host: localhost"),
                *("Sec-Fetch-Site: cross-site", "X-Forwarded-For: 203.0.113.7", "X-Forwarded-Proto: https"),
                *("X-Forwarded-Host: evil.example", "Accept-Language: de", "Authorization: Bearer other"),
            ):
                yield get(path, *lines, line)


@pytest.mark.slow
@pytest.mark.parametrize("proxy", [False, True], ids=["plain", "behind a proxy"])
def test_both_ways_give_the_same_answers(stored: list[User], proxy: bool) -> None:
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
            for line in (bearer, poster):  # what is plain comes with a token that the process knows
                say(address, get("/api/schema/", line, "X-Forwarded-Proto: https"))
            forwarded = ("X-Forwarded-Proto: https",) if proxy else ()
            table = list(requests(stored[0], bearer, poster))
            if proxy:
                table += [get(path, bearer, *forwarded) for path in asked(stored[0])]
            told.append([(each, say(address, each)) for each in table])
    for (request, short), (_, long) in zip(*told, strict=True):
        assert short == long, request
    statuses = {answer[0] for _, answer in told[0]}
    assert statuses >= ({200, 301, 400} if proxy else {200, 400, 401, 403, 405})


# --- What goes the short way -------------------------------------------------------------------


@pytest.fixture
def token() -> str:
    """A token to read with, which this process knows."""
    token, _ = create("reader", rights=frozenset({Right.READ}))
    assert token_checks.check(token) is not None
    return token


def scope_of(path: str, token: str) -> Any:
    bearer = (b"authorization", f"Bearer {token}".encode())
    return http_scope("GET", path, (b"host", b"localhost"), bearer)


def short(path: str, token: str) -> HttpResponse | None:
    return answer(scope_of(path, token), Rules.of_settings(), lambda error: store_failure(error, path))


@pytest.mark.parametrize(
    "path",
    [
        *(LIST, f"{LIST}?limit=3", f"{LIST}?status=FAILED&from=2025-03-12", f"{LIST}?transaction_id=order-3"),
        *(f"{AVERAGES}?from=2025-03-01&to=2025-03-31", BOOKS, BOOKS.rstrip("/")),
    ],
)
def test_what_is_plain_and_right_never_reaches_django(
    stored: list[User], token: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the comparison above would hold without a short way."""

    def get_response(*_: Any) -> Any:
        raise AssertionError("Django was asked")

    monkeypatch.setattr(DjangoPool, "get_response", get_response)
    assert DjangoPool()._answer(scope_of(path, token), BytesIO()).status_code == 200  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "path",
    [
        *(
            f"{LIST}?limit=0",
            f"{LIST}?x=1",
            f"{LIST}?limit=%ff",
            f"{LIST}?cursor=x",
            f"{LIST}?{'a=1&' * 1001}",
        ),
        *(AVERAGES, f"{AVERAGES}?from=2020-01-01&to=2025-03-31", f"{BOOKS}?x=1"),
    ],
)
def test_what_is_wrong_or_may_have_to_wait_is_left_to_django(
    stored: list[User], token: str, path: str
) -> None:
    assert short(path, token) is None


def test_a_token_that_was_revoked_is_left_to_django(stored: list[User], token: str) -> None:
    token_checks.checked_tokens.put(digest_of(token), None)
    assert short(LIST, token) is None


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OperationalError("the connection is lost"), "A store does not answer. Try again."),
        (redis.ConnectionError("gone"), "A store does not answer. Try again."),
    ],
)
def test_a_store_that_fails_is_told_at_once(
    stored: list[User], token: str, error: Exception, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To ask it once more would take as long again."""
    monkeypatch.setattr(listing, "page", fails(error))
    told = short(LIST, token)
    assert told is not None
    assert (told.status_code, json.loads(told.content), told["Retry-After"]) == (503, {"detail": said}, "5")


def test_what_fails_otherwise_is_logged_and_left_to_django(
    stored: list[User], token: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(listing, "page", fails(ZeroDivisionError("ours")))
    assert short(LIST, token) is None
    assert "ZeroDivisionError: ours" in caplog.text


def test_a_year_waits_for_no_other_question(people: list[User], token: str) -> None:
    for number in range(36):
        day = DAY.replace(month=1, day=1) + timedelta(days=10 * number)
        take(record(f"order-{number}", people[0], 1, created_at=day))
    flush()
    with averages._one_at_a_time:
        told = short(f"{AVERAGES}?from=2025-01-01&to=2025-12-31", token)
    assert told is not None
    assert len(json.loads(told.content)["data"]) == 36


def test_where_nothing_is_limited_no_loop_is_visited(
    stored: list[User], token: str, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RATE_LIMIT_RECORDS_PER_SECOND = 0
    monkeypatch.setattr(rate_limits, "done_on_loop", lambda *_: pytest.fail("visited"))
    assert short(LIST, token) is not None


def fails(error: Exception) -> Any:
    def page(_: Any) -> Any:
        raise error

    return page


def test_a_page_read_the_short_way_is_followed_by_the_rest(stored: list[User]) -> None:
    bearer = f"Authorization: Bearer {create('reader', rights=frozenset({Right.READ}))[0]}"
    with daphne() as url:
        address = address_of(url)
        say(address, get("/api/schema/", bearer))
        found, path = [], f"{LIST}?limit=3"
        while path:
            status, _, body = say(address, get(path, bearer))
            assert status == 200
            page = json.loads(body)
            found += [each["transaction_id"] for each in page["results"]]
            path = page["next"] and page["next"].removeprefix("http://localhost")
    assert found == ["order-6", "order-5", "Größe 7", "order-4", "order-3", "order-2", "order-1", "order-0"]


@pytest.mark.slow
def test_both_ways_are_limited_alike(stored: list[User]) -> None:
    """What is right and what is wrong costs 1, whoever answers; what is refused says when to come again."""
    token, _ = create("reader", rights=frozenset({Right.READ}))
    bearer, told = f"Authorization: Bearer {token}", []
    for lane in ("true", "false"):
        with daphne(
            FAST_LANE=lane,
            RATE_LIMIT_RECORDS_PER_SECOND="1",
            RATE_LIMIT_BURST="60",
            MAX_BATCH_RECORDS="60",
        ) as url:
            address = address_of(url)
            say(address, get("/api/schema/", bearer))
            left = []
            for path in (f"{LIST}?limit=1", f"{LIST}?x=1") * 10:
                status, headers, _ = say(address, get(path, bearer))
                assert status == (200 if path.endswith("limit=1") else 400)
                left.append(int(headers["Ratelimit-Remaining"]))
            # Nineteen, less what the bucket has got back meanwhile.
            assert 10 <= left[0] - left[-1] <= 19, left
            for _ in range(100):
                status, headers, body = say(address, get(f"{LIST}?limit=1", bearer))
                if status == 429:
                    break
            for name in ("Ratelimit-Remaining", "Ratelimit-Reset", "Retry-After"):
                assert headers[name].isdigit()
                headers[name] = "0"
            told.append((status, headers, body))
        connection().flushdb()
    assert told[0] == told[1]
    assert told[0][0] == 429


def test_both_spellings_of_each_path_are_known() -> None:
    assert set(CALLS) == {path.rstrip("/") + slash for path in (LIST, AVERAGES, BOOKS) for slash in ("", "/")}
