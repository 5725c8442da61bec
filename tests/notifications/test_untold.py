"""What is not told yet is a figure, and a worker of notifications that is dead is seen from outside."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.support.scraping import scraped
from transactions.notifications import endpoints, numbering, outbox, untold
from transactions.notifications.models import Delivery, Endpoint, Message, MessageType

pytestmark = pytest.mark.django_db(transaction=True)


def ago(seconds: float) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


def test_what_waits_is_counted_with_its_age_and_webhooks_that_fail(
    people: list[User], client: Client
) -> None:
    assert untold.read() == (0, 0, 0, 0, 0, 0)
    made = [endpoints.add(f"https://example.org/{number}")[0] for number in range(4)]
    Endpoint.objects.filter(pk=made[0].pk).update(failures=3)
    Endpoint.objects.filter(pk=made[1].pk).update(off="GONE")
    Endpoint.objects.filter(pk=made[2].pk).update(off="BY_HAND")
    outbox.write(MessageType.SYSTEM_ALARM, {})
    numbering.number()
    Delivery.objects.filter(endpoint=made[0]).update(due_at=ago(50))
    outbox.write(MessageType.SYSTEM_ALARM, {})
    outbox.write(MessageType.SYSTEM_RECOVERED, {})
    Message.objects.filter(position=None).update(not_before=ago(100))
    endpoints.test(made[3].pk)
    figures = scraped(client)
    assert (figures["messages_waiting"], figures["deliveries_due"]) == (2, 3)
    assert (figures["webhooks_failing"], figures["webhooks_off"]) == (1, 1)
    assert 100 <= figures["messages_oldest_seconds"] < 160
    assert 50 <= figures["deliveries_oldest_seconds"] < 110


def test_the_oldest_delivery_is_the_oldest_of_all_and_not_of_those_that_are_counted(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second, paused = (endpoints.add(f"https://example.org/{number}")[0] for number in range(3))
    Endpoint.objects.filter(pk=paused.pk).update(not_before=ago(-600))
    outbox.write(MessageType.SYSTEM_ALARM, {})
    numbering.number()
    for endpoint, seconds in ((first, 10), (second, 500), (paused, 900)):
        Delivery.objects.filter(endpoint=endpoint).update(due_at=ago(seconds))
    one = untold.SELECT_UNTOLD.replace(f"LIMIT {untold.COUNTED_MAX}", "LIMIT 1")
    monkeypatch.setattr(untold, "SELECT_UNTOLD", one)
    found = untold.read()
    assert found.deliveries == 1
    assert 500 <= found.oldest_delivery_s < 560


def test_a_message_that_nobody_tells_is_a_problem_after_five_minutes() -> None:
    outbox.write(MessageType.SYSTEM_ALARM, {})
    Message.objects.update(not_before=ago(untold.OLD_S - 60))
    assert untold.problems() == []
    Message.objects.update(not_before=ago(untold.OLD_S + 60))
    (told,) = untold.problems()
    assert told.startswith("a message has waited 36")
    assert told.endswith(" s to be told: does a worker of notifications run?")
    numbering.number()
    assert untold.problems() == []


def test_a_message_that_waits_in_vain_is_seen_behind_one_that_has_just_become_due() -> None:
    outbox.write(MessageType.SYSTEM_ALARM, {})
    outbox.write(MessageType.SYSTEM_RECOVERED, {})
    Message.objects.filter(type=MessageType.SYSTEM_RECOVERED).update(not_before=ago(90))
    assert untold.waits_in_vain_s() is None
    waits_s = untold.waits_in_vain_s(60)
    assert waits_s is not None
    assert 90 <= waits_s < 150
