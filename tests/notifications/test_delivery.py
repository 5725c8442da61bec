"""Deliveries: every message arrives at least once with one id, and no endpoint holds up another."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connections
from standardwebhooks.webhooks import WebhookVerificationError

from tests.support.receiving import Receiver
from tests.support.serving import ROOT, database_url
from transactions import tasks
from transactions.metrics import counters
from transactions.notifications import delivery, endpoints, outbox, signing
from transactions.notifications.models import (
    Attempt,
    Delivery,
    DeliveryState,
    Endpoint,
    Message,
    MessageType,
)

from .conftest import deliver, eventually

pytestmark = pytest.mark.django_db(transaction=True)

Made = tuple[Endpoint, str]


def write(number: int = 1) -> None:
    outbox.write(MessageType.SYSTEM_ALARM, {"number": number})


def numbers(receiver: Receiver, secret: str) -> list[int]:
    """What a receiver got, each verified."""
    return [each.verified(secret)["data"]["number"] for each in receiver.got]


def due_now() -> None:
    Delivery.objects.update(due_at=datetime.now(UTC))


def states() -> list[tuple[str, int]]:
    return list(Delivery.objects.order_by("id").values_list("state", "attempts"))


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


def test_a_rotated_secret_and_the_one_before_both_verify_until_its_end(
    receiver: Receiver, endpoint: Made
) -> None:
    made, old = endpoint
    _, new = endpoints.rotate(made.pk)
    write()
    deliver()
    assert receiver.got[0].verified(old) == receiver.got[0].verified(new)
    Endpoint.objects.update(old_secret_until=datetime.now(UTC))
    write()
    deliver()
    assert receiver.got[1].verified(new)
    with pytest.raises(WebhookVerificationError):
        receiver.got[1].verified(old)


def test_a_receiver_that_is_down_gets_the_message_once_it_is_up_with_the_same_id(
    receiver: Receiver, endpoint: Made
) -> None:
    receiver.answer(500)
    write()
    deliver()
    before = datetime.now(UTC)
    assert states() == [("WAITING", 1)]
    assert timedelta(seconds=0) < Delivery.objects.get().due_at - before < timedelta(seconds=6.1)
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
        waits.append((Delivery.objects.get().due_at - before).total_seconds())
    assert states() == [("FAILED", 10)]
    for wait, delay in zip(waits, delivery.DELAYS_S, strict=False):
        assert 0.8 * delay <= wait + 0.1
        assert wait <= 1.2 * delay + 5
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


def test_ten_tasks_at_once_send_each_message_once(
    receivers: Callable[[], Receiver], people: list[User]
) -> None:
    each_of = [receivers() for _ in range(4)]
    secrets = [endpoints.add(receiver.url)[1] for receiver in each_of]
    for number in range(25):
        write(number)

    def work() -> None:
        deliver()
        delivery.carry()
        connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    deliver()
    for receiver, secret in zip(each_of, secrets, strict=True):
        assert numbers(receiver, secret) == list(range(25))
    assert set(states()) == {("DELIVERED", 1)}


def test_an_endpoint_that_hangs_holds_up_nobody_else(
    receivers: Callable[[], Receiver], people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    """More of them than there are couriers who go to those that failed, and each hangs until it is over."""
    over = threading.Event()

    def hang(number: int) -> tuple[int, dict[str, str], bytes]:
        over.wait(60)
        return 204, {}, b""

    hanging, working = receivers(), receivers()
    hanging.answers = hang
    for _ in range(delivery.COURIERS + 4):
        endpoints.add(hanging.url)
    Endpoint.objects.update(failures=1)
    _, secret = endpoints.add(working.url)
    write(1)
    couriers = delivery.deliver()
    try:
        deadline = time.monotonic() + 30
        while not working.got and time.monotonic() < deadline:
            time.sleep(0.05)
        assert numbers(working, secret) == [1]
        assert len(hanging.got) <= delivery.COURIERS_TO_FAILING
        write(2)
        couriers += delivery.deliver()
        while len(working.got) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert numbers(working, secret) == [1, 2]
    finally:
        over.set()
        for courier in couriers:
            courier.result()


CHILD = """
import django
django.setup()
from ipaddress import ip_network
from django.conf import settings
settings.WEBHOOK_PRIVATE_NETWORKS = [ip_network("127.0.0.0/8")]
from transactions.notifications import delivery
delivery.number()
delivery.carry()
"""


@pytest.mark.slow
def test_a_worker_killed_between_sending_and_noting_sends_again_with_the_same_id(
    receiver: Receiver, endpoint: Made
) -> None:
    write(1)
    write(2)
    environment = {
        **os.environ,
        "DATABASE_URL": database_url(),
        "WEBHOOK_SECRET_KEYS": "k" * 32,
        "CRASH_POINT": "notifications.sent",
    }
    killed = subprocess.run([sys.executable, "-c", CHILD], cwd=ROOT, env=environment, check=False)
    assert killed.returncode == -9
    assert (numbers(receiver, endpoint[1]), states()) == ([1], [("WAITING", 0), ("WAITING", 0)])
    # The lease of the dead is respected until its end.
    deliver()
    assert len(receiver.got) == 1
    Endpoint.objects.update(leased_until=datetime.now(UTC))
    deliver()
    assert numbers(receiver, endpoint[1]) == [1, 1, 2]
    first, again, other = (each.headers["webhook-id"] for each in receiver.got)
    assert first == again != other
    assert receiver.got[0].body == receiver.got[1].body


def test_an_endpoint_is_removed_while_something_is_sent_to_it(receiver: Receiver, endpoint: Made) -> None:
    """Over and over, since what would go wrong is a matter of a moment."""
    made = endpoint[0].pk
    for _ in range(10):
        for number in range(20):
            write(number)
        couriers = delivery.deliver()
        endpoints.remove(made)
        for courier in couriers:
            courier.result()
        assert not Delivery.objects.exists()
        made = endpoints.add(receiver.url)[0].pk


def test_a_message_that_is_removed_amid_a_turn_is_passed_over(
    receiver: Receiver, endpoint: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(1)
    write(2)
    genuine = delivery._claim

    def claim(to_failing: bool) -> Any:
        turn = genuine(to_failing)
        Message.objects.filter(data__number=1).delete()
        return turn

    monkeypatch.setattr(delivery, "_claim", claim)
    deliver()
    assert numbers(receiver, endpoint[1]) == [2]
    assert Endpoint.objects.get().leased_until is None


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


def test_who_lost_the_lease_does_not_give_back_another_s(receiver: Receiver, endpoint: Made) -> None:
    def take_over(number: int) -> tuple[int, dict[str, str], bytes]:
        Endpoint.objects.update(leased_until=datetime.now(UTC) + timedelta(minutes=1))
        connections.close_all()
        return 204, {}, b""

    receiver.answers = take_over
    write()
    deliver()
    assert Endpoint.objects.get().leased_until is not None


def test_a_secret_cannot_be_read_from_the_database_alone(endpoint: Made) -> None:
    made, secret = endpoint
    assert secret.startswith("whsec_")
    assert secret not in str(Endpoint.objects.values().get())
    assert signing.decrypt(made.secret) == secret


def test_a_key_is_changed_by_putting_another_before_it(endpoint: Made, settings: Any) -> None:
    made, secret = endpoint
    settings.WEBHOOK_SECRET_KEYS = ["n" * 32, "k" * 32]
    assert signing.decrypt(made.secret) == secret
    settings.WEBHOOK_SECRET_KEYS = ["n" * 32]
    with pytest.raises(signing.KeyLost):
        signing.decrypt(made.secret)


def test_an_endpoint_whose_key_is_lost_fails_with_the_reason_until_it_is_rotated(
    receiver: Receiver, endpoint: Made, settings: Any
) -> None:
    settings.WEBHOOK_SECRET_KEYS = ["n" * 32]
    write()
    deliver()
    assert Attempt.objects.get().error == (
        "WEBHOOK_SECRET_KEYS cannot read the secret: bring its key back, or rotate it."
    )
    _, secret = endpoints.rotate(endpoint[0].pk)
    due_now()
    deliver()
    assert numbers(receiver, secret) == [1]


def test_without_a_key_no_endpoint_is_made(receiver: Receiver, settings: Any, db: None) -> None:
    settings.WEBHOOK_SECRET_KEYS = []
    with pytest.raises(signing.NoKey, match="WEBHOOK_SECRET_KEYS is not set"):
        endpoints.add(receiver.url)


def test_a_test_message_goes_to_one_endpoint_and_into_no_order(
    receivers: Callable[[], Receiver], people: list[User]
) -> None:
    one, other = receivers(), receivers()
    made, secret = endpoints.add(one.url, types=["alert.opened"])
    endpoints.add(other.url)
    endpoints.test(made.pk)
    deliver()
    assert one.got[0].verified(secret)["type"] == "webhook.test"
    assert (other.got, Message.objects.get().position) == ([], None)


def test_a_message_is_sent_again_by_hand_with_the_same_id(receiver: Receiver, endpoint: Made) -> None:
    write()
    deliver()
    again = endpoints.send_again(endpoint[0].pk, Delivery.objects.get().pk)
    assert again.state == DeliveryState.WAITING
    deliver()
    first, second = receiver.got
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
    endpoints.switch_off(endpoint[0].pk)
    with pytest.raises(endpoints.EndpointRefused, match="It is off: switch it on first"):
        endpoints.send_again(endpoint[0].pk, again.pk)
