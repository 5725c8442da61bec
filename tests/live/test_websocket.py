"""The websocket's plain stream, over Daphne as it runs in production."""

import contextlib
import json
import time
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from channels.layers import get_channel_layer
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from pytest_django import Settings
from websockets.exceptions import ConnectionClosed

from dev.servers import PrivateRedis
from tests.support.accepting import NOW, queued, record
from tests.support.serving import daphne
from tests.support.watching import PATH, PATIENCE_S, close_code, heard, post, refused, session_of, watch
from transaction_monitoring.routing import websocket_application
from transactions.intake import ingest
from transactions.live import consumer
from transactions.live.close_codes import (
    CREDENTIALS_ENDED,
    TOO_LARGE_MESSAGE,
    TOO_MANY_MESSAGES,
    TOO_SLOW,
    TRY_AGAIN,
)
from transactions.live.consumer import HEARD_BYTES_MAX, HEARD_PER_SECOND_MAX
from transactions.live.feed import ACCEPTED, GROUP
from transactions.live.readers import SHOWN_PER_SECOND_MAX
from transactions.queue.keys import BOOKS, FEED
from transactions.stores.redis_connection import connection as redis_connection

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.slow,
    pytest.mark.usefixtures("nothing_failed_aloud"),
]


# --- What is shown -----------------------------------------------------------------------------


@pytest.mark.parametrize("path", [PATH, PATH.rstrip("/"), f"{PATH}?frames=0"])
def test_it_shows_an_accepted_transaction(open_url: str, people: list[User], path: str) -> None:
    with watch(open_url, path) as websocket:
        post(
            open_url,
            people[0],
            "TRX123456",
            amount=2**63 - 1,
            status="SUCCESS",
            created_at="2026-01-31T00:00Z",
        )
        assert heard(websocket) == {
            "transaction_id": "TRX123456",
            "user": people[0].pk,
            "amount": 2**63 - 1,
            "status": "SUCCESS",
        }


def test_everybody_sees_every_transaction_once_and_in_order(open_url: str, people: list[User]) -> None:
    ids = [f"TRX-é-{number}" for number in range(250)]
    with watch(open_url) as one, watch(open_url) as two:
        post(open_url, people[0], *ids)
        post(open_url, people[0], *ids)  # Replays are no news.
        post(open_url, people[0], "last")
        for websocket in (one, two):
            assert [heard(websocket)["transaction_id"] for _ in range(251)] == [*ids, "last"]


def test_an_idle_socket_stays_open_past_every_timeout_of_redis(
    open_url: str, people: list[User], log: Path
) -> None:
    with watch(open_url) as websocket:
        before = log.read_text()
        time.sleep(6.5)
        assert log.read_text() == before
        post(open_url, people[0], "after a pause")
        assert heard(websocket)["transaction_id"] == "after a pause"


# --- Bounds ------------------------------------------------------------------------------------


def announce(first: int, *ids: str) -> None:
    """Records of any size, as the accepting script leaves them and `live.feed` announces them."""
    last = first + len(ids) - 1
    pipeline = redis_connection().pipeline()
    pipeline.rpush(FEED, *(queued(id, 1) for id in ids))
    pipeline.hset(BOOKS, mapping={"epoch": "an epoch", "accepted": last})
    pipeline.execute()
    fields = {"user": 1, "amount": 1000, "status": "PENDING", "accepted_at": NOW}
    records = [{"seq": seq, "transaction_id": id, **fields} for seq, id in enumerate(ids, first)]
    message = {"type": ACCEPTED, "epoch": "an epoch", "runs": [[first, last]], "records": records}
    async_to_sync(get_channel_layer().group_send)(GROUP, message)


def test_what_a_client_says_is_ignored(open_url: str, people: list[User]) -> None:
    with watch(open_url) as websocket:
        for message in ("", "{}", b"\x00", "x" * HEARD_BYTES_MAX):
            websocket.send(message)
        post(open_url, people[0], "after the noise")
        assert heard(websocket)["transaction_id"] == "after the noise"


@pytest.mark.parametrize("message", ["x" * (HEARD_BYTES_MAX + 1), "é" * HEARD_BYTES_MAX, b"x" * 900_000])
def test_a_large_message_closes_the_connection(open_url: str, message: str | bytes) -> None:
    with watch(open_url) as websocket:
        with contextlib.suppress(ConnectionClosed):
            websocket.send(message)
        assert close_code(websocket) == TOO_LARGE_MESSAGE


def test_too_many_messages_close_the_connection(open_url: str) -> None:
    with watch(open_url) as websocket:
        with contextlib.suppress(ConnectionClosed):
            for _ in range(50 * HEARD_PER_SECOND_MAX):
                websocket.send("x")
        assert close_code(websocket) == TOO_MANY_MESSAGES


