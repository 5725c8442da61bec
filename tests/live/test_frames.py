"""The websocket's frames: numbers, samples, what a client missed, and what closes a connection."""

import asyncio
import json

import pytest
from django.contrib.auth.models import User

from tests.support.accepting import record, take
from tests.support.framed import Dashboard, accept, follow_on, ids_of, numbered, play, put
from tests.support.rules import eventually
from transactions.live import hub, readers
from transactions.live.close_codes import TOO_MANY_MESSAGES, TOO_SLOW, UNREADABLE_QUERY
from transactions.live.consumer import ACKNOWLEDGED_PER_SECOND_MAX
from transactions.live.feed import GROUP
from transactions.live.readers import FRAME_RECORDS_MAX, UNACKNOWLEDGED_MAX
from transactions.live.subscription import Filter, Subscription, UnreadableQuery, subscription_of
from transactions.models import AMOUNT_MAX, Epoch, FlushBatch
from transactions.queue.keys import BOOKS, QUEUE
from transactions.stores.postgres_session import Session
from transactions.stores.redis_connection import connection, text
from transactions.storing.flush import flush, note_stored

pytestmark = pytest.mark.django_db(transaction=True)

EPOCH = "00000000-0000-4000-8000-000000000001"
GROUP_KEY = f"transactions:group:{GROUP}"


# --- What a frame says -------------------------------------------------------------------------


def test_a_run_carries_numbers_and_facts(people: list[User]) -> None:
    async def scenario() -> None:
        dashboard = await Dashboard.connect()
        hello = await dashboard.frame("hello")
        assert (hello["epoch"], hello["seq"], hello["accepted"], hello["stored"]) == ("", 0, 0, 0)
        assert hello["interval_seconds"] == hub.INTERVAL_S
        await accept(people[0], "TRX-é-\\-1", "TRX2")
        run = await dashboard.frame("run")
        accepted_at = run["records"][0].pop("accepted_at")
        assert accepted_at.endswith("Z")
        assert run["records"][0] == {
            "seq": 1,
            "transaction_id": "TRX-é-\\-1",
            "user": people[0].pk,
            "amount": "1000",
            "status": "PENDING",
        }
        assert (run["first"], run["last"], run["count"], run["sampled"]) == (1, 2, 2, False)
        assert run["epoch"] == text(connection().hget(BOOKS, "epoch"))
        await dashboard.leave()

    play(scenario)


def test_an_amount_in_a_frame_is_a_string_of_digits(people: list[User]) -> None:
    async def scenario() -> None:
        new = [await Dashboard.connect(f"frames=1{more}") for more in ("", f"&amount_min={AMOUNT_MAX}")]
        for dashboard in new:
            await dashboard.frame("hello")
        await put([record("TRX1", people[0], AMOUNT_MAX)])
        missed = await Dashboard.connect("frames=1&since=0")
        await missed.frame("hello")
        for dashboard in (*new, missed):
            run = await dashboard.frame("run")
            assert [shown["amount"] for shown in run["records"]] == ["9223372036854775807"]
            await dashboard.leave()

    play(scenario)


def test_an_amount_of_the_plain_stream_is_a_whole_number(people: list[User]) -> None:
    async def scenario() -> None:
        dashboard = await Dashboard.connect("")
        await put([record("TRX1", people[0], AMOUNT_MAX)])
        assert '"amount":9223372036854775807,' in (await dashboard.message())["text"]
        await dashboard.leave()

    play(scenario)


def test_a_frame_for_many_records_is_a_sample_with_the_exact_count(people: list[User]) -> None:
    async def scenario() -> None:
        dashboard = await Dashboard.connect()
        await dashboard.frame("hello")
        await accept(people[0], *numbered(1, 2500))
        frames = await dashboard.runs(2500)
        assert follow_on(frames, 0) == 2500
        assert any(frame["sampled"] for frame in frames)
        assert all(len(frame["records"]) <= FRAME_RECORDS_MAX for frame in frames)
        assert all(shown["transaction_id"] == f"TRX{shown['seq']}" for f in frames for shown in f["records"])
        await dashboard.leave()

    play(scenario)


