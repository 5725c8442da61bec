"""The websocket's frames of alerts: what they say, who is sent them, and how few there are."""

import asyncio
import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from channels.db import database_sync_to_async
from channels.layers import channel_layers
from django.contrib.auth.models import Permission, User
from django.db import OperationalError, transaction
from pytest_django import Settings

from benchmarks.dashboards import KINDS
from tests.support.accepting import record
from tests.support.alerts import burst, burst_rule, open_alert
from tests.support.framed import Dashboard, Frame, accept, follow_on, numbered, play, put
from tests.support.watching import session_of
from transactions.access.rights import Right
from transactions.access.tokens import create
from transactions.alerts import announcing, triage
from transactions.alerts.models import Alert
from transactions.books.epochs import empty_everything
from transactions.dashboard.alerts import shared_alerts
from transactions.live import alert_frames, consumer
from transactions.live.alert_frames import PAUSE_S
from transactions.stores.redis_connection import connection

pytestmark = pytest.mark.django_db(transaction=True)

GROUP_KEY = f"transactions:group:{announcing.GROUP}"
# Longer than from a commit to its frame on a busy machine.
LONG_S = 3.0


@pytest.fixture(autouse=True)
def _two_eyes(settings: Settings) -> None:
    settings.FOUR_EYES = False
    shared_alerts.forget()


async def aside(call: Callable[..., Any], *arguments: Any, **more: Any) -> Any:
    """Calls it in a thread, which leaves no connection to PostgreSQL behind."""
    return await database_sync_to_async(call, thread_sensitive=False)(*arguments, **more)


async def attended(**headers: str) -> Dashboard:
    """A dashboard that has heard its hello."""
    dashboard = await Dashboard.connect(**headers)
    await dashboard.frame("hello")
    return dashboard


async def alert_frame(dashboard: Dashboard, wanted: Callable[[Frame], bool] = lambda _: True) -> Frame:
    """The first frame of alerts that is wanted; frames of other types are left out."""
    async with asyncio.timeout(30):
        while True:
            frame: Frame = json.loads((await dashboard.message())["text"])
            if frame["type"] == "alert" and wanted(frame):
                return frame


async def frames_for(dashboard: Dashboard, seconds: float) -> list[Frame]:
    """What comes in so many seconds."""
    frames = []
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if not await dashboard.silent(min(left, 0.1)):
            frames.append(json.loads((await dashboard.message())["text"]))
    return frames


