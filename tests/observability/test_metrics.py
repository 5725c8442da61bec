"""/metrics: what is shown of the counts, and that every process knows all of it."""

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from celery.signals import task_success
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings
from rest_framework.test import APIClient

from tests.support.accepting import push, queued, record, take
from tests.support.outages import postgres_away, redis_away, stores_moving_on
from tests.support.scraping import figures, scraped
from tests.support.serving import daphne
from tests.support.watching import watch
from transactions import tasks
from transactions.access.rights import Right
from transactions.access.tokens import create
from transactions.intake.answers import REASONS
from transactions.metrics import counters
from transactions.metrics.counters import FLUSH_RECORDS
from transactions.stores.redis_connection import connection
from transactions.storing.flush import flush
from transactions.tasks import flush_transactions

pytestmark = pytest.mark.django_db(transaction=True)

ADD, MANY = "/api/add-transaction/", "/api/add-transactions/"


@pytest.fixture(autouse=True)
def nothing_counted_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters.tally, "_counts", {})


# --- Who may -----------------------------------------------------------------------------------


def test_who_may_read_sees_the_counts(client: Client, settings: Settings) -> None:
    """What everybody else is told is in tests/access/test_plain_views.py."""
    settings.ALLOW_ANONYMOUS_API = False
    token, _ = create("prometheus", rights=frozenset({Right.READ}))
    answer = client.get("/metrics", HTTP_AUTHORIZATION=f"Bearer {token}")
    assert (answer.status_code, b"transactions_" in answer.content) == (200, True)
    client.force_login(User.objects.create_superuser("root"))
    assert client.get("/metrics").status_code == 200


def test_postgres_away_is_shown_to_whom_redis_knows(client: Client, settings: Settings) -> None:
    settings.ALLOW_ANONYMOUS_API = False
    token, _ = create("prometheus", rights=frozenset({Right.READ}))
    extra: Any = {"HTTP_AUTHORIZATION": f"Bearer {token}"}
    assert client.get("/metrics", **extra).status_code == 200
    with postgres_away():
        answer = client.get("/metrics", **extra)
    found = figures(answer.content.decode())
    assert (found["store_up{store=postgres}"], found["store_up{store=redis}"]) == (0, 1)
    assert "stored_total" not in found
    assert "books_balanced" not in found
    assert found["queue_length"] == 0


def test_stores_that_move_on_while_they_are_read_are_up(client: Client, people: list[User]) -> None:
    take(record("T1", people[0]))
    flush()
    with stores_moving_on():
        found = scraped(client)
    assert (found["store_up{store=postgres}"], found["store_up{store=redis}"]) == (1, 1)
    assert "books_balanced" not in found


def test_redis_away_is_shown(client: Client) -> None:
    with redis_away():
        assert scraped(client) == {"store_up{store=redis}": 0}


# --- What is counted ---------------------------------------------------------------------------


def test_the_figures_of_the_books_are_those_of_the_books(client: Client, people: list[User]) -> None:
    take(record("T1", people[0]), record("T2", people[0]))
    push(queued("T3", 999_999))
    found = scraped(client)
    assert (found["accepted_total"], found["queue_length"], found["books_balanced"]) == (3, 3, 1)
    assert found["oldest_seconds"] > 0
    flush()
    found = scraped(client)
    assert (found["stored_total"], found["rejected_total"], found["rejected_open"]) == (2, 1, 1)
    assert (found["queue_length"], found["in_flight"], found["oldest_seconds"]) == (0, 0, 0)
    assert time.time() - found["last_flush_timestamp_seconds"] < 60
    assert (found["store_up{store=redis}"], found["store_up{store=postgres}"]) == (1, 1)
    assert (found["flush_records_count"], found["flush_records_sum"]) == (1, 3)
    assert found["flush_records_bucket{le=1}"] == 0
    assert found["flush_records_bucket{le=10}"] == 1
    assert found["flush_seconds_count"] == 1
    assert found["flush_seconds_sum"] > 0
    assert found["redis_memory_bytes"] > 100_000
    connection().rpush("transactions_list", "smuggled")
    assert scraped(client)["books_balanced"] == 0


def test_a_fault_of_ours_is_0_before_it_first_happens(client: Client) -> None:
    """Of a figure that begins at 1 Prometheus sees no growth: nobody would be told of a single 500."""
    found = {name: value for name, value in scraped(client).items() if name.startswith("requests_total")}

    assert found == {
        "requests_total{endpoint=add-transaction,status=500}": 0,
        "requests_total{endpoint=add-transactions,status=500}": 0,
    }


def refusals(client: Client) -> dict[str, float]:
    return {
        name.removeprefix("refused_total{reason=").rstrip("}"): value
        for name, value in scraped(client).items()
        if name.startswith("refused_total") and value
    }