def test_an_idle_connection_hears_that_it_is_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "ALIVE_S", 0.3)

    async def scenario() -> None:
        dashboard = await Dashboard.connect()
        await dashboard.frame("hello")
        assert (await dashboard.frame("alive"))["seq"] == 0
        await dashboard.frame("alive")
        await dashboard.leave()

    play(scenario)


@pytest.mark.parametrize("query", ["frames=0", "frames=", "since=1"])
def test_without_frames_the_stream_is_the_plain_one(people: list[User], query: str) -> None:
    async def scenario() -> None:
        dashboard = await Dashboard.connect(query)
        # More than a group message carries: the rest comes from the feed.
        await accept(people[0], *numbered(1, 700))
        shown = [json.loads((await dashboard.message())["text"]) for _ in range(700)]
        assert [each["transaction_id"] for each in shown] == numbered(1, 700)
        assert shown[0].keys() == {"transaction_id", "user", "amount", "status"}
        await dashboard.leave()

    play(scenario)


# --- What is stored ----------------------------------------------------------------------------


def test_a_flush_is_told(people: list[User]) -> None:
    async def scenario() -> None:
        dashboard = await Dashboard.connect()
        await dashboard.frame("hello")
        await accept(people[0], *numbered(1, 7))
        await dashboard.runs(7)
        await asyncio.to_thread(flush)
        stored = await dashboard.frame("stored")
        assert stored["seq"] == 7
        await accept(people[0], "TRX8")
        await dashboard.frame("run")
        late = await Dashboard.connect()
        hello = await late.frame("hello")
        assert (hello["accepted"], hello["stored"]) == (8, 7)
        await dashboard.leave()
        await late.leave()

    play(scenario)


def test_a_batch_that_a_crash_left_is_not_called_stored_until_it_is(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object, **more: object) -> None:
        raise RuntimeError("a crash")

    take(record("TRX1", people[0]))
    flush()
    take(record("TRX2", people[0]))
    with monkeypatch.context() as crash:
        crash.setattr("transactions.storing.bulk_insert.store", fail)
        with pytest.raises(RuntimeError, match="a crash"):
            flush()
    take(record("TRX3", people[0]))
    assert connection().hget(BOOKS, "stored") == b"1"
    # PostgreSQL lets go of what a session held that crashed once it has seen its end.
    eventually(lambda: not flush().busy, "the lock of a flush that crashed is held for ever")
    assert connection().hget(BOOKS, "stored") == b"3"


def test_nothing_is_called_stored_while_a_batch_is_there_that_nobody_counted(people: list[User]) -> None:
    take(record("TRX1", people[0]))
    flush()
    # A flusher that was stopped after its promise wakes up and renames the queue.
    promised = FlushBatch.objects.create(name="{transactions_list}:batch:late", epoch=Epoch.objects.get())
    take(record("TRX2", people[0]))
    connection().rename(QUEUE, promised.name)
    take(record("TRX3", people[0]))
    with Session() as session:
        note_stored(session)
    assert connection().hget(BOOKS, "stored") == b"1"
    flush()
    assert connection().hget(BOOKS, "stored") == b"3"


def test_what_cannot_be_told_fails_no_flush(people: list[User], caplog: pytest.LogCaptureFixture) -> None:
    take(record("TRX1", people[0]))
    connection().hset(BOOKS, "stored", "not a number")
    assert flush().stored == 1
    assert "Dashboards were not told" in caplog.text


# --- Bounds ------------------------------------------------------------------------------------


@pytest.fixture
def fast(monkeypatch: pytest.MonkeyPatch) -> None:
    """Frames as fast as they can be made."""
    monkeypatch.setattr(hub, "INTERVAL_S", 0.001)


@pytest.mark.usefixtures("fast")
def test_a_client_that_acknowledges_nothing_is_closed(people: list[User]) -> None:
    async def scenario() -> None:
        dashboard = await Dashboard.connect()
        other = await Dashboard.connect()
        dashboard.acknowledges = False
        for each in (dashboard, other):
            await each.frame("hello")
        last = 0
        for number in range(1, UNACKNOWLEDGED_MAX + 1):
            await accept(people[0], f"TRX{number}")
            last = follow_on([await dashboard.frame("run")], last)
            await other.frame("run")
        await accept(people[0], "one too many")
        assert await dashboard.message() == {"type": "websocket.close", "code": TOO_SLOW}
        # Who does acknowledge goes on.
        assert ids_of([await other.frame("run")]) == ["one too many"]
        await dashboard.leave()
        await other.leave()

    play(scenario)


