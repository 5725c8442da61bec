"""Frames after a break, another epoch, or a message that the channel layer dropped: never a silent hole."""

import asyncio

import pytest
from django.contrib.auth.models import User
from hypothesis import given
from hypothesis import strategies as st

from tests.support.framed import Dashboard, accept, follow_on, ids_of, numbered, play
from transactions.books import epochs
from transactions.live import hub
from transactions.live.feed import FEED_RECORDS, GROUP, Reading
from transactions.live.hub import hub_here
from transactions.live.readers import MISSED_RECORDS_MAX
from transactions.live.ring import Ring
from transactions.queue.keys import BOOKS, FEED
from transactions.stores.redis_connection import connection, text
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

EPOCH = "00000000-0000-4000-8000-000000000001"
GROUP_KEY = f"transactions:group:{GROUP}"


# --- After a break -----------------------------------------------------------------------------


@pytest.mark.parametrize("missed", [1, MISSED_RECORDS_MAX + 1, FEED_RECORDS])
def test_who_comes_back_gets_exactly_what_it_missed(people: list[User], missed: int) -> None:
    async def scenario() -> None:
        await accept(people[0], *numbered(1, 30 + missed))
        epoch = text(connection().hget(BOOKS, "epoch"))
        dashboard = await Dashboard.connect(f"frames=1&since=30&epoch={epoch}")
        hello = await dashboard.frame("hello")
        assert (hello["seq"], hello["accepted"]) == (30, 30 + missed)
        frames = await dashboard.runs(30 + missed)
        assert ids_of(frames) == numbered(31, 30 + missed)
        await accept(people[0], "new")
        frames.append(await dashboard.frame("run"))
        assert follow_on(frames, 30) == 31 + missed
        await dashboard.leave()

    play(scenario)


def test_what_was_missed_is_whole_also_where_another_dashboard_saw_a_sample(people: list[User]) -> None:
    async def scenario() -> None:
        first = await Dashboard.connect()
        await first.frame("hello")
        await accept(people[0], *numbered(1, 900))
        assert any(frame["sampled"] for frame in await first.runs(900))
        second = await Dashboard.connect("frames=1&since=0")
        await second.frame("hello")
        assert ids_of(await second.runs(900)) == numbered(1, 900)
        await first.leave()
        await second.leave()

    play(scenario)


def test_who_missed_nothing_is_told_nothing(people: list[User]) -> None:
    async def scenario() -> None:
        await accept(people[0], "TRX1")
        dashboard = await Dashboard.connect("frames=1&since=1")
        assert (await dashboard.frame("hello"))["seq"] == 1
        assert await dashboard.silent(0.5)
        await dashboard.leave()

    play(scenario)


@pytest.mark.parametrize(("query", "reason"), [("since=3", "ahead"), (f"since=1&epoch={EPOCH}", "epoch")])
def test_a_place_that_never_was_is_told_to_reload(people: list[User], query: str, reason: str) -> None:
    async def scenario() -> None:
        await accept(people[0], "TRX1", "TRX2")
        dashboard = await Dashboard.connect(f"frames=1&{query}")
        await dashboard.frame("hello")
        reload = await dashboard.frame("reload")
        assert (reload["seq"], reload["reason"]) == (2, reason)
        await accept(people[0], "TRX3")
        assert follow_on([await dashboard.frame("run")], 2) == 3
        await dashboard.leave()

    play(scenario)


def test_fault_16_a_place_that_the_feed_has_left_behind_is_told_to_reload(people: list[User]) -> None:
    async def scenario() -> None:
        await accept(people[0], *numbered(1, FEED_RECORDS + 1500))
        accepted = FEED_RECORDS + 1500
        dashboard = await Dashboard.connect("frames=1&since=1")
        await dashboard.frame("hello")
        reload = await dashboard.frame("reload")
        assert (reload["seq"], reload["reason"]) == (accepted, "gone")
        await accept(people[0], "new")
        assert follow_on([await dashboard.frame("run")], accepted) == accepted + 1
        await dashboard.leave()

    play(scenario)


def test_a_feed_that_was_lost_is_told_as_well(people: list[User]) -> None:
    async def scenario() -> None:
        await accept(people[0], *numbered(1, 10))
        connection().ltrim(FEED, -5, -1)
        dashboard = await Dashboard.connect("frames=1&since=2")
        await dashboard.frame("hello")
        assert (await dashboard.frame("reload"))["reason"] == "gone"
        await dashboard.leave()

    play(scenario)