def viewer(*codenames: str) -> tuple[User, dict[str, str]]:
    """One of the staff with these permissions, and the headers of a handshake."""
    user = User.objects.create_user("viewer", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user, {"Cookie": session_of(user)}


# --- What a frame says -------------------------------------------------------------------------


def test_an_alert_that_a_flush_raises_is_told_without_being_asked_for(people: list[User]) -> None:
    burst_rule()

    async def scenario() -> None:
        dashboard = await attended()
        await aside(burst, people[0])
        frame = await alert_frame(dashboard)
        assert frame["open"] == 1
        assert frame["by_severity"] == {"LOW": 0, "MEDIUM": 0, "HIGH": 1, "CRITICAL": 0}
        (gravest,) = frame["gravest"]
        assert gravest == {
            "id": gravest["id"],
            "state": "OPEN",
            "severity": "HIGH",
            "hits": 2,
            "rule": "Failures in a row",
            "figures": "4 failures within 10 minutes",
            "user": "alice",
            "opened_at": gravest["opened_at"],
            "assignee": None,
            "link": f"/admin/alerts/alert/{gravest['id']}/change/",
        }
        assert frame["opened_lately"] == [gravest["opened_at"]]
        # Further hits join it.
        await aside(burst, people[0], "G", 1)
        assert (await alert_frame(dashboard))["gravest"][0]["hits"] == 3
        await dashboard.leave()

    play(scenario)


def test_a_frame_says_what_a_poll_is_answered(people: list[User]) -> None:
    open_alert(people[0])

    async def scenario() -> None:
        dashboard = await attended()
        announcing.changed()
        frame = await alert_frame(dashboard)
        told = await aside(shared_alerts.told)
        assert frame.keys() - {"type"} == told.keys() - {"again_seconds"}
        await dashboard.leave()

    play(scenario)


def test_the_benchmark_of_alert_frames_reads_in_one_how_many_are_open(people: list[User]) -> None:
    open_alert(people[0], severity="LOW")
    open_alert(people[1])

    async def scenario() -> None:
        dashboard = await attended()
        announcing.changed()
        while json.loads(text := (await dashboard.message())["text"])["type"] != "alert":
            assert not KINDS["alert"].match(text.encode())
        found = KINDS["alert"].match(text.encode())
        assert found is not None
        assert (int(found[1]), int(found[2])) == (2, 2)
        await dashboard.leave()

    play(scenario)


def test_each_step_with_an_alert_is_told(people: list[User]) -> None:
    by = User.objects.create_superuser("ann")
    alert = open_alert(people[0]).pk
    until = datetime.now(UTC) + timedelta(days=1)
    steps: list[tuple[Callable[[int], Any], int, str | None]] = [
        (lambda seen: triage.claim(alert, by, seen), 1, "ann"),
        (lambda seen: triage.release(alert, by, seen), 1, None),
        (lambda seen: triage.assign(alert, by, seen, by), 1, "ann"),
        (lambda seen: triage.close(alert, by, seen, "EXPECTED", "known"), 0, None),
        (lambda seen: triage.reopen(alert, by, seen, "not known"), 1, "ann"),
        (lambda seen: triage.snooze(alert, by, seen, until, "known"), 1, "ann"),
        (lambda seen: triage.close(alert, by, seen, "EXPECTED", "known"), 0, None),
        (lambda seen: triage.undo(alert, by, seen), 1, "ann"),
    ]

    async def scenario() -> None:
        dashboard = await attended()
        for seen, (step, count, assignee) in enumerate(steps, 1):
            await aside(step, seen)
            frame = await alert_frame(dashboard)
            assert frame["open"] == count
            assert [each["assignee"] for each in frame["gravest"]] == [assignee] * count
        await dashboard.leave()

    play(scenario)


def test_that_everything_is_deleted_is_told(people: list[User]) -> None:
    open_alert(people[0])

    async def scenario() -> None:
        dashboard = await attended()
        await aside(empty_everything)
        assert (await alert_frame(dashboard))["open"] == 0
        await dashboard.leave()

    play(scenario)


def test_a_frame_is_sent_after_the_commit_and_none_of_what_is_rolled_back(people: list[User]) -> None:
    by = User.objects.create_superuser("ann")
    alert = open_alert(people[0]).pk

    let = threading.Event()

    def claim(ask_for: asyncio.Event, loop: asyncio.AbstractEventLoop, *, fails: bool) -> None:
        with transaction.atomic():
            triage.claim(alert, by, 1)
            loop.call_soon_threadsafe(ask_for.set)
            assert fails or let.wait(60)
            transaction.set_rollback(fails)

    async def scenario() -> None:
        dashboard = await attended()
        loop = asyncio.get_running_loop()
        claimed = asyncio.Event()
        await aside(claim, claimed, loop, fails=True)
        assert await dashboard.silent(1.5)
        claimed.clear()
        claiming = asyncio.create_task(aside(claim, claimed, loop, fails=False))
        await claimed.wait()
        assert await dashboard.silent(1.0)
        let.set()
        await claiming
        assert (await alert_frame(dashboard))["gravest"][0]["assignee"] == "ann"
        await dashboard.leave()

    play(scenario)


# --- Who is sent them --------------------------------------------------------------------------


def test_only_who_may_see_alerts_is_sent_them(people: list[User], settings: Settings) -> None:
    settings.ALLOW_ANONYMOUS_API = False
    open_alert(people[0])
    token, _ = create("ann", rights=frozenset({Right.READ, Right.VIEW_ALERTS}))
    _, session = viewer("view_transaction")
    root = {"Cookie": session_of(User.objects.create_superuser("root"))}

    async def scenario() -> None:
        without = await attended(**session)
        those_with = [await attended(**root), await attended(Authorization=f"Bearer {token}")]
        announcing.changed()
        for dashboard in those_with:
            assert (await alert_frame(dashboard))["open"] == 1
        await put([record("TRX1", people[0])])
        assert [frame["type"] for frame in await frames_for(without, LONG_S)] == ["run"]
        for dashboard in (without, *those_with):
            await dashboard.leave()

    play(scenario)


def test_whose_right_is_taken_away_is_sent_no_more_and_goes_on_watching(
    people: list[User], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ALLOW_ANONYMOUS_API = False
    monkeypatch.setattr(consumer, "LOOK_AGAIN_S", 0.2)
    open_alert(people[0])
    user, session = viewer("view_transaction", "view_alert")
    right = Permission.objects.get(codename="view_alert")

    async def scenario() -> None:
        dashboard = await attended(**session)
        announcing.changed()
        await alert_frame(dashboard)
        await user.user_permissions.aremove(right)
        await asyncio.sleep(LONG_S)
        announcing.changed()
        await put([record("TRX1", people[0])])
        assert [frame["type"] for frame in await frames_for(dashboard, LONG_S)] == ["run"]
        await user.user_permissions.aadd(right)
        # What it was not sent meanwhile.
        assert (await alert_frame(dashboard))["open"] == 1
        await dashboard.leave()

    play(scenario)


def test_the_plain_stream_is_the_same_to_the_byte(people: list[User]) -> None:
    open_alert(people[0])

    async def scenario() -> None:
        plain, framed = await Dashboard.connect(""), await attended()
        announcing.changed()
        await alert_frame(framed)
        await put([record("TRX1", people[0])])
        key = people[0].pk
        wanted = f'{{"transaction_id":"TRX1","user":{key},"amount":1000,"status":"PENDING"}}'
        assert await plain.message() == {"type": "websocket.send", "bytes": None, "text": wanted}
        announcing.changed()
        await alert_frame(framed)
        assert await plain.silent(0.5)
        await plain.leave()
        await framed.leave()

    play(scenario)


# --- How few there are -------------------------------------------------------------------------


def test_ten_thousand_changes_are_a_few_frames_and_the_last_says_how_it_ended(people: list[User]) -> None:
    def change() -> None:
        for number in range(10_000):
            if number % 1000 == 999:
                open_alert(people[0], rule=number)
            announcing.changed()

    async def scenario() -> None:
        dashboard = await attended()
        began = time.monotonic()
        changing = asyncio.create_task(aside(change))
        frames = [await alert_frame(dashboard)]
        while frames[-1]["open"] < 10:
            frames.append(await alert_frame(dashboard))
        await changing
        frames += await frames_for(dashboard, LONG_S)
        assert frames[-1]["open"] == 10
        assert len(frames) <= (time.monotonic() - began) / PAUSE_S + 2
        assert [frame["as_of"] for frame in frames] == sorted(frame["as_of"] for frame in frames)
        await dashboard.leave()

    play(scenario)


def test_runs_and_alerts_do_not_hold_each_other_up(people: list[User]) -> None:
    async def scenario() -> None:
        dashboard = await attended()
        frames: list[Frame] = []
        for number in range(1, 41):
            await aside(open_alert, people[0], rule=number)
            announcing.changed()
            await accept(people[0], *numbered(number, number))
        while not any(each.get("last") == 40 for each in frames) or not any(
            each.get("open") == 40 for each in frames
        ):
            frame = json.loads((await dashboard.message())["text"])
            frames.append(frame)
            if frame["type"] == "run":
                await dashboard.say(json.dumps({"ack": frame["last"]}))
        assert follow_on([frame for frame in frames if frame["type"] == "run"], 0) == 40
        await dashboard.leave()

    play(scenario)


# --- What is away ------------------------------------------------------------------------------


def test_while_nobody_can_tell_how_they_stand_nobody_is_closed_and_it_is_told_after(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alert_frames, "AGAIN_S", 0.3)
    failures: list[Exception] = [ValueError("odd"), OperationalError("away")]
    ask = shared_alerts.anew

    def anew() -> dict[str, Any]:
        if failures:
            raise failures.pop()
        return ask()

    monkeypatch.setattr(alert_frames, "_how_they_stand", anew)
    open_alert(people[0])

    async def scenario() -> None:
        dashboard = await attended()
        announcing.changed()
        assert (await alert_frame(dashboard))["open"] == 1
        assert failures == []
        await dashboard.leave()

    play(scenario)


def test_a_step_is_taken_where_the_channel_layer_takes_no_message(
    people: list[User], settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    layer = settings.CHANNEL_LAYERS["default"]
    nowhere = {**layer["CONFIG"], "hosts": [{"address": "redis://127.0.0.1:1"}]}
    settings.CHANNEL_LAYERS = {"default": {**layer, "CONFIG": nowhere}}
    channel_layers.backends.clear()
    alert = open_alert(people[0])
    assert triage.claim(alert.pk, User.objects.create_superuser("ann"), 1).state == "IN_REVIEW"
    until = time.monotonic() + 30
    while "Dashboards were not told that alerts have changed" not in caplog.text:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert Alert.objects.get().assignee is not None


def test_the_last_dashboard_leaves_the_group_of_alerts() -> None:
    async def scenario() -> None:
        dashboard = await attended()
        assert connection().zcard(GROUP_KEY) == 1
        await dashboard.leave()
        assert connection().zcard(GROUP_KEY) == 0

    play(scenario)
