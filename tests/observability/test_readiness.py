"""/livez and /readyz: what everybody is told, and what those are told who may read."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from tests.support.accepting import record, take
from tests.support.outages import postgres_away, redis_away, stores_moving_on
from transaction_monitoring.observability import health
from transactions.access.rights import Right
from transactions.access.tokens import create
from transactions.metrics import ticks
from transactions.models import Epoch
from transactions.queue.keys import QUEUE
from transactions.stores.postgres_session import FLUSH_LOCK, Session
from transactions.stores.redis_connection import connection
from transactions.storing import history
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def began_just_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "STARTED_AT", datetime.now(UTC))


@pytest.fixture
def began_long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "STARTED_AT", datetime.now(UTC) - timedelta(hours=1))


def told(client: Client, **extra: Any) -> tuple[int, dict[str, Any]]:
    answer = client.get("/readyz", **extra)
    return answer.status_code, answer.json()


def test_everybody_learns_whether_and_nobody_else_why(
    client: Client, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    settings.ALLOW_ANONYMOUS_API = False
    assert told(client) == (200, {"status": "ready"})
    connection().rpush(QUEUE, "smuggled")
    assert told(client) == (503, {"status": "not ready"})
    client.force_login(User.objects.create_user("customer"))
    assert told(client) == (503, {"status": "not ready"})
    client.logout()
    for right, sees in ((Right.POST, False), (Right.READ, True)):
        token, _ = create(str(right), rights=frozenset({right}))
        _, body = told(client, HTTP_AUTHORIZATION=f"Bearer {token}")
        assert ("problems" in body) == sees
    with redis_away(), postgres_away():
        assert told(client) == (503, {"status": "not ready"})
    assert "/readyz" not in caplog.text  # A probe comes every few seconds.


def test_who_may_read_sees_the_stores_the_flush_and_the_books(client: Client, people: list[User]) -> None:
    take(record("T1", people[0]))
    flush()
    status, body = told(client)
    assert (status, body["problems"], body["alarms"]) == (200, [], [])
    assert body["stores"] == {"redis": "up", "postgres": "up"}
    assert 0 <= body["last_flush_seconds"] < 60
    assert (body["books"]["stored"], body["books"]["balanced"]) == (1, True)


def test_it_is_alive_whatever_is_away(client: Client) -> None:
    with redis_away(), postgres_away():
        answer = client.get("/livez")
    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})


def test_it_names_the_store_that_is_away(client: Client) -> None:
    with postgres_away():
        status, body = told(client)
    assert (status, body["problems"]) == (503, ["PostgreSQL does not answer"])
    assert body["stores"] == {"redis": "up", "postgres": "down"}
    with redis_away():
        status, body = told(client)
    assert (status, body["problems"]) == (503, ["Redis does not answer"])
    assert body["stores"]["redis"] == "down"


def test_stores_that_move_on_while_they_are_read_are_up(client: Client, people: list[User]) -> None:
    """The flush commits faster than the books can be read: they say nothing, and nothing is wrong."""
    take(record("T1", people[0]))
    flush()
    with stores_moving_on():
        status, body = told(client)
    assert (status, body["problems"]) == (200, [])
    assert body["stores"] == {"redis": "up", "postgres": "up"}
    assert body["books"]["balanced"] is None


def test_an_alarm_shows_until_it_is_acknowledged(client: Client) -> None:
    epoch = Epoch.objects.create(alarm="The Redis data vanished.")
    status, body = told(client)
    assert (status, body["alarms"]) == (503, ["The Redis data vanished."])
    epoch.alarm_acknowledged_at = datetime.now(UTC)
    epoch.save()
    assert told(client)[0] == 200


def test_books_that_do_not_balance_show(client: Client) -> None:
    connection().rpush(QUEUE, "smuggled")
    status, body = told(client)
    assert (status, body["problems"]) == (503, ["the books do not balance"])


@pytest.mark.usefixtures("began_long_ago")
@pytest.mark.parametrize(
    ("outcomes", "why"),
    [
        ((), health.NO_TICKS),
        (("done", "expired"), health.LATE_TICKS),
        (("done", "failed"), health.FAILING),
    ],
)
def test_it_tells_why_no_flush_runs(client: Client, outcomes: tuple[str, ...], why: str) -> None:
    for number, outcome in enumerate(outcomes):
        ticks.tick(outcome)
        connection().hincrbyfloat(ticks.TICKS, outcome, number - 5)
    status, body = told(client)
    assert (status, body["problems"]) == (503, [f"no flush has run lately; {why}"])
    assert set(body["last_ticks_seconds"]) == set(outcomes)


@pytest.mark.usefixtures("began_long_ago")
def test_a_tick_of_long_ago_explains_nothing(client: Client) -> None:
    ticks.tick("expired")
    connection().hincrbyfloat(ticks.TICKS, "expired", -3600)
    assert told(client)[1]["problems"] == [f"no flush has run lately; {health.NO_TICKS}"]


@pytest.mark.usefixtures("began_long_ago")
def test_a_flush_makes_it_ready(client: Client, people: list[User]) -> None:
    take(record("T1", people[0]))
    assert told(client)[0] == 503
    flush()
    assert told(client)[0] == 200


@pytest.mark.usefixtures("began_long_ago")
def test_a_long_flush_is_no_missing_one(client: Client) -> None:
    with Session() as flusher:
        assert flusher.try_lock(FLUSH_LOCK)
        assert told(client) == (200, {**told(client)[1], "problems": []})
    assert told(client)[0] == 503


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "TRACE"])
@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_the_probes_are_for_reading(client: Client, path: str, method: str) -> None:
    answer = client.generic(method, path)
    assert (answer.status_code, answer["Allow"]) == (405, "GET, HEAD")
    assert client.head(path).status_code == 200