def new_books() -> None:
    """The Redis data vanishes, and one record waits when the flush finds that out."""
    connection().flushdb()
    flush()


@pytest.mark.parametrize("change", [epochs.empty_everything, new_books])
def test_another_epoch_is_told_to_those_who_watch(people: list[User], change: object) -> None:
    assert callable(change)

    async def scenario() -> None:
        await accept(people[0], *numbered(1, 5))
        dashboard = await Dashboard.connect()
        hello = await dashboard.frame("hello")
        await asyncio.to_thread(change)
        reload = await dashboard.frame("reload")
        assert (reload["seq"], reload["stored"], reload["reason"]) == (0, 0, "epoch")
        assert reload["epoch"] not in ("", hello["epoch"])
        await accept(people[0], "TRX6")
        run = await dashboard.frame("run")
        assert run["epoch"] == reload["epoch"]
        assert ids_of([run]) == ["TRX6"]
        assert follow_on([run], 0) == 1
        await dashboard.leave()

    play(scenario)


def test_data_that_went_back_in_time_is_told(people: list[User]) -> None:
    async def scenario() -> None:
        await accept(people[0], *numbered(1, 5))
        dashboard = await Dashboard.connect()
        await dashboard.frame("hello")
        connection().hset(BOOKS, "accepted", 3)
        assert (await dashboard.frame("reload"))["seq"] == 3
        await dashboard.leave()

    play(scenario)


# --- What the channel layer dropped ------------------------------------------------------------


def leave_group() -> None:
    connection().delete(GROUP_KEY)


def test_a_message_that_was_dropped_is_found_in_the_feed(people: list[User]) -> None:
    async def scenario() -> None:
        dashboard = await Dashboard.connect()
        await dashboard.frame("hello")
        leave_group()
        await accept(people[0], "dropped")
        assert ids_of([await dashboard.frame("run")]) == ["dropped"]
        # And the hub is back in the group.
        assert connection().zcard(GROUP_KEY) == 1
        await dashboard.leave()
        assert connection().zcard(GROUP_KEY) == 0

    play(scenario)


def test_a_gap_is_noticed_at_once(people: list[User], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "LOOK_S", 1000.0)

    async def scenario() -> None:
        dashboard = await Dashboard.connect()
        await dashboard.frame("hello")
        connection().rename(GROUP_KEY, "aside")
        await accept(people[0], "dropped")
        assert await dashboard.silent(0.5)
        connection().rename("aside", GROUP_KEY)
        await accept(people[0], "announced")
        frames = await dashboard.runs(2)
        assert ids_of(frames) == ["dropped", "announced"]
        await dashboard.leave()

    play(scenario)


def test_the_feed_is_read_once_for_all_who_missed_the_same(people: list[User]) -> None:
    async def scenario() -> None:
        await accept(people[0], *numbered(1, 500))
        dashboards = [await Dashboard.connect("frames=1&since=100") for _ in range(20)]
        for dashboard in dashboards:
            await dashboard.frame("hello")
            assert ids_of(await dashboard.runs(500)) == numbered(101, 500)
        assert len(hub_here().encoded) == 1
        for dashboard in dashboards:
            await dashboard.leave()

    play(scenario)


@given(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=12),
    order=st.randoms(use_true_random=False),
    dropped=st.sets(st.integers(0, 11)),
)
def test_runs_that_overtake_each_other_or_are_dropped_come_out_in_order(
    sizes: list[int], order: object, dropped: set[int]
) -> None:
    records = [{"seq": seq, "transaction_id": f"TRX{seq}"} for seq in range(1, sum(sizes) + 1)]
    runs, last = [], 0
    for size in sizes:
        ends = [last + 1, last + size]
        runs.append({"epoch": EPOCH, "runs": [ends], "records": records[last : last + size]})
        last += size
    heard = [run for number, run in enumerate(runs) if number not in dropped]
    order.shuffle(heard)  # type: ignore[attr-defined]
    ring = Ring()
    ring.take(Reading(EPOCH, 0, 0, []), 0)
    life, cursor, seen = ring.life, 0, []
    for run in heard:
        ring.hear(run)
        part = ring.whole(cursor, ring.head)
        assert part is not None
        seen += part
        cursor = ring.head
    assert seen == records[:cursor]
    ring.take(Reading(EPOCH, last, 0, records[cursor:]), cursor)
    assert ring.whole(0, ring.head) == records
    assert ring.life == life
