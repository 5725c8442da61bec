"""Deliveries: every message arrives at least once with one id, and is tried again until it does."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from standardwebhooks.webhooks import WebhookVerificationError

from tests.support.receiving import Receiver
from transactions import tasks
from transactions.metrics import counters
from transactions.notifications import delivery, endpoints, numbering, outbox, signing, untold
from transactions.notifications.models import Attempt, Delivery, Endpoint, Message

from .conftest import deliver, eventually
from .deliveries import Made, due_now, numbers, states, write

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_message_arrives_signed_as_the_specification_says(receiver: Receiver, endpoint: Made) -> None:
    write()
    deliver()
    (got,), message = receiver.got, Message.objects.get()
    assert (got.path, got.headers["Content-Type"]) == ("/hook", "application/json")
    assert got.headers["webhook-id"] == message.webhook_id
    assert abs(int(got.headers["webhook-timestamp"]) - time.time()) < 60
    assert got.verified(endpoint[1]) == {
        "type": "system.alarm", "timestamp": outbox.moment(message.made_at), "data": {"number": 1},
    }  # fmt: skip
    with pytest.raises(WebhookVerificationError):
        got.verified(signing.new_secret())
    assert states() == [("DELIVERED", 1)]
    (attempt,) = Attempt.objects.all()
    assert (attempt.status, attempt.error) == (204, "")


def test_messages_come_in_order_and_those_of_other_types_do_not_come(
    receivers: Callable[[], Receiver], people: list[User]
) -> None:
    all_of_them, alerts = receivers(), receivers()
    _, secret = endpoints.add(all_of_them.url)
    endpoints.add(alerts.url, types=["alert.opened"])
    for number in range(5):
        write(number)
    deliver()
    assert (numbers(all_of_them, secret), alerts.got) == ([0, 1, 2, 3, 4], [])


def test_a_receiver_that_is_down_gets_the_message_once_it_is_up_with_the_same_id(
    receiver: Receiver, endpoint: Made
) -> None:
    receiver.answer(500)
    write()
    before = datetime.now(UTC)
    deliver()
    after = datetime.now(UTC)
    assert states() == [("WAITING", 1)]
    due_at = Delivery.objects.get().due_at
    assert before + timedelta(seconds=3.9) < due_at < after + timedelta(seconds=6.1)
    due_now()
    deliver()
    made = Endpoint.objects.get()
    assert (made.failures, made.failing_since is not None) == (2, True)
    receiver.answer(200)
    due_now()
    deliver()
    assert states() == [("DELIVERED", 3)]
    assert len({each.headers["webhook-id"] for each in receiver.got}) == 1
    assert len({each.body for each in receiver.got}) == 1
    made.refresh_from_db()
    assert (made.failures, made.failing_since) == (0, None)
    assert list(Attempt.objects.order_by("id").values_list("status", "error")) == [
        (500, "Answered 500."), (500, "Answered 500."), (200, ""),
    ]  # fmt: skip


def test_what_fails_does_not_hold_up_what_is_behind_it(receiver: Receiver, endpoint: Made) -> None:
    receiver.answers = lambda number: (500 if number == 1 else 204, {}, b"")
    write(1)
    write(2)
    deliver()
    assert states() == [("WAITING", 1), ("DELIVERED", 1)]


def test_attempts_are_spread_over_three_days_and_then_given_up(receiver: Receiver, endpoint: Made) -> None:
    receiver.answer(503)
    write()
    waits = []
    for _ in range(delivery.ATTEMPTS_MAX):
        due_now()
        before = datetime.now(UTC)
        deliver()
        due_at, after = Delivery.objects.get().due_at, datetime.now(UTC)
        waits.append([(due_at - moment).total_seconds() for moment in (after, before)])
    assert states() == [("FAILED", 10)]
    for (least, most), delay in zip(waits, delivery.DELAYS_S, strict=False):
        assert 0.8 * delay <= most + 0.1
        assert least <= 1.2 * delay + 0.1
    assert len(receiver.got) == 10


def test_a_receiver_says_when_to_come_again(receiver: Receiver, endpoint: Made) -> None:
    receiver.answer(429, {"Retry-After": "3600"})
    write()
    before = datetime.now(UTC)
    deliver()
    wait = Delivery.objects.get().due_at - before
    assert timedelta(seconds=3_600) <= wait < timedelta(seconds=3_660)


def test_410_switches_an_endpoint_off_at_once(receiver: Receiver, endpoint: Made) -> None:
    receiver.answer(410)
    write()
    deliver()
    made = Endpoint.objects.get()
    assert (made.off, states()) == ("GONE", [("FAILED", 1)])
    write()
    deliver()
    assert len(receiver.got) == 1


def test_an_endpoint_that_failed_for_five_days_is_off_and_gets_what_waits_once_it_is_on(
    receiver: Receiver, endpoint: Made
) -> None:
    receiver.answer(500)
    write()
    deliver()
    Endpoint.objects.update(failing_since=datetime.now(UTC) - timedelta(days=5, minutes=1))
    due_now()
    deliver()
    assert Endpoint.objects.get().off == "FAILING"
    due_now()
    deliver()
    assert len(receiver.got) == 2
    endpoints.switch_on(endpoint[0].pk)
    receiver.answer(200)
    due_now()
    deliver()
    assert states() == [("DELIVERED", 3)]


def failing_for(days: int) -> None:
    Endpoint.objects.update(failing_since=datetime.now(UTC) - timedelta(days=days))


def test_days_without_anything_to_send_are_none_in_which_nothing_gets_through(
    receiver: Receiver, endpoint: Made
) -> None:
    receiver.answer(500)
    write(1)
    Delivery.objects.update(attempts=delivery.ATTEMPTS_MAX - 1)
    deliver()
    Delivery.objects.update(attempts=delivery.ATTEMPTS_MAX - 1, due_at=datetime.now(UTC))
    failing_for(3)
    deliver()
    assert (states(), Endpoint.objects.get().failing_since) == ([("FAILED", 10)], None)
    write(2)
    before = datetime.now(UTC)
    deliver()
    made = Endpoint.objects.get()
    assert (made.off, made.failing_since is not None and made.failing_since >= before) == ("", True)


def test_another_url_or_secret_has_its_own_days(receiver: Receiver, endpoint: Made) -> None:
    receiver.answer(500)
    write()
    deliver()
    for mend in (lambda key: endpoints.change(key, url=f"{receiver.url}/other"), endpoints.rotate):
        failing_for(6)
        mend(endpoint[0].pk)
        assert Endpoint.objects.get().failing_since is None
        due_now()
        deliver()
        made = Endpoint.objects.get()
        assert (made.off, made.failing_since is None, made.failures) == ("", False, 1)
    url = Endpoint.objects.get().url
    endpoints.change(endpoint[0].pk, url=url, description="The same receiver")
    assert Endpoint.objects.get().failing_since is not None


def test_a_receiver_that_asks_for_a_pause_is_sent_nothing_until_it_is_over(
    receiver: Receiver, endpoint: Made
) -> None:
    receiver.answer(429, {"Retry-After": "3600"})
    for number in range(5):
        write(number)
    before = datetime.now(UTC)
    deliver()
    write(5)
    deliver()
    assert states() == [("WAITING", 1), *[("WAITING", 0)] * 5]
    not_before = Endpoint.objects.get().not_before
    assert not_before is not None
    assert timedelta(seconds=3_600) <= not_before - before < timedelta(seconds=3_660)
    assert untold.read().deliveries == 0
    receiver.answer(200)
    Endpoint.objects.update(not_before=datetime.now(UTC))
    deliver()
    assert numbers(receiver, endpoint[1])[1:] == [1, 2, 3, 4, 5]
    assert Endpoint.objects.get().not_before is None


def test_what_somebody_mends_or_asks_for_does_not_wait_for_the_pause_to_end(
    receiver: Receiver, endpoint: Made
) -> None:
    key = endpoint[0].pk
    write()
    deliver()
    (sent,) = Delivery.objects.values_list("pk", flat=True)
    for ask in (
        lambda: endpoints.test(key),
        lambda: endpoints.send_again(key, sent),
        lambda: endpoints.rotate(key),
        lambda: endpoints.change(key, url=f"{receiver.url}/other"),
        lambda: (endpoints.switch_off(key), endpoints.switch_on(key)),
    ):
        Endpoint.objects.update(not_before=datetime.now(UTC) + timedelta(hours=1))
        ask()
        assert Endpoint.objects.get().not_before is None


def test_what_was_posted_is_counted(receiver: Receiver, endpoint: Made) -> None:
    receiver.answers = lambda number: (500 if number == 1 else 204, {}, b"")
    before, _ = counters.read()
    write(1)
    write(2)
    deliver()
    after, _ = counters.read()
    assert [after[name] - before.get(name, 0) for name in ("webhooks|delivered", "webhooks|failed")] == [1, 1]


def test_ticks_tell_what_is_new_and_look_for_alarms(receiver: Receiver, endpoint: Made) -> None:
    write()
    tasks.deliver_messages()
    eventually(lambda: states() == [("DELIVERED", 1)])
    # Nothing has ever been flushed here.
    tasks.look_after_system()
    tasks.deliver_messages()
    eventually(lambda: len(receiver.got) == 2)
    assert receiver.got[1].verified(endpoint[1])["data"]["key"] == "flush"
    eventually(lambda: Endpoint.objects.get().leased_until is None)


def test_whatever_posting_raises_is_an_outcome(receiver: Receiver, endpoint: Made) -> None:
    Endpoint.objects.update(secret=signing.encrypt("https://example.org/no-secret"))
    write()
    deliver()
    attempt = Attempt.objects.get()
    assert (attempt.status, attempt.error) == (
        None, "It could not be sent: Error. The worker's log says more.",
    )  # fmt: skip
    assert states() == [("WAITING", 1)]
    assert Endpoint.objects.get().leased_until is None


def test_whoever_goes_back_to_before_there_were_channels_loses_them(
    receiver: Receiver, endpoint: Made
) -> None:
    channel, _ = endpoints.add(receiver.url, format="slack")
    endpoints.test(channel.pk)
    deliver()
    assert len(receiver.got) == 1
    try:
        call_command("migrate", "notifications", "0001", verbosity=0)
    finally:
        call_command("migrate", "notifications", verbosity=0)
    assert list(Endpoint.objects.values_list("pk", "format")) == [(endpoint[0].pk, "standard")]


def test_many_messages_to_many_endpoints_get_their_places_in_small_parts(
    receiver: Receiver, people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        endpoints.add(receiver.url)
    monkeypatch.setattr(numbering, "ROWS_AT_ONCE", 6)
    for number in range(7):
        write(number)
    assert (numbering.number(), Delivery.objects.count()) == (2, 6)
    deliver()
    assert Delivery.objects.filter(state="DELIVERED").count() == 21


def test_what_waits_is_sent_at_once_when_the_endpoint_is_on_again_or_elsewhere(
    receivers: Callable[[], Receiver], endpoint: Made, receiver: Receiver
) -> None:
    receiver.answer(500)
    write(1)
    deliver()
    endpoints.switch_off(endpoint[0].pk)
    receiver.answer(200)
    endpoints.switch_on(endpoint[0].pk)
    deliver()
    assert states() == [("DELIVERED", 2)]
    receiver.answer(500)
    write(2)
    deliver()
    elsewhere = receivers()
    endpoints.change(endpoint[0].pk, url=elsewhere.url)
    deliver()
    assert numbers(elsewhere, endpoint[1]) == [2]
