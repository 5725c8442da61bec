"""Frames of a client that asked for some records alone: filtered before they are sampled."""

import pytest
from django.contrib.auth.models import User

from tests.support.accepting import record
from tests.support.framed import Dashboard, Frame, accept, follow_on, ids_of, numbered, play, put
from transactions.live import hub
from transactions.live.feed import FEED_RECORDS, MESSAGE_RECORDS_MAX
from transactions.live.readers import FRAME_RECORDS_MAX
from transactions.queue.records import Record

pytestmark = pytest.mark.django_db(transaction=True)


def some_failed(user: User, every: int, count: int) -> list[Record]:
    """Records F0, S1, S2, …, of which each `every`-th failed."""
    return [
        record(f"F{n}", user, status="FAILED") if n % every == 0 else record(f"S{n}", user, status="SUCCESS")
        for n in range(count)
    ]


def counted(frames: list[Frame], after: int) -> int:
    """Asserts that the runs count every record from number `after` on; returns how many of them matched."""
    for frame in frames:
        assert frame["first"] == after + 1
        assert frame["count"] == frame["last"] - after
        assert frame["sampled"] == (len(frame["records"]) < frame["matched"])
        after = frame["last"]
    return sum(frame["matched"] for frame in frames)


def test_of_more_than_a_frame_carries_the_filter_loses_none(people: list[User]) -> None:
    # Far more than a group message carries as well: the rest is read in the feed.
    assert MESSAGE_RECORDS_MAX * 10 < 2000

    async def scenario() -> None:
        dashboard = await Dashboard.connect("frames=1&status=FAILED")
        await dashboard.frame("hello")
        await put(some_failed(people[0], 100, 2000))
        frames = await dashboard.runs(2000)
        assert counted(frames, 0) == 20
        assert ids_of(frames) == [f"F{n}" for n in range(0, 2000, 100)]
        assert not any(frame["sampled"] for frame in frames)
        await dashboard.leave()

    play(scenario)


def test_of_more_that_pass_a_sample_is_sent_and_all_are_counted(people: list[User]) -> None:
    async def scenario() -> None:
        dashboard = await Dashboard.connect("frames=1&status=FAILED")
        everything = await Dashboard.connect()
        for each in (dashboard, everything):
            await each.frame("hello")
        await put(some_failed(people[0], 2, 2000))
        frames = await dashboard.runs(2000)
        assert counted(frames, 0) == 1000
        assert any(frame["sampled"] for frame in frames)
        assert all(len(frame["records"]) <= FRAME_RECORDS_MAX for frame in frames)
        assert {shown["status"] for frame in frames for shown in frame["records"]} == {"FAILED"}
        # Who wants everything gets it beside.
        unfiltered = await everything.runs(2000)
        assert follow_on(unfiltered, 0) == sum(frame["matched"] for frame in unfiltered) == 2000
        for each in (dashboard, everything):
            await each.leave()

    play(scenario)


def test_a_filter_goes_by_user_and_amount_too(people: list[User]) -> None:
    alice, bob, _ = people

    async def scenario() -> None:
        query = f"frames=1&user={bob.pk}&amount_min=10&amount_max={2**53 + 1}"
        dashboard = await Dashboard.connect(query)
        await dashboard.frame("hello")
        amounts = (9, 10, 2**53 + 1, 2**53 + 2)
        await put(
            record(f"{user.username}{amount}", user, amount) for user in (alice, bob) for amount in amounts
        )
        assert ids_of(await dashboard.runs(8)) == ["bob10", f"bob{2**53 + 1}"]
        await dashboard.leave()

    play(scenario)


def test_where_nothing_passes_the_numbers_go_on_all_the_same(people: list[User]) -> None:
    async def scenario() -> None:
        dashboard = await Dashboard.connect("frames=1&status=FAILED")
        await dashboard.frame("hello")
        await accept(people[0], "TRX1", "TRX2")
        run = await dashboard.frame("run")
        assert (run["last"], run["count"], run["matched"], run["records"]) == (2, 2, 0, [])
        await dashboard.leave()

    play(scenario)


def test_what_passes_is_found_in_what_was_missed(people: list[User]) -> None:
    async def scenario() -> None:
        await put(some_failed(people[0], 300, 2000))
        dashboard = await Dashboard.connect("frames=1&since=0&status=FAILED")
        assert (await dashboard.frame("hello"))["accepted"] == 2000
        frames = await dashboard.runs(2000)
        assert ids_of(frames) == [f"F{n}" for n in range(0, 2000, 300)]
        await dashboard.leave()

    play(scenario)


def test_what_the_feed_no_longer_has_cannot_be_filtered(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub, "INTERVAL_S", 10.0)

    async def scenario() -> None:
        await accept(people[0], "first")
        dashboard = await Dashboard.connect("frames=1&status=FAILED")
        await dashboard.frame("hello")
        await accept(people[0], *numbered(2, FEED_RECORDS + 1000))
        reload = await dashboard.frame("reload")
        assert (reload["reason"], reload["seq"]) == ("gone", FEED_RECORDS + 1000)
        await dashboard.leave()

    play(scenario)