def test_the_more_is_unacknowledged_the_longer_until_the_next_frame(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    # However long the posts take, nobody is closed.
    monkeypatch.setattr(readers, "UNACKNOWLEDGED_MAX", 1_000)

    async def post() -> None:
        for number in range(30):
            await accept(people[0], f"TRX{number}")
            await asyncio.sleep(0.1)

    async def scenario() -> None:
        slow, quick = await Dashboard.connect(), await Dashboard.connect()
        slow.acknowledges = False
        for dashboard in (slow, quick):
            await dashboard.frame("hello")
        _, quickly = await asyncio.gather(post(), quick.runs(30))
        slowly = await slow.runs(30)
        for frames in (slowly, quickly):
            assert follow_on(frames, 0) == 30
        assert len(slowly) < len(quickly)
        for dashboard in (slow, quick):
            await dashboard.leave()

    play(scenario)


NOISE = [
    "",
    "{}",
    "[]",
    "null",
    '{"ack": true}',
    '{"ack": "1"}',
    '{"ack": 1.5}',
    '{"ack": -1}',
    "\x00",
    "{" * 500,
]


def test_what_is_no_acknowledgement_is_ignored(people: list[User]) -> None:
    async def scenario() -> None:
        dashboard = await Dashboard.connect()
        await dashboard.frame("hello")
        for noise in NOISE:
            await dashboard.say(noise)
        await accept(people[0], "TRX1")
        assert ids_of([await dashboard.frame("run")]) == ["TRX1"]
        await dashboard.leave()

    play(scenario)


def test_too_many_acknowledgements_close_the_connection() -> None:
    async def scenario() -> None:
        dashboard = await Dashboard.connect()
        await dashboard.frame("hello")
        for number in range(3 * ACKNOWLEDGED_PER_SECOND_MAX):
            await dashboard.say(json.dumps({"ack": number}))
        assert await dashboard.message() == {"type": "websocket.close", "code": TOO_MANY_MESSAGES}
        await dashboard.leave()

    play(scenario)


BAD_QUERIES = [
    "frames=2",
    "frames=true",
    "frames=1&frames=1",
    "frames=1&since=-1",
    "frames=1&since=1.5",
    "frames=1&since=%D9%A1",
    "frames=1&since=1234567890123456789",
    "frames=1&since=1&epoch=x",
    "since=x",
    "frames=1&status=LOST",
    "frames=1&status=failed",
    "frames=1&status=FAILED&status=FAILED",
    "frames=1&user=alice",
    "frames=1&user=1234567890123456789",
    "frames=1&amount_min=-1",
    "frames=1&amount_min=9&amount_max=8",
    "frames=1&amount_max=9223372036854775808",
    "status=LOST",
    # Misspelt, and a plain stream or everything would come instead.
    "frame=1",
    "frames=1&state=FAILED",
]


@pytest.mark.parametrize("query", BAD_QUERIES)
def test_a_query_that_makes_no_sense_closes_the_connection(query: str) -> None:
    async def scenario() -> None:
        dashboard = await Dashboard.connect(query)
        assert await dashboard.message() == {"type": "websocket.close", "code": UNREADABLE_QUERY}
        await dashboard.leave()

    play(scenario)


def test_a_query_is_read() -> None:
    assert subscription_of(b"frames=1&since=12&epoch=" + EPOCH.encode()) == Subscription(True, 12, EPOCH)
    # What the hello of an empty Redis told.
    assert subscription_of(b"frames=1&since=0&epoch=") == Subscription(True, 0, "")
    asked = subscription_of(b"frames=1&status=FAILED&user=007&amount_min=5&amount_max=")
    assert asked.filter == Filter("FAILED", 7, 5, 2**63 - 1)
    with pytest.raises(UnreadableQuery):
        subscription_of(b"frames=1&epoch=\xff")
