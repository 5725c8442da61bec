"""The hub: one for all sockets of a process, for as long as somebody watches."""

import asyncio
import logging
from contextlib import suppress
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from channels.layers import get_channel_layer
from django.contrib.auth.models import User

from tests.support.framed import Dashboard, accept, ids_of, play
from tests.support.watching import PATH, PATIENCE_S
from transaction_monitoring.routing import websocket_application
from transactions.live.close_codes import TRY_AGAIN
from transactions.live.feed import GROUP
from transactions.live.hub import Hub, first_of, hub_here
from transactions.stores.redis_connection import connection

pytestmark = pytest.mark.django_db(transaction=True)

GROUP_KEY = f"transactions:group:{GROUP}"


def test_the_last_dashboard_leaves_nothing_running(people: list[User]) -> None:
    async def scenario() -> None:
        tasks = asyncio.all_tasks()
        dashboard = await Dashboard.connect()
        await dashboard.frame("hello")
        await dashboard.leave()
        assert asyncio.all_tasks() == tasks
        await accept(people[0], "unseen")
        again = await Dashboard.connect("frames=1&since=0")
        await again.frame("hello")
        assert ids_of(await again.runs(1)) == ["unseen"]
        await again.leave()

    play(scenario)


def test_a_channel_of_its_own_is_all_that_a_process_has_in_the_group() -> None:
    async def scenario() -> None:
        dashboards = [await Dashboard.connect(query) for query in ("frames=1", "", "frames=1")]
        assert connection().zcard(GROUP_KEY) == 1
        # Another process's, which nobody reads.
        await get_channel_layer().group_add(GROUP, "other.process!1")
        for dashboard in dashboards:
            await dashboard.leave()
        assert connection().zcard(GROUP_KEY) == 1

    play(scenario)


def test_work_that_loses_a_cancellation_is_cancelled_again() -> None:
    async def stubborn() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(1000)
        await asyncio.sleep(1000)

    async def scenario() -> None:
        async with asyncio.timeout(30):
            await first_of(stubborn(), asyncio.sleep(0))

    play(scenario)


def test_the_first_failure_ends_all_work_and_is_raised() -> None:
    ended = []

    async def work() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            ended.append(True)

    async def failing() -> None:
        await asyncio.sleep(0)
        raise OSError("gone")

    async def scenario() -> None:
        with pytest.raises(OSError, match="gone"):
            await first_of(work(), failing())
        assert ended == [True]

    play(scenario)


# --- One that fails, and the others ------------------------------------------------------------


class Failing:
    """A watcher that cannot be shown anything, and perhaps not be closed either."""

    def __init__(self, showing: Exception, ending: Exception | None = None) -> None:
        self.ready = True
        self.showing, self.ending = showing, ending
        self.shown = 0
        self.codes: list[int] = []

    async def show(self, hub: Hub) -> None:
        self.shown += 1
        raise self.showing

    async def end(self, code: int, /) -> None:
        self.codes.append(code)
        if self.ending is not None:
            raise self.ending


@pytest.mark.parametrize(
    "showing", [ValueError("no"), ConnectionResetError("gone"), TimeoutError(), KeyError(1)]
)
@pytest.mark.parametrize("ending", [None, RuntimeError("closed already")])
def test_a_watcher_that_cannot_be_shown_anything_ends_alone(
    people: list[User], caplog: pytest.LogCaptureFixture, showing: Exception, ending: Exception | None
) -> None:
    failing = Failing(showing, ending)

    async def scenario() -> None:
        dashboard = await Dashboard.connect()
        await dashboard.frame("hello")
        await hub_here().join(failing)
        for number in range(1, 4):
            await accept(people[0], f"T{number}")
            assert ids_of(await dashboard.runs(number)) == [f"T{number}"]
        await hub_here().leave(failing)
        await dashboard.leave()

    with caplog.at_level(logging.INFO, "transactions.live"):
        play(scenario)
    assert (failing.shown, failing.codes) == (1, [TRY_AGAIN])
    (line,) = [entry for entry in caplog.records if entry.levelno >= logging.WARNING]
    assert line.getMessage() == f"A dashboard was closed: it cannot be shown anything ({showing!r})"
    assert line.exc_info is None


@pytest.mark.parametrize("query", ["", "frames=1"])
@pytest.mark.parametrize("raised", [RuntimeError("Attempt to send on a closed protocol"), BrokenPipeError()])
def test_a_connection_that_cannot_be_sent_to_is_gone_and_nobody_else(
    people: list[User], caplog: pytest.LogCaptureFixture, query: str, raised: Exception
) -> None:
    attempts = []

    async def closed_protocol(scope: Any, receive: Any, send: Any) -> None:
        async def send_or_raise(message: Any) -> None:
            if message["type"] == "websocket.accept":
                await send(message)
            else:
                attempts.append(message)
                raise raised

        await websocket_application(scope, receive, send_or_raise)

    async def scenario() -> None:
        dashboard = await Dashboard.connect()
        await dashboard.frame("hello")
        communicator: Any = ApplicationCommunicator
        scope = {
            "type": "websocket",
            "path": PATH,
            "query_string": query.encode(),
            "headers": [(b"host", b"testserver")],
        }
        gone = communicator(closed_protocol, scope)
        await gone.send_input({"type": "websocket.connect"})
        assert (await gone.receive_output(PATIENCE_S))["type"] == "websocket.accept"
        for number in range(1, 4):
            await accept(people[0], f"T{number}")
            assert ids_of(await dashboard.runs(number)) == [f"T{number}"]
        await gone.send_input({"type": "websocket.disconnect", "code": 1006})
        await gone.wait(PATIENCE_S)
        await dashboard.leave()

    with caplog.at_level(logging.INFO, "transactions.live"):
        play(scenario)
    assert len(attempts) == 1
    assert [entry.getMessage() for entry in caplog.records] == [
        f"A dashboard is gone: it cannot be sent to ({type(raised).__name__})"
    ]
