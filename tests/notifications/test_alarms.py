"""The system's own alarms: each is told once when it begins, and once when it is over."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from tests.support.receiving import Receiver
from transactions import conditions
from transactions.books import alarms as books_alarms
from transactions.models import Epoch
from transactions.notifications import alarms, endpoints, outbox
from transactions.notifications.models import Endpoint, Message, MessageType, SystemAlarm
from transactions.queue.keys import QUEUE
from transactions.stores import redis_connection
from transactions.storing.flush import flush

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


def flushed_long_ago() -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {Epoch._meta.db_table} SET flushed_at = now() - interval '1 hour'")


def test_a_system_that_works_has_no_alarm(people: list[User]) -> None:
    flush()
    assert conditions.seen() == {}


def test_a_worker_that_does_not_flush_is_an_alarm_until_it_does(people: list[User]) -> None:
    flush()
    flushed_long_ago()
    conditions.look()
    assert told() == [("system.alarm", "flush")]
    assert Message.objects.get().data["text"].startswith("No flush for 36")
    flush()
    later()
    conditions.look()
    assert told()[1:] == [("system.recovered", "flush")]


def test_a_full_queue_is_an_alarm(people: list[User], settings: Any) -> None:
    flush()
    settings.MAX_QUEUE_LENGTH = 10
    redis_connection.connection().rpush(QUEUE, *["x"] * 9)
    assert conditions.seen()["queue"] == "9 records wait, of 10 that may."


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


def test_one_that_somebody_switched_off_is_no_alarm(receiver: Receiver, people: list[User]) -> None:
    flush()
    made, _ = endpoints.add(receiver.url)
    endpoints.switch_off(made.pk)
    assert (conditions.seen(), Endpoint.objects.get().off) == ({}, "BY_HAND")
