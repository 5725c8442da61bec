"""The hub: one for all sockets of a process, for as long as somebody watches."""

import asyncio
from contextlib import suppress

import pytest
from channels.layers import get_channel_layer
from django.contrib.auth.models import User

from tests.support.framed import Dashboard, accept, ids_of, play
from transactions.live.feed import GROUP
from transactions.live.hub import first_of
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
