"""The system's own alarms: each is told once when it begins, and once when it is over."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import OperationalError
from django.db.models.functions import Now
from django.test import Client

from tests.support.outages import locked, redis_away, redis_frozen
from tests.support.receiving import Receiver
from tests.support.rules import rule_in_force
from transactions import tasks
from transactions.books import alarms as books_alarms
from transactions.models import Epoch
from transactions.notifications import alarms, endpoints, numbering, outbox
from transactions.notifications.models import Endpoint, Message, MessageType, SystemAlarm
from transactions.queue.keys import QUEUE
from transactions.rules.models import Debt
from transactions.stores import bounded_queries, redis_connection
from transactions.storing import history
from transactions.storing.flush import flush
from transactions.system import conditions

from .conftest import deliver

pytestmark = pytest.mark.django_db(transaction=True)


def told() -> list[tuple[str, str]]:
    return [(each.type, each.data["key"]) for each in Message.objects.order_by("id")]


def later() -> None:
    """More than a minute goes by without anybody seeing any."""
    SystemAlarm.objects.update(seen_at=datetime.now(UTC) - alarms.OVER_AFTER - timedelta(seconds=1))


def test_an_alarm_is_told_once_and_so_is_its_end() -> None:
    for _ in range(3):
        alarms.note({"queue": "The queue is full."})
    later()
    for _ in range(3):
        alarms.note({})
    assert told() == [("system.alarm", "queue"), ("system.recovered", "queue")]
    began, over = Message.objects.order_by("id")
    assert (began.data["text"], began.data["recovered_at"]) == ("The queue is full.", None)
    assert (over.data["alarm"], over.data["recovered_at"] is None) == (began.data["alarm"], False)
    alarms.note({"queue": "The queue is full."})
    assert told()[2:] == [("system.alarm", "queue")]


def test_what_comes_and_goes_is_one_alarm() -> None:
    for _ in range(3):
        alarms.note({"rules": "x"})
        alarms.note({})
    assert told() == [("system.alarm", "rules")]


def test_a_long_reason_is_cut() -> None:
    alarms.note({"rules": "x" * 2_000})
    assert len(SystemAlarm.objects.get().text) == 500


def test_an_alarm_that_goes_on_says_what_is_so_by_now_and_is_not_told_again() -> None:
    alarms.note({"mail": "Mail to 1 recipient fails."})
    alarms.note({"mail": "Mail to 9 recipients fails."})
    assert (told(), SystemAlarm.objects.get().text) == (
        [("system.alarm", "mail")],
        "Mail to 9 recipients fails.",
    )


def test_each_rule_that_fails_is_an_alarm_of_its_own_and_so_is_what_is_owed(
    people: list[User], settings: Any
) -> None:
    settings.FOUR_EYES = False
    flush()
    first, second = (rule_in_force("amount", name=name, amount=1_000).pk for name in ("Zebra", "Ant"))
    Message.objects.all().delete()
    for _ in range(2):
        Debt.objects.create(version_id=first, error="division by zero")
    conditions.look()
    Debt.objects.create(version_id=second, error="division by zero")
    conditions.look()
    Debt.objects.create(made_at=Now() - timedelta(hours=1))
    conditions.look()
    assert told() == [("system.alarm", f"rules:{key}") for key in (first, second, "debt")]
    texts = list(SystemAlarm.objects.order_by("pk").values_list("text", flat=True))
    assert texts[:2] == [f"The rules: the rule “{name}”: division by zero." for name in ("Zebra", "Ant")]
    assert texts[2].startswith("The rules: what was stored 36")
    Debt.objects.filter(version=first).delete()
    later()
    conditions.look()
    assert told()[3:] == [("system.recovered", f"rules:{first}")]


def flushed(ago: timedelta) -> None:
    Epoch.objects.update(flushed_at=Now() - ago)


def test_a_system_that_works_has_no_alarm(people: list[User]) -> None:
    flush()
    assert conditions.seen() == {}


def test_a_worker_that_does_not_flush_is_an_alarm_until_it_does(people: list[User]) -> None:
    flush()
    flushed(ago=timedelta(hours=1))
    conditions.look()
    assert told() == [("system.alarm", "flush")]
    assert Message.objects.get().data["text"].startswith("No flush for 36")
    flush()
    later()
    conditions.look()
    assert told()[1:] == [("system.recovered", "flush")]


def test_until_the_alarm_of_redis_is_over_nobody_is_blamed_for_flushes_and_ticks(people: list[User]) -> None:
    """They go through it. Whoever is dead as well is told of then."""
    flush()
    flushed(ago=timedelta(hours=1))
    with redis_away():
        assert list(conditions.seen(silent_s=45)) == ["redis"]
        conditions.look()
    conditions.look(silent_s=45)
    assert told() == [("system.alarm", "redis")]
    later()
    conditions.look()
    conditions.look()
    assert told()[1:] == [("system.recovered", "redis"), ("system.alarm", "flush")]


def test_after_a_stop_a_flush_is_missing_only_once_there_was_time_for_one(
    people: list[User], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.FLUSH_INTERVAL_SECONDS = 100
    flush()
    flushed(ago=timedelta(hours=1))
    for up_s, found in ((390, []), (410, ["flush"])):
        monkeypatch.setattr(history, "STARTED_AT", datetime.now(UTC) - timedelta(seconds=up_s))
        assert list(conditions.seen()) == found


@pytest.mark.parametrize(("ago_s", "status", "found"), [(350, 200, []), (410, 503, ["flush"])])
def test_a_missing_flush_is_an_alarm_when_readiness_complains(
    client: Client, people: list[User], settings: Any, ago_s: int, status: int, found: list[str]
) -> None:
    settings.FLUSH_INTERVAL_SECONDS = 100
    flush()
    flushed(ago=timedelta(seconds=ago_s))
    assert (client.get("/readyz").status_code, list(conditions.seen())) == (status, found)


def test_a_short_interval_is_no_reason_to_be_told_later(
    client: Client, people: list[User], settings: Any
) -> None:
    settings.FLUSH_INTERVAL_SECONDS = 2
    flush()
    flushed(ago=timedelta(seconds=15))
    assert (client.get("/readyz").status_code, list(conditions.seen())) == (503, ["flush"])


def test_a_full_queue_is_an_alarm(people: list[User], settings: Any) -> None:
    flush()
    settings.MAX_QUEUE_LENGTH = 10
    redis_connection.connection().rpush(QUEUE, *["x"] * 9)
    assert conditions.seen()["queue"] == "9 records wait, of 10 that may."


def test_a_question_that_takes_too_long_silences_no_other_and_ends_no_alarm(
    people: list[User], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    flush()
    failing = Debt.objects.create(error="division by zero")
    conditions.look()
    flushed(ago=timedelta(hours=1))
    later()
    with locked(Debt._meta.db_table), monkeypatch.context() as impatient:
        impatient.setattr(bounded_queries, "STATEMENT_MS_MAX", 1_000)
        conditions.look()
    assert told() == [("system.alarm", "rules:all"), ("system.alarm", "flush")]
    assert "rules could not be asked: canceling statement due to statement timeout" in caplog.text
    failing.delete()
    conditions.look()
    assert told()[2:] == [("system.recovered", "rules:all")]


def test_a_redis_that_is_frozen_is_waited_for_once(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    flush()
    monkeypatch.setattr(redis_connection, "READER_S", 0.1)
    with redis_frozen() as frozen:
        assert list(conditions.seen()) == ["redis"]
        assert frozen.asked() == 1


def test_what_redis_alone_knows_is_not_over_while_it_is_away(people: list[User], settings: Any) -> None:
    flush()
    settings.MAX_QUEUE_LENGTH = 10
    redis_connection.connection().rpush(QUEUE, *["x"] * 9)
    conditions.look()
    with redis_away():
        later()
        conditions.look()
    # What was pushed behind the system's back is in no books either.
    assert told() == [("system.alarm", key) for key in ("queue", "balance", "redis")]
    redis_connection.connection().delete(QUEUE)
    later()
    conditions.look()
    assert set(told()[3:]) == {("system.recovered", key) for key in ("queue", "balance", "redis")}


def test_old_messages_are_removed_though_nobody_can_be_asked_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> None:
        raise OperationalError("no time is left")

    outbox.write(MessageType.SYSTEM_ALARM, {"key": "old"})
    numbering.number()
    Message.objects.update(made_at=datetime.now(UTC) - timedelta(days=31))
    monkeypatch.setattr(conditions, "look", fail)
    with pytest.raises(OperationalError):
        tasks.look_after_system()
    assert not Message.objects.exists()


def test_the_books_alarm_is_one_until_it_is_acknowledged(people: list[User]) -> None:
    flush()
    Epoch.objects.update(alarm="Redis lost 3 records")
    assert conditions.seen() == {f"books:{Epoch.objects.get().pk}": "The books: Redis lost 3 records"}
    books_alarms.acknowledge(Epoch.objects.all())
    assert conditions.seen() == {}


def test_an_endpoint_that_was_switched_off_is_an_alarm_at_the_others_until_it_is_on(
    receiver: Receiver, people: list[User]
) -> None:
    flush()
    gone, _ = endpoints.add(receiver.url, description="Old one")
    receiver.answer(410)
    outbox.write(MessageType.SYSTEM_ALARM, {"key": "x"})
    deliver()
    conditions.look()
    key = f"endpoint:{gone.pk}"
    assert told()[1:] == [("system.alarm", key)]
    assert (
        SystemAlarm.objects.get().text
        == f"The webhook {gone.pk} (Old one) was switched off: it answered 410."
    )
    endpoints.switch_on(gone.pk)
    later()
    conditions.look()
    assert told()[2:] == [("system.recovered", key)]


def test_one_to_which_nothing_got_through_is_told_with_for_how_long(people: list[User]) -> None:
    flush()
    made, _ = endpoints.add("https://example.org/")
    Endpoint.objects.update(off=Endpoint.Off.FAILING)
    assert conditions.seen() == {
        f"endpoint:{made.pk}": f"The webhook {made.pk} was switched off: nothing got through for 5 days."
    }


def test_one_that_somebody_switched_off_is_no_alarm(receiver: Receiver, people: list[User]) -> None:
    flush()
    made, _ = endpoints.add(receiver.url)
    endpoints.switch_off(made.pk)
    assert (conditions.seen(), Endpoint.objects.get().off) == ({}, "BY_HAND")


def test_others_are_told_of_an_endpoint_without_its_url(receiver: Receiver, people: list[User]) -> None:
    flush()
    gone, _ = endpoints.add(f"{receiver.url}?token=S3CRET")
    receiver.answer(410)
    endpoints.test(gone.pk)
    deliver()
    assert conditions.seen() == {
        f"endpoint:{gone.pk}": f"The webhook {gone.pk} was switched off: it answered 410."
    }
    assert "S3CRET" not in str(Endpoint.objects.get())