def test_a_message_over_the_limit_of_the_server_cuts_the_connection_off(open_url: str) -> None:
    with watch(open_url) as websocket:
        with contextlib.suppress(ConnectionClosed):
            websocket.send(b"x" * 2_000_000)
        assert close_code(websocket) is None


def test_more_than_may_be_shown_in_a_second_closes_the_connection(log: Path, people: list[User]) -> None:
    # A server of its own: the next test should not see the rest of the flood.
    with daphne(log=log) as url, watch(url) as websocket:
        post(url, people[0], *(f"TRX{number}" for number in range(5 * SHOWN_PER_SECOND_MAX)))
        assert close_code(websocket) == TOO_SLOW


def test_a_client_that_does_not_read_is_closed_and_holds_up_nobody(open_url: str, log: Path) -> None:
    # Few and large: it is the bytes that count here. The kernel takes some megabytes first.
    large = ["x" * 50_000] * 20
    with watch(open_url) as reading, watch(open_url) as silent:
        for number in range(30):
            announce(20 * number + 1, *large)
            for _ in large:
                assert len(heard(reading)["transaction_id"]) == 50_000
            # A client that talks keeps Daphne from asking whether it is there.
            if number % 5 == 0:
                with contextlib.suppress(ConnectionClosed):
                    silent.send("here")
        assert "it reads too slowly" in log.read_text()
        assert close_code(silent) != 1000


def test_when_redis_dies_every_client_is_told_to_come_back(log: Path, tmp_path: Path) -> None:
    redis_server = PrivateRedis(tmp_path / "redis")
    redis_server.start()
    try:
        with daphne(log=log, REDIS_URL=redis_server.url) as url, watch(url) as websocket:
            redis_server.kill()
            assert close_code(websocket) == TRY_AGAIN
            assert refused(url)
    finally:
        redis_server.stop()


# --- Watching for long -------------------------------------------------------------------------


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections in this process are looked at again after a moment instead of a minute."""
    monkeypatch.setattr(consumer, "LOOK_AGAIN_S", 0.2)


async def opened(**headers: str) -> Any:
    """A websocket to the consumer in this very process, accepted."""
    named = [
        (name.lower().encode(), value.encode()) for name, value in {"Host": "testserver", **headers}.items()
    ]
    scope = {"type": "websocket", "path": PATH, "query_string": b"", "headers": named}
    communicator: Any = ApplicationCommunicator
    websocket = communicator(websocket_application, scope)
    await websocket.send_input({"type": "websocket.connect"})
    assert (await websocket.receive_output(PATIENCE_S))["type"] == "websocket.accept"
    return websocket


async def left(websocket: Any) -> None:
    """The client goes, and the consumer ends without an error."""
    await websocket.send_input({"type": "websocket.disconnect", "code": 1000})
    await websocket.wait(PATIENCE_S)


@pytest.mark.usefixtures("soon")
def test_a_session_that_ends_ends_the_connection(settings: Settings) -> None:
    settings.ALLOW_ANONYMOUS_API = False
    cookie = session_of(User.objects.create_superuser("root"))

    async def scenario() -> Any:
        websocket = await opened(Cookie=cookie)
        assert await websocket.receive_nothing(1.0)
        await Session.objects.all().adelete()
        told = await websocket.receive_output(PATIENCE_S)
        await left(websocket)
        return told

    assert async_to_sync(scenario)() == {"type": "websocket.close", "code": CREDENTIALS_ENDED}


@pytest.mark.usefixtures("soon")
def test_a_right_that_is_taken_away_ends_the_connection(settings: Settings) -> None:
    settings.ALLOW_ANONYMOUS_API = False
    cookie = session_of(User.objects.create_superuser("root"))

    async def scenario() -> Any:
        websocket = await opened(Cookie=cookie)
        await User.objects.aupdate(is_staff=False)
        told = await websocket.receive_output(PATIENCE_S)
        await left(websocket)
        return told

    assert async_to_sync(scenario)() == {"type": "websocket.close", "code": CREDENTIALS_ENDED}


def test_a_connection_survives_that_everything_in_redis_is_gone(people: list[User]) -> None:
    async def scenario() -> list[str]:
        shown = []
        websocket = await opened()
        for id in ("before", "after"):
            await ingest.accept([record(id, people[0])], "test")
            told = await websocket.receive_output(PATIENCE_S)
            shown.append(json.loads(told["text"])["transaction_id"])
            redis_connection().flushdb()
        await left(websocket)
        return shown

    assert async_to_sync(scenario)() == ["before", "after"]