def test_what_is_refused_is_counted_by_its_reason(
    client: Client, api: APIClient, people: list[User], settings: Settings
) -> None:
    good = {"transaction_id": "T1", "user": people[0].pk, "amount": 1}
    assert set(scraped(client)) >= {f"refused_total{{reason={reason}}}" for reason in REASONS.values()}

    def post(path: str, body: Any, **extra: Any) -> int:
        return int(api.post(path, body, format="json", **extra).status_code)

    assert post(ADD, good) == 200
    assert refusals(client) == {}
    assert post(ADD, {**good, "amount": 2}) == 409
    assert post(ADD, {**good, "amount": -1}) == 400
    assert post(ADD, {**good, "transaction_id": "T2", "user": 0}) == 400
    assert refusals(client) == {"conflict": 1, "invalid": 2}
    assert post(MANY, [good, {**good, "amount": 2}, {**good, "amount": 3}, {}, 5]) == 200
    assert refusals(client) == {"conflict": 3, "invalid": 4}
    assert post(MANY, {}) == 400
    assert post(ADD, good, HTTP_AUTHORIZATION="Bearer x") == 401
    settings.MAX_QUEUE_LENGTH = 0
    assert post(ADD, {**good, "transaction_id": "T3"}) == 503
    settings.RATE_LIMIT_RECORDS_PER_SECOND, settings.RATE_LIMIT_BURST = 1, 1
    assert {post(ADD, good) for _ in range(3)} >= {429}
    found = refusals(client)
    assert found.pop("rate_limit") >= 1
    assert found == {"conflict": 3, "invalid": 5, "unauthenticated": 1, "unavailable": 1}


def test_a_value_falls_into_the_bucket_of_the_next_bound(client: Client) -> None:
    for value in (0, 1, 1.5, 10, 10**9):
        counters.tally.observe(FLUSH_RECORDS, value)
    found = scraped(client)
    wanted = {"0": 1, "1": 2, "10": 4, "100": 4, "1000000": 4, "+Inf": 5}
    assert {bound: found[f"flush_records_bucket{{le={bound}}}"] for bound in wanted} == wanted


def test_what_becomes_of_ticks_is_counted(client: Client) -> None:
    task = type("Task", (), {"name": tasks.flush_transactions.name})
    tasks.note_expired_tick(sender=task, expired=True)
    tasks.note_expired_tick(sender=task, expired=False)
    tasks.note_done_tick(sender=task)
    tasks.note_done_tick(sender=task)
    tasks.note_done_tick(sender=type("Task", (), {"name": "another"}))
    found = scraped(client)
    assert [found[f"ticks_total{{outcome={outcome}}}"] for outcome in ("done", "failed", "expired")] == [
        2,
        0,
        1,
    ]


def test_celery_tells_of_a_tick_once_however_often_it_is_asked_to(client: Client) -> None:
    tasks.connect_signals()  # the application's start has done so before
    task_success.send(sender=flush_transactions, result=None)
    assert scraped(client)["ticks_total{outcome=done}"] == 1


# --- Several processes -------------------------------------------------------------------------


def within(seconds: float, url: str) -> Iterator[dict[str, float]]:
    """What /metrics says, again and again; counts of other processes come a second late."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        yield figures(httpx.get(f"{url}/metrics", timeout=20, trust_env=False).text)
        time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.parametrize("lane", ["true", "false"])
def test_every_process_knows_the_counts_of_all(people: list[User], lane: str) -> None:
    with daphne(FAST_LANE=lane) as one, daphne(FAST_LANE=lane) as two:
        for number, url in enumerate((one, two, two)):
            body = {"transaction_id": f"T{number}", "user": people[0].pk, "amount": 1}
            assert httpx.post(url + ADD, json=body, trust_env=False).status_code == 200
            assert httpx.post(url + MANY, json=[body, 5], trust_env=False).status_code == 200
            assert httpx.post(url + ADD, json={}, trust_env=False).status_code == 400
        wanted = {
            "requests_total{endpoint=add-transaction,status=200}": 3,
            "requests_total{endpoint=add-transactions,status=200}": 3,
            "requests_total{endpoint=add-transaction,status=400}": 3,
            "refused_total{reason=invalid}": 6,
            "request_seconds_count{endpoint=add-transaction}": 6,
            "request_seconds_bucket{endpoint=add-transactions,le=+Inf}": 3,
        }
        for url in (one, two):
            assert any(wanted.items() <= found.items() for found in within(30, url))


@pytest.mark.slow
def test_websockets_are_counted_while_they_are_open(people: list[User]) -> None:
    with daphne() as one, daphne() as two:
        with watch(one), watch(two), watch(two) as third:
            assert any(found["websocket_clients"] == 3 for found in within(30, one))
            third.send("x" * 5000)
            closed = "websocket_closed_total{code=4009}"
            assert any(
                found.get(closed) == 1 and found["websocket_clients"] == 2 for found in within(30, one)
            )
        assert any(found["websocket_clients"] == 0 for found in within(30, two))
