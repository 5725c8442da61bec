"""Each part of the system says how it is; the gravest, in order of cause, stands for the whole."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now

from tests.support.accepting import push, queued, record, take
from tests.support.living import everybody_works, was_there, worker_was_there
from tests.support.outages import postgres_away, redis_away, redis_frozen
from tests.support.uploads import payments, uploaded
from transactions.metrics import loop_delay, signs, ticks
from transactions.models import Epoch
from transactions.notifications import alarms, outbox
from transactions.notifications.models import Message, MessageType, SystemAlarm
from transactions.queue.keys import QUEUE
from transactions.rules.figures import tell_left
from transactions.stores import redis_connection
from transactions.stores.postgres_session import FLUSH_LOCK, Session
from transactions.stores.redis_connection import connection
from transactions.storing import history
from transactions.system import reading
from transactions.system.first_seen import FirstSeen
from transactions.system.parts import Condition, PartState, SystemPart, condition_of
from transactions.system.silences import Silences
from transactions.tasks import flush_transactions, look_after_backtests, tell
from transactions.uploads.models import Upload

pytestmark = pytest.mark.django_db(transaction=True)

OK, UNKNOWN, SLOW, ILL = PartState.OK, PartState.UNKNOWN, PartState.SLOW, PartState.ILL


@pytest.fixture(autouse=True)
def began_long_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "STARTED_AT", datetime.now(UTC) - timedelta(hours=1))


@pytest.fixture
def well(people: list[User]) -> list[User]:
    """A system in which everybody has just done what is theirs."""
    take(record("T1", people[0]))
    everybody_works()
    return people


def now() -> Condition:
    return condition_of(reading.read())


def part(name: str) -> SystemPart:
    (found,) = (each for each in now().parts if each.name == name)
    return found


def states(condition: Condition) -> dict[str, PartState]:
    """Those that are not well."""
    return {each.name: each.state for each in condition.parts if each.state != OK}


def test_a_system_that_works_is_well_in_every_part(well: list[User]) -> None:
    found = now()
    assert (found.state, states(found), found.waiting) == (OK, {}, 0)
    assert found.stored_up_to == found.as_of
    assert len(found.parts) == 11


def test_it_says_up_to_when_all_that_was_accepted_is_stored(well: list[User]) -> None:
    take(record("T2", well[0]))
    found = now()
    assert (found.state, found.waiting) == (OK, 1)
    assert found.stored_up_to is not None
    assert timedelta(0) < found.as_of - found.stored_up_to < timedelta(seconds=9)


@pytest.mark.parametrize(("ago_s", "state"), [(15, OK), (25, SLOW), (40, ILL)])
def test_a_stopped_worker_is_told_within_the_alive_time(
    well: list[User], ago_s: int, state: PartState
) -> None:
    worker_was_there(ago_s)
    assert states(now()) == ({"worker": state, "storing": state} if state else {})


def test_a_stopped_worker_is_the_cause_and_says_since_when_and_what_to_do(well: list[User]) -> None:
    worker_was_there(40)
    worst = now().gravest
    assert worst.name == "worker"
    assert re.fullmatch(
        r"No worker has taken a flush for 4\d s: the worker is stopped or stuck\.", worst.cause
    )
    assert re.fullmatch(r"Worker silent for 4\d s", worst.brief)
    assert worst.since is not None
    assert 39 < (datetime.now(UTC) - worst.since).total_seconds() < 60
    assert ("With Docker", "docker compose restart worker") in worst.advice.commands


@pytest.mark.parametrize("outcome", ["failed", "expired"])
def test_a_worker_whose_flushes_come_to_nothing_lives_and_storing_says_why(
    well: list[User], outcome: str
) -> None:
    worker_was_there(40)
    ticks.tick(outcome)
    found = now()
    assert states(found) == {"storing": ILL}
    why = {"failed": "flushes fail", "expired": "ticks come too late"}[outcome]
    assert re.fullmatch(rf"Nothing has been stored for 4\d s: {why}; nothing waits\.", found.gravest.cause)


def test_a_long_flush_is_no_silent_worker(well: list[User]) -> None:
    worker_was_there(40)
    with Session() as flusher:
        assert flusher.try_lock(FLUSH_LOCK)
        assert states(now()) == {}


@pytest.mark.parametrize(("ago_s", "state"), [(15, OK), (25, SLOW), (40, ILL)])
def test_a_stopped_beat_is_told_while_the_worker_flushes_by_itself(
    well: list[User], ago_s: int, state: PartState
) -> None:
    was_there(signs.BEAT, ago_s)
    assert states(now()) == ({"beat": state} if state else {})


def test_a_beat_without_signs_of_its_own_is_known_by_the_ticks_that_are_taken(well: list[User]) -> None:
    connection().delete(signs.SIGNS)
    signs.show(signs.TELLER)
    assert states(now()) == {}
    worker_was_there(40)
    assert part("beat").state == ILL


def test_what_has_waited_for_two_intervals_is_told(well: list[User]) -> None:
    accepted = datetime.now(UTC) - timedelta(minutes=14, seconds=3)
    push(queued("T2", well[0], at=f"{accepted:%Y-%m-%dT%H:%M:%S.%fZ}"))
    found = now()
    assert states(found) == {"storing": SLOW}
    assert found.gravest.cause == "Storing is behind: 1 wait, the oldest for 14 min; flushes do not keep up."


def test_a_queue_that_is_nearly_full_is_told(well: list[User], settings: Any) -> None:
    settings.MAX_QUEUE_LENGTH = 1
    take(record("T2", well[0]))
    found = {each.name: each for each in now().parts}
    assert found["storing"].cause == "1 records wait, of 1 that may; more are refused."
    assert found["redis"].cause == "No transaction is accepted: the queue is full."


def test_without_postgresql_what_waits_is_told_and_what_nobody_knows_is_unknown(well: list[User]) -> None:
    take(record("T2", well[0]))
    with postgres_away():
        found = now()
    assert states(found) == {
        "postgres": ILL, "storing": ILL, "books": UNKNOWN, "rules": UNKNOWN, "notifications": UNKNOWN,
        "uploads": UNKNOWN,
    }  # fmt: skip
    assert found.gravest.name == "postgres"
    assert found.waiting == 1


def test_without_redis_what_nobody_knows_is_unknown(well: list[User]) -> None:
    with redis_away():
        found = now()
    unknown = dict.fromkeys(("beat", "storing", "books", "notifications"), UNKNOWN)
    assert states(found) == {"redis": ILL, "feed": ILL, **unknown}
    assert (found.gravest.name, found.stored_up_to) == ("redis", None)
    assert part("redis").state == OK


def test_a_redis_that_is_frozen_is_waited_for_once(well: list[User], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_connection, "READER_S", 0.2)
    with redis_frozen() as frozen:
        found = now()
        assert frozen.asked() == 1
    assert found.gravest.brief == "Redis does not answer"
    assert states(found)["feed"] == ILL


@pytest.mark.parametrize(
    ("away", "name", "beat"), [(redis_away, "Redis", UNKNOWN), (postgres_away, "PostgreSQL", SLOW)]
)
def test_who_could_not_be_heard_while_a_store_was_silent_is_given_the_time_for_a_new_sign(
    well: list[User], away: Callable[[], Any], name: str, beat: PartState
) -> None:
    was_there(signs.BEAT, 25)
    worker_was_there(25)
    was_there(signs.TELLER, 40)
    silences = Silences()
    with away():
        silences.beside(reading.read())
    seen = silences.beside(reading.read())
    found = condition_of(seen)
    excused = {"worker": UNKNOWN, "storing": UNKNOWN, "notifications": UNKNOWN}
    # Ticks go through Redis alone.
    assert states(found) == {**excused, "beat": beat}
    causes = {each.name: each.cause for each in found.parts}
    assert re.fullmatch(
        rf"{name} did not answer until (under 1|\d\.\d) s ago: its next flush tells\.", causes["worker"]
    )
    long_ago = {store: moment - 21 for store, moment in seen.silent_at.items()}
    found = condition_of(replace(seen, silent_at=long_ago))
    assert states(found) == dict.fromkeys(("worker", "beat", "storing", "notifications"), SLOW)


def test_without_both_stores_it_says_so() -> None:
    with redis_away(), postgres_away():
        found = now()
    assert {name for name, state in states(found).items() if state == ILL} == {"redis", "postgres", "feed"}


def test_books_that_do_not_balance_come_first(well: list[User]) -> None:
    connection().rpush(QUEUE, "smuggled")
    worker_was_there(40)
    worst = now().gravest
    assert (worst.name, worst.state, worst.brief) == ("books", ILL, "The books do not balance")


def test_an_alarm_of_the_books_has_its_own_advice(well: list[User]) -> None:
    Epoch.objects.update(alarm="The Redis data vanished")
    found = part("books")
    assert (found.state, found.cause) == (ILL, "The Redis data vanished.")
    assert found.advice.commands == (("Anywhere", "manage.py verify --acknowledge"),)


def test_rules_that_were_left_are_told(well: list[User]) -> None:
    tell_left(RuntimeError("a lock is held"))
    found = part("rules")
    assert found.state == SLOW
    assert found.cause == "Rules were left after a flush: RuntimeError('a lock is held')."


@pytest.mark.parametrize(("ago_s", "state"), [(20, OK), (40, SLOW), (70, ILL)])
def test_a_worker_of_notifications_that_falls_silent_is_told(
    well: list[User], ago_s: int, state: PartState
) -> None:
    was_there(signs.TELLER, ago_s)
    assert part("notifications").state == state


def test_messages_that_wait_in_vain_are_told(well: list[User]) -> None:
    outbox.write(MessageType.SYSTEM_ALARM, {"key": "x"})
    Message.objects.update(not_before=Now() - timedelta(seconds=400))
    found = part("notifications")
    assert found.state == ILL
    assert re.fullmatch(
        r"A message has waited 4\d\d s to be told: does a worker of notifications run\?", found.cause
    )


@pytest.mark.parametrize(
    ("delay_s", "state", "cause"),
    [
        (None, OK, "This process made this page. Of other web processes nothing is known here."),
        (0.004, OK, "This process made this page, its event loop turns within 4 ms. Of other"),
        (1.5, SLOW, "The event loop of this process is late by 1.5 s: requests and live pages wait."),
        (3.0, ILL, "The event loop of this process has not turned for 3.0 s: it is stuck, or overrun."),
    ],
)
def test_web_claims_what_its_own_process_can_tell(
    well: list[User], delay_s: float | None, state: PartState, cause: str
) -> None:
    found = condition_of(replace(reading.read(), loop_delay_s=delay_s))
    (web,) = (each for each in found.parts if each.name == "web")
    assert web.state == state
    assert web.cause.startswith(cause)
    assert bool(web.brief) == (state > OK)


def test_a_loop_that_is_stuck_is_seen_from_a_thread_of_the_same_process(
    well: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop_delay, "delay_s", lambda: loop_delay.PATIENCE_S)
    assert states(now()) == {"web": ILL}


def test_webhooks_that_were_switched_off_are_told_since_when(well: list[User]) -> None:
    alarms.note({"endpoint:1": "The webhook 1 was switched off: it answered 410."})
    found = part("notifications")
    assert (found.state, found.brief) == (SLOW, "A webhook is off")
    assert found.since is not None


def test_since_when_redis_refuses_is_what_the_alarm_says(well: list[User], settings: Any) -> None:
    alarms.note({"intake": "Intake refuses transactions: the queue is full."})
    settings.MAX_QUEUE_LENGTH = 1
    take(record("T2", well[0]))
    assert part("redis").since is not None


def test_no_part_is_ill_since_later_than_it_was_seen_to_be(well: list[User], settings: Any) -> None:
    """The alarm comes half a minute after the page has said so; and once it is over it begins anew."""
    take(record("T2", well[0]))
    first_seen = FirstSeen()

    def redis_now() -> SystemPart:
        condition = first_seen.beside(condition_of(reading.read()))
        return next(part for part in condition.parts if part.name == "redis")

    settings.MAX_QUEUE_LENGTH = 1
    before = datetime.now(UTC)
    assert redis_now().since is None
    seen_by = datetime.now(UTC)
    alarms.note({"intake": "Intake refuses transactions: the queue is full."})
    assert alarm_opened() > seen_by
    since = redis_now().since
    assert since is not None
    assert before < since < seen_by
    settings.MAX_QUEUE_LENGTH = 10_000
    assert redis_now().state == OK
    settings.MAX_QUEUE_LENGTH = 1
    assert redis_now().since == alarm_opened()


def alarm_opened() -> datetime:
    return SystemAlarm.objects.get(key="intake").opened_at


def test_a_process_that_has_just_begun_says_what_it_does_not_know_yet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(history, "STARTED_AT", datetime.now(UTC))
    assert states(now()) == dict.fromkeys(("worker", "beat", "notifications"), UNKNOWN)
    monkeypatch.setattr(history, "STARTED_AT", datetime.now(UTC) - timedelta(hours=1))
    never = {each.name: each.cause for each in now().parts if each.state == ILL}
    assert never == {
        "worker": "No worker has ever taken a flush: does one run?",
        "beat": "Nobody has ever sent a tick: does Celery Beat run?",
        "storing": "Nothing has been stored yet: no flush runs; nothing waits.",
        "notifications": "No worker of notifications has ever shown itself: does one run?",
    }


@pytest.mark.parametrize(
    ("who", "act"),
    [(signs.BEAT, flush_transactions.apply_async), (signs.TELLER, tell)],
)
def test_beat_gives_a_sign_by_each_tick_and_who_tells_by_each_turn(
    people: list[User], who: str, act: Callable[[], object]
) -> None:
    look_after_backtests.apply_async()  # Others send such a thing, too.
    assert signs.last_signs() == {}
    act()
    assert list(signs.last_signs()) == [who]


def test_an_upload_that_waits_or_is_stuck_is_told(well: list[User]) -> None:
    upload = uploaded(payments(well[0], 1))
    assert part("uploads").cause == "1 uploaded file waits for a worker, and 0 have one."
    Upload.objects.filter(pk=upload.pk).update(asked_at=Now() - timedelta(minutes=11))
    found = part("uploads")
    assert (found.state, found.brief) == (SLOW, "An import waits, or is stuck")
    assert re.match(r"An uploaded file has waited 66\d s for a worker of the queue “backtests”", found.cause)
    Upload.objects.filter(pk=upload.pk).update(state="RUNNING", started_at=Now() - timedelta(hours=3))
    assert "is it stuck?" in part("uploads").cause
    Upload.objects.filter(pk=upload.pk).update(started_at=Now())
    assert part("uploads").state == OK
