"""The feed and its announcements, and frames over Daphne as it runs in production."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.contrib.auth.models import User
from django.test import override_settings

from tests.support.accepting import record, take
from tests.support.framed import attend, follow_on, ids_of, runs_from
from tests.support.serving import daphne
from tests.support.watching import close_code, heard, post, watch
from transactions.books import epochs
from transactions.live import feed
from transactions.live.close_codes import TOO_SLOW
from transactions.live.feed import FEED_RECORDS, GROUP, MESSAGE_RECORDS_MAX
from transactions.queue.keys import BOOKS, FEED, INDEX, QUEUE
from transactions.queue.records import Record, stamp
from transactions.stores.postgres_session import Session
from transactions.stores.redis_connection import connection, intake_connection, text

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("nothing_failed_aloud")]

EPOCH = "00000000-0000-4000-8000-000000000001"
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


# --- The list in Redis -------------------------------------------------------------------------


def test_the_feed_holds_what_was_queued_in_its_order(people: list[User]) -> None:
    take(record("T1", people[0]), record("T2", people[0]))
    take(record("T1", people[0]), record("T2", people[0], amount=1), record("T3", people[1]))
    take(record("T1", people[0], status="SUCCESS"))
    assert connection().lrange(FEED, 0, -1) == connection().lrange(QUEUE, 0, -1)
    assert connection().llen(FEED) == 4


def test_the_feed_has_an_end(people: list[User]) -> None:
    batch = 900
    for at in range(0, FEED_RECORDS + 5 * batch, batch):
        take(*(record(f"T{number}", people[0]) for number in range(at, at + batch)))
    accepted = int(connection().hget(BOOKS, "accepted") or 0)
    assert FEED_RECORDS <= connection().llen(FEED) < FEED_RECORDS * 1.1 + batch
    assert accepted > connection().llen(FEED) + batch
    assert connection().lrange(FEED, -1, -1) == connection().lrange(QUEUE, -1, -1)
    assert connection().ttl(FEED) == -1


def test_a_feed_of_another_type_is_found_before_anything_is_written(people: list[User]) -> None:
    connection().set(FEED, "something else")
    with pytest.raises(Exception, match="does not answer"):
        take(record("T1", people[0]))
    assert not connection().exists(QUEUE, INDEX, BOOKS)


def test_a_feed_left_over_from_other_books_is_dropped(people: list[User]) -> None:
    take(record("T1", people[0]))
    connection().delete(BOOKS, QUEUE, INDEX)
    take(record("T2", people[0]))
    assert connection().lrange(FEED, 0, -1) == connection().lrange(QUEUE, 0, -1)


def test_new_books_begin_a_new_feed(people: list[User]) -> None:
    take(record("T1", people[0]))
    epochs.empty_everything()
    assert not connection().exists(FEED)
    take(record("T2", people[0]), record("T3", people[0]))
    connection().delete(BOOKS)
    with Session() as session:
        epoch = epochs.reconcile(session)
    assert not connection().exists(FEED)
    take(record("T4", people[0]))
    found = read(epoch, 0)
    assert (found.accepted, found.after, found.records[0]["transaction_id"]) == (3, 2, "T4")


def read(epoch: str, after: int) -> feed.Reading:
    async def once() -> feed.Reading:
        client = intake_connection()
        try:
            return await feed.read(client, epoch, after)
        finally:
            await client.aclose()

    return async_to_sync(once)()


def test_a_reading_is_what_came_after_a_number(people: list[User]) -> None:
    assert read("", 0) == feed.Reading("", 0, 0, [])
    take(*(record(f"T{number}", people[0], amount=number) for number in range(1, 6)))
    epoch = text(connection().hget(BOOKS, "epoch"))
    found = read(epoch, 3)
    assert (found.epoch, found.accepted, found.stored, found.after) == (epoch, 5, 0, 3)
    assert [(shown["seq"], shown["transaction_id"], shown["amount"]) for shown in found.records] == [
        (4, "T4", 4),
        (5, "T5", 5),
    ]
    assert read(epoch, 5).records == []
    assert read(epoch, 9).records == []
    assert len(read("another", 9).records) == 5
    connection().ltrim(FEED, -2, -1)
    assert read(epoch, 0).after == 3


# --- What is announced -------------------------------------------------------------------------


def announced(*runs: tuple[str, int, int]) -> list[dict[str, Any]]:
    """The group messages for runs of an epoch, from a first to a last number."""

    async def scenario() -> list[dict[str, Any]]:
        layer = get_channel_layer()
        channel = await layer.new_channel()
        await layer.group_add(GROUP, channel)
        for epoch, first, last in runs:
            records = [Record(f"T{seq}", 1, 1, "PENDING", None) for seq in range(first, last + 1)]
            feed.announce(epoch, records, last, stamp(NOON))
        feed.announce("the end", [Record("T", 1, 1, "PENDING", None)], 1, stamp(NOON))
        await feed.drain()
        messages = []
        while (message := await layer.receive(channel))["epoch"] != "the end":
            messages.append(message)
        return messages

    return async_to_sync(scenario)()


def test_runs_that_follow_on_each_other_are_announced_as_one() -> None:
    [message] = announced(("e", 1, 2), ("e", 3, 3), ("e", 4, 9))
    assert message["runs"] == [[1, 9]]
    assert [(shown["seq"], shown["transaction_id"]) for shown in message["records"]] == [
        (seq, f"T{seq}") for seq in range(1, 10)
    ]


@pytest.mark.parametrize(
    ("layer", "why", "told_in_full"),
    [
        (
            {
                "BACKEND": "channels_redis.core.RedisChannelLayer",
                "CONFIG": {"hosts": ["redis://127.0.0.1:1"]},
            },
            "ConnectionError",
            False,
        ),
        # A fault of ours: a layer that has no groups.
        ({"BACKEND": "channels.layers.BaseChannelLayer"}, "NotImplementedError", True),
    ],
)
def test_a_store_that_is_away_is_told_in_a_line_and_a_fault_of_ours_with_its_traceback(
    layer: dict[str, Any], why: str, told_in_full: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        feed.announce("e", [Record("T", 1, 1, "PENDING", None)], 1, stamp(NOON))
        await feed.drain()

    with override_settings(CHANNEL_LAYERS={"default": layer}):
        async_to_sync(scenario)()

    [line] = [each for each in caplog.records if each.name == "transactions.live.feed"]
    assert line.getMessage().startswith("The channel layer did not take a message for the dashboards (")
    assert why in line.getMessage()
    assert bool(line.exc_info) == told_in_full


def test_runs_are_never_joined_over_a_gap_or_over_epochs() -> None:
    messages = announced(("e", 1, 2), ("e", 3, 3), ("e", 5, 5), ("f", 6, 7))
    assert [(message["epoch"], message["runs"]) for message in messages] == [
        ("e", [[1, 3], [5, 5]]),
        ("f", [[6, 7]]),
    ]


def test_a_long_run_is_announced_by_a_sample_and_its_exact_ends() -> None:
    [message] = announced(("e", 11, 1010))
    assert message["runs"] == [[11, 1010]]
    numbers = [shown["seq"] for shown in message["records"]]
    assert len(numbers) == MESSAGE_RECORDS_MAX
    assert numbers == sorted(numbers)
    assert (numbers[0] >= 11, numbers[-1]) == (True, 1010)


def test_short_runs_fill_a_message_no_further_than_its_bound() -> None:
    messages = announced(*(("e", first, first + 39) for first in range(1, 401, 40)))
    assert [message["runs"] for message in messages[:3]] == [[[1, 80]], [[81, 160]], [[161, 240]]]
    assert [shown["seq"] for message in messages for shown in message["records"]] == list(range(1, 401))


# --- Over Daphne -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def urls(django_db_setup: None, log: Path) -> Iterator[tuple[str, str]]:
    """Two server processes on the same stores."""
    with daphne(log=log) as one, daphne(log=log) as two:
        yield one, two


@pytest.mark.slow
def test_two_processes_that_accept_at_once_show_one_order_without_gaps(
    urls: tuple[str, str], people: list[User]
) -> None:
    def posting(url: str, name: str) -> None:
        for number in range(40):
            post(url, people[0], *(f"{name}-{number}-{each}" for each in range(number % 4 + 1)))

    threads = [
        threading.Thread(target=posting, args=(url, name)) for url in urls for name in (url, f"{url}+")
    ]
    total = 4 * sum(number % 4 + 1 for number in range(40))
    with attend(urls[0]) as (one, _), attend(urls[1]) as (two, _), ThreadPoolExecutor() as pool:
        for thread in threads:
            thread.start()
        shown = list(pool.map(runs_from, (one, two), (total, total)))
        for thread in threads:
            thread.join()
    queue = [text(line).split("\t")[1] for line in connection().lrange(QUEUE, 0, -1)]
    assert len(queue) == total
    for frames in shown:
        assert follow_on(frames, 0) == total
        for each in (shown for frame in frames for shown in frame["records"]):
            assert each["transaction_id"] == queue[each["seq"] - 1]


@pytest.mark.slow
def test_a_break_is_made_good_by_another_process(urls: tuple[str, str], people: list[User]) -> None:
    with attend(urls[0]) as (websocket, _):
        post(urls[0], people[0], "T1", "T2")
        [*_, frame] = runs_from(websocket, 2)
    missed = [f"missed-{number}" for number in range(300)]
    post(urls[0], people[0], *missed)
    place = f"&since={frame['last']}&epoch={frame['epoch']}"
    with attend(urls[1], place) as (websocket, hello):
        assert (hello["seq"], hello["accepted"]) == (2, 302)
        frames = runs_from(websocket, 302)
        assert ids_of(frames) == missed
        post(urls[0], people[0], "live")
        frames += runs_from(websocket, 303)
        assert follow_on(frames, 2) == 303


CLOSED = "it acknowledges no frames"


@pytest.mark.slow
def test_a_dashboard_that_acknowledges_nothing_is_closed_and_slows_nobody(
    urls: tuple[str, str], people: list[User], log: Path
) -> None:
    frames, number, before = [], 0, log.read_text().count(CLOSED)
    with attend(urls[0]) as (silent, _), attend(urls[0]) as (reading, _):
        while log.read_text().count(CLOSED) == before:
            number += 1
            post(urls[0], people[0], f"T{number}")
            frames += runs_from(reading, number)
        assert ids_of(frames) == [f"T{each}" for each in range(1, number + 1)]
        assert close_code(silent) == TOO_SLOW
        post(urls[1], people[0], "still here")
        assert ids_of(runs_from(reading, number + 1)) == ["still here"]


@pytest.mark.slow
def test_plain_and_framed_connections_stand_side_by_side(urls: tuple[str, str], people: list[User]) -> None:
    ids = [f"T{number}" for number in range(1, 251)]
    with watch(urls[0]) as plain, attend(urls[0]) as (framed, _):
        post(urls[1], people[0], *ids)
        assert [heard(plain)["transaction_id"] for _ in ids] == ids
        assert follow_on(runs_from(framed, 250), 0) == 250
