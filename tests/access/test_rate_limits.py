"""Rate limits: a bucket for each caller, the same for all processes."""

import asyncio
import json
import logging
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from pytest_django import Settings
from rest_framework.test import APIClient

from tests.support.asgi import http_scope
from tests.support.configuring import settings_with
from tests.support.outages import redis_away
from transaction_monitoring.observability import logs
from transactions.access import rate_limits
from transactions.access.addresses import address_of, is_loopback
from transactions.access.rate_limits import LIMIT, Allowance, Bucket, Limiter, Rates
from transactions.access.rights import Right
from transactions.access.tokens import create, revoke
from transactions.intake.fast_lane import fast_lane
from transactions.queue.keys import QUEUE
from transactions.stores.redis_connection import connection

ADD, MANY = "/api/add-transaction/", "/api/add-transactions/"


@pytest.fixture(autouse=True)
def limited(settings: Settings) -> None:
    """Ten at once, and then one a second: no test here takes so long that it matters."""
    settings.RATE_LIMIT_RECORDS_PER_SECOND = 1
    settings.RATE_LIMIT_BURST = 10
    settings.MAX_BATCH_RECORDS = 10


@asynccontextmanager
async def limiter(*, ahead: bool = False) -> AsyncIterator[Limiter]:
    made = Limiter(ahead=ahead)
    try:
        yield made
    finally:
        await made.close()


def passed(allowances: list[Allowance | None]) -> int:
    return sum(allowance is not None and not allowance.wait_s for allowance in allowances)


# --- The bucket --------------------------------------------------------------------------------


def take(rate: int, burst: int, least: int, most: int, key: str = "bucket") -> tuple[int, float]:
    taken, left = connection().register_script(rate_limits.TAKE)([key], [rate, burst, least, most])
    return taken, float(left)


def test_a_bucket_gives_what_it_has_and_no_more() -> None:
    assert take(1, 10, 4, 4) == (4, 6)
    taken, left = take(1, 10, 5, 100)
    assert (taken, left < 1) == (6, True)
    assert take(1, 10, 3, 3)[0] == 0
    assert take(1, 10, 3, 3, "of another caller")[0] == 3


def test_a_bucket_fills_by_the_servers_clock_and_not_over_its_brim() -> None:
    take(1, 10, 10, 10)
    back = 3_000_000
    connection().hincrbyfloat("bucket", "at", -back)
    taken, left = take(1, 10, 1, 1)
    assert taken == 1
    assert 2 <= left < 3
    connection().hincrbyfloat("bucket", "at", -1000 * back)
    assert take(1, 10, 1, 1) == (1, 9)


def test_a_clock_that_went_back_takes_nothing_away() -> None:
    take(1, 10, 4, 4)
    connection().hset("bucket", "at", "9" * 16)
    assert take(1, 10, 1, 1) == (1, 5)


def test_a_full_bucket_is_forgotten() -> None:
    take(5, 10, 10, 10)
    assert 2_000 < connection().pttl("bucket") <= 3_000


# --- What processes take ahead -----------------------------------------------------------------


def test_several_processes_never_let_more_through_than_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RATE_LIMIT_BURST = 1000
    # However long the machine takes for so many, Redis is not taken to be away.
    monkeypatch.setattr(rate_limits, "PATIENCE_S", 60.0)

    async def flood() -> int:
        async with limiter(ahead=True) as one, limiter(ahead=True) as two, limiter() as three:
            takes = [each.take("till", 1, 0) for _ in range(600) for each in (one, two, three)]
            return passed(list(await asyncio.gather(*takes)))

    # What refills meanwhile comes on top.
    assert 1000 <= asyncio.run(flood()) < 1100


