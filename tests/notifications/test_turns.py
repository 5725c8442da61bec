"""Turns: many workers send each message once, and whatever happens amid a turn holds up nobody."""

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

from tests.support.receiving import Receiver
from tests.support.serving import ROOT, database_url
from transactions.notifications import delivery, endpoints
from transactions.notifications.models import Delivery, Endpoint, Message

from .conftest import deliver
from .deliveries import Made, numbers, states, write

pytestmark = pytest.mark.django_db(transaction=True)


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


def test_who_lost_the_lease_does_not_give_back_another_s(receiver: Receiver, endpoint: Made) -> None:
    def take_over(number: int) -> tuple[int, dict[str, str], bytes]:
        Endpoint.objects.update(leased_until=datetime.now(UTC) + timedelta(minutes=1))
        connections.close_all()
        return 204, {}, b""

    receiver.answers = take_over
    write()
    deliver()
    assert Endpoint.objects.get().leased_until is not None


def test_what_gets_through_while_its_webhook_is_given_another_url_is_not_sent_again(
    receivers: Callable[[], Receiver], receiver: Receiver, endpoint: Made
) -> None:
    elsewhere = receivers()
    write()

    def move(number: int) -> tuple[int, dict[str, str], bytes]:
        endpoints.change(endpoint[0].pk, url=elsewhere.url)
        connections.close_all()
        return 200, {}, b""

    receiver.answers = move
    deliver()
    assert states() == [("DELIVERED", 1)]
    assert (len(receiver.got), len(elsewhere.got)) == (1, 0)