def test_a_busy_caller_costs_redis_far_less_than_a_call_each(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RATE_LIMIT_RECORDS_PER_SECOND = settings.RATE_LIMIT_BURST = 1000
    # However long the machine takes for them, they come at once.
    monkeypatch.setattr(rate_limits, "monotonic", lambda: 1000.0)

    async def some() -> int:
        async with limiter(ahead=True) as one:
            before = connection().info("commandstats").get("cmdstat_evalsha", {}).get("calls", 0)
            allowances = [await one.take("till", 1, 0) for _ in range(500)]
            assert passed(allowances) == 500
            return int(connection().info("commandstats")["cmdstat_evalsha"]["calls"] - before)

    assert asyncio.run(some()) <= 10


@pytest.fixture
def now(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, to be moved: of buckets of a hundred, of which ten are taken ahead."""
    settings.RATE_LIMIT_RECORDS_PER_SECOND = settings.RATE_LIMIT_BURST = 100
    now = [1000.0]
    monkeypatch.setattr(rate_limits, "monotonic", lambda: now[0])
    return now


def test_what_was_taken_ahead_and_not_spent_is_given_up(now: list[float]) -> None:
    async def pause() -> tuple[int, int]:
        async with limiter(ahead=True) as one:
            await one.take("till", 1, 0)
            held = one._buckets["till"].held
            now[0] += rate_limits.LEASE_S
            await one.take("till", 1, 0)
            return held, one._buckets["till"].held

    assert asyncio.run(pause()) == (10, 10)


def test_what_others_spend_while_redis_is_asked_is_no_refusal(settings: Settings) -> None:
    settings.RATE_LIMIT_BURST = 60

    async def amid() -> Allowance | None:
        async with limiter(ahead=True) as one:
            await one.take("till", 1, 0)
            one.give_back("till", 4, 0)
            ask = one._script

            async def slowly(*asked: Any) -> Any:
                one.take_held("till", 3)
                return await ask(*asked)

            one._script = slowly  # type: ignore[assignment]
            return await one.take("till", 5, 0)

    allowance = asyncio.run(amid())
    assert allowance is not None
    assert allowance.wait_s == 0


def test_what_is_given_back_keeps_nothing_else_beyond_its_time(now: list[float]) -> None:
    async def pause() -> list[bool]:
        async with limiter(ahead=True) as one:
            await one.take("till", 1, 0)
            now[0] += rate_limits.LEASE_S - 1
            one.give_back("till", 1, 0)
            there = one.take_held("till", 1) is not None
            now[0] += 2
            held = one.take_held("till", 1) is not None
            one.give_back("till", 1, 0)
            return [there, held, one.take_held("till", 1) is not None, one.take_held("till", 1) is not None]

    assert asyncio.run(pause()) == [True, False, True, False]


def test_who_is_over_the_limit_costs_redis_nothing() -> None:
    async def knock() -> list[Allowance | None]:
        async with limiter() as one:
            await one.take("till", 10, 0)
            first = await one.take("till", 5, 0)
            connection().delete(f"{LIMIT}till")  # Who asked would find a full bucket.
            return [first, await one.take("till", 5, 0)]

    assert passed(asyncio.run(knock())) == 0


def test_it_tells_what_is_left_and_when_to_come_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.RATE_LIMIT_RECORDS_PER_SECOND = 2
    monkeypatch.setattr(rate_limits, "monotonic", lambda: 1000.0)

    async def some() -> list[Allowance | None]:
        async with limiter() as one:
            return [await one.take("till", 7, 0), await one.take("till", 9, 1)]

    first, second = asyncio.run(some())
    assert first is not None
    assert first.headers() == {"RateLimit-Limit": "10", "RateLimit-Remaining": "3", "RateLimit-Reset": "4"}
    assert second is not None
    # Seven are missing of the nine and the one that was paid before.
    assert second.wait_s == 4
    assert second.headers()["Retry-After"] == "4"


def test_it_never_tells_of_more_than_a_bucket_holds() -> None:
    """What a process took ahead has left the bucket, which may be full again meanwhile."""
    bucket = Bucket(Rates(burst=10, per_second=1), held=5, held_until=math.inf, left=10.0)
    assert bucket.allowance().headers() == {
        "RateLimit-Limit": "10",
        "RateLimit-Remaining": "10",
        "RateLimit-Reset": "0",
    }


def test_the_lanes_are_told_the_same_as_django_in_bytes() -> None:
    """In this order, which is that of Django's answer."""
    refused = Allowance(remaining=0, wait_s=3, rates=Rates(burst=10, per_second=4))
    assert refused.lines() == [
        (b"RateLimit-Limit", b"10"),
        (b"RateLimit-Remaining", b"0"),
        (b"RateLimit-Reset", b"3"),
        (b"Retry-After", b"3"),
    ]
    assert list(refused.headers().items()) == [
        ("RateLimit-Limit", "10"),
        ("RateLimit-Remaining", "0"),
        ("RateLimit-Reset", "3"),
        ("Retry-After", "3"),
    ]


def test_a_script_that_redis_forgot_is_sent_again() -> None:
    async def some() -> list[Allowance | None]:
        async with limiter() as one:
            await one.take("till", 1, 0)
            connection().script_flush()
            return [await one.take("till", 1, 0)]

    assert passed(asyncio.run(some())) == 1


def test_without_redis_nobody_is_refused_and_it_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    async def some() -> list[Allowance | None]:
        async with limiter() as one:
            return [await one.take("till", 7, 0) for _ in range(5)]

    with redis_away():
        assert asyncio.run(some()) == [None] * 5
    assert caplog.text.count("no limit") == 1


def test_a_limit_of_zero_is_none(settings: Settings) -> None:
    settings.RATE_LIMIT_RECORDS_PER_SECOND = 0
    with redis_away():
        assert async_to_sync(rate_limits.take)("till", 10**9) is None


def test_a_batch_that_no_bucket_holds_is_a_fault_of_the_settings() -> None:
    environment = {"SECRET_KEY": "x", "RATE_LIMIT_BURST": "9", "MAX_BATCH_RECORDS": "10"}
    assert settings_with({**environment, "RATE_LIMIT_RECORDS_PER_SECOND": "0"})
    with pytest.raises(Exception, match="non-zero exit status") as caught:
        settings_with(environment)
    told = caught.value.stderr  # type: ignore[attr-defined]
    assert told == b"RATE_LIMIT_BURST must be MAX_BATCH_RECORDS or more\n"


# --- The API -----------------------------------------------------------------------------------

pytestmark = pytest.mark.django_db(transaction=True)


def post(api: APIClient, path: str, document: Any, **extra: Any) -> Any:
    return api.post(path, document, format="json", **extra)


def record(user: User, number: int) -> dict[str, Any]:
    return {"transaction_id": f"T{number}", "user": user.pk, "amount": 1}


def test_the_limit_counts_records_and_says_what_is_left(api: APIClient, people: list[User]) -> None:
    answer = post(api, ADD, record(people[0], 0))
    assert (answer.status_code, answer["RateLimit-Limit"], answer["RateLimit-Remaining"]) == (200, "10", "9")
    answer = post(api, MANY, [record(people[0], number) for number in range(1, 8)])
    assert (answer.status_code, answer["RateLimit-Remaining"]) == (200, "2")
    answer = post(api, MANY, [record(people[0], number) for number in range(10, 20)])
    assert answer.status_code == 429
    assert answer.json() == {"detail": rate_limits.REFUSED}
    assert 8 <= int(answer["Retry-After"]) <= 9
    assert connection().llen(QUEUE) == 8


def test_a_refused_request_takes_nothing_and_one_that_waits_as_told_passes(
    api: APIClient, people: list[User]
) -> None:
    assert post(api, MANY, [record(people[0], number) for number in range(10)]).status_code == 200
    refused = post(api, ADD, record(people[0], 100))
    assert refused.status_code == 429
    (bucket,) = connection().keys(f"{LIMIT}*")
    connection().hincrbyfloat(bucket, "at", -1_000_000 * int(refused["Retry-After"]))
    assert post(api, ADD, record(people[0], 100)).status_code == 200


@pytest.mark.parametrize("body", ["{", "[]", "[1", ""])
def test_a_malformed_request_costs_one_too(api: APIClient, body: str) -> None:
    statuses = [
        api.generic("POST", MANY, body, content_type="application/json").status_code for _ in range(12)
    ]
    assert set(statuses[:10]) == {200 if body == "[]" else 400}
    assert 429 in statuses


def test_reading_is_limited_as_well(api: APIClient) -> None:
    statuses = [api.get("/api/pipeline/").status_code for _ in range(12)]
    assert statuses[:10] == [200] * 10
    assert 429 in statuses


@pytest.mark.parametrize(
    ("peer", "bucket"),
    [
        ("64:ff9b::203.0.113.7", "203.0.113.7"),
        ("64:ff9b::cb00:7108", "203.0.113.8"),
        ("64:ff9b:1::203.0.113.7", "203.0.113.7"),
        ("64:ff9b:1:fffe::203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("::ffff:0:203.0.113.7", "203.0.113.7"),
        ("::203.0.113.7", "203.0.113.7"),
        ("2002:cb00:7107::1", "203.0.113.7"),
        ("2001:0:4136:e378:8000:63bf:34ff:8ef8", "203.0.113.7"),
        ("::1", "::1"),
        ("2001:db8::cb00:7107", "2001:db8::"),
        ("64:ff9b:2::203.0.113.7", "64:ff9b:2::"),
    ],
)
def test_an_address_of_ipv4_is_that_however_it_was_translated(peer: str, bucket: str) -> None:
    assert address_of(peer, "") == bucket


@pytest.mark.parametrize("peer", ["64:ff9b::127.0.0.1", "::127.0.0.1", "2002:7f00:1::", "::ffff:0:127.0.0.1"])
def test_nobody_is_on_this_machine_for_an_address_within_another(peer: str) -> None:
    assert not is_loopback(peer)


def test_each_token_has_a_bucket_of_its_own_whatever_its_address(api: APIClient) -> None:
    rights = frozenset({Right.READ})
    for token in [create(name, rights=rights)[0] for name in ("one", "two")]:
        extra: Any = {"HTTP_AUTHORIZATION": f"Bearer {token}"}
        statuses = [
            api.get("/api/pipeline/", REMOTE_ADDR=f"10.0.0.{number}", **extra).status_code
            for number in range(13)
        ]
        assert statuses[:10] == [200] * 10
        assert 429 in statuses


def test_a_token_that_the_process_does_not_know_yet_pays_for_its_first_batch(
    api: APIClient, people: list[User]
) -> None:
    extra: Any = {"HTTP_AUTHORIZATION": f"Bearer {create('one')[0]}"}
    batch = [record(people[0], number) for number in range(10)]
    answers = [post(api, MANY, batch, **extra) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert answers[0]["RateLimit-Remaining"] == "0"
    # The address has paid for nothing.
    assert post(api, ADD, batch[0]).status_code == 200


def test_who_tries_tokens_is_limited_by_address(api: APIClient) -> None:
    revoked, row = create("till 1")
    revoke(row.name)
    for token, address in ((revoked, "10.0.0.1"), ("txmon_" + "A" * 43, "10.0.0.2"), ("no form", "10.0.0.3")):
        extra: Any = {"REMOTE_ADDR": address, "HTTP_AUTHORIZATION": f"Bearer {token}"}
        statuses = [api.get("/api/pipeline/", **extra).status_code for _ in range(12)]
        assert statuses[:10] == [401] * 10
        assert 429 in statuses


def test_the_address_is_that_of_trusted_proxies_alone(api: APIClient, settings: Settings) -> None:
    for proxies, made_up in ((0, "203.0.113.{}"), (1, "203.0.113.{}, 198.51.100.7")):
        connection().flushdb()
        settings.TRUSTED_PROXIES = proxies
        for number in range(12):
            api.get("/api/pipeline/", HTTP_X_FORWARDED_FOR=made_up.format(number))
        address = "198.51.100.7" if proxies else "127.0.0.1"
        assert connection().keys(f"{LIMIT}*") == [f"{LIMIT}address:{address}".encode()]


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, "", "192.0.2.1"),
        (0, "203.0.113.7", "192.0.2.1"),
        (1, "203.0.113.7", "203.0.113.7"),
        (1, "made-up, 203.0.113.7", "203.0.113.7"),
        (2, "1.1.1.1, 203.0.113.7, 198.51.100.1", "203.0.113.7"),
        (2, "203.0.113.7", "192.0.2.1"),
        (1, "", "192.0.2.1"),
        (1, "no address", "192.0.2.1"),
        # The caller's port, which some proxies write too, is another one at every connection.
        (1, "203.0.113.7:51111", "203.0.113.7"),
        (1, "made-up:1,  203.0.113.7:51111 ", "203.0.113.7"),
        (1, '"203.0.113.7:51111"', "203.0.113.7"),
        (1, "[2001:db8::1]:443", "2001:db8::"),
        (1, '"[2001:db8::1]:443"', "2001:db8::"),
        (1, "[2001:db8::1]", "2001:db8::"),
        (1, "[2001:DB8:0:0:ffff::9]:51111", "2001:db8::"),
        (1, "[::ffff:203.0.113.7]:443", "203.0.113.7"),
        (1, "::ffff:203.0.113.7%eth0", "203.0.113.7"),
        (1, "fe80::1%eth0", "fe80::"),
        (1, "[fe80::1%25eth0]:443", "fe80::"),
        (2, "203.0.113.7:51111, 198.51.100.1:443", "203.0.113.7"),
        # What is no address is not believed.
        (1, "unknown", "192.0.2.1"),
        (1, "_hidden", "192.0.2.1"),
        (1, "_hidden:51111", "192.0.2.1"),
        (1, "203.0.113.7:_port", "192.0.2.1"),
        (1, "203.0.113.7:", "192.0.2.1"),
        (1, "203.0.113.7:123456", "192.0.2.1"),
        (1, "[203.0.113.7]:443", "192.0.2.1"),
        (1, "[2001:db8::1", "192.0.2.1"),
        (1, "[2001:db8::1]443", "192.0.2.1"),
        (1, "203.0.113.07", "192.0.2.1"),
        (1, "203.0.113", "192.0.2.1"),
        (1, "٢٠٣.0.113.7", "192.0.2.1"),
        (1, "localhost", "192.0.2.1"),
        (1, "203.0.113.7,", "192.0.2.1"),
        (1, '"', "192.0.2.1"),
        (1, "[" * 10_000, "192.0.2.1"),
        (1, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        (1, "::ffff:203.0.113.7", "203.0.113.7"),
    ],
)
def test_the_client_s_address(settings: Settings, proxies: int, forwarded: str, address: str) -> None:
    settings.TRUSTED_PROXIES = proxies
    assert address_of("192.0.2.1", forwarded) == address


def test_a_batch_that_the_lane_leaves_to_django_has_paid_nothing(people: list[User]) -> None:
    """More braces than records: Django counts, and charges, the records."""
    batch = [{**record(people[0], n), "transaction_id": f"{{{{{n}"} for n in range(2)]
    body = json.dumps(batch).encode()
    headers = ((b"host", b"localhost"), (b"content-type", b"application/json"))

    async def django(*_: Any) -> None:
        pass

    async def receive() -> Any:
        return {"type": "http.request", "body": body}

    async def run() -> Allowance | None:
        rate_limits.serve_here()
        caller = "address:127.0.0.1"
        await rate_limits.take(caller, 6)
        scope = http_scope("POST", MANY, *headers, (b"content-length", b"%d" % len(body)))
        await fast_lane(django, logs.request_id)(scope, receive, django)
        return await rate_limits.take(caller, 4)

    assert passed([async_to_sync(run)()]) == 1


def test_the_limiter_s_outage_is_no_refusal_of_its_own(
    api: APIClient, people: list[User], caplog: pytest.LogCaptureFixture
) -> None:
    with redis_away(), caplog.at_level(logging.CRITICAL):
        answers = [post(api, ADD, record(people[0], number)) for number in range(12)]
    assert {answer.status_code for answer in answers} == {503}
