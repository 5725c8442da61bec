"""What is sent by hand: a test message, and a message once more, at whatever moment."""

import threading
import time
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db import connection, connections, transaction

from tests.support.receiving import Receiver
from transactions.notifications import endpoints, numbering
from transactions.notifications.models import Attempt, Delivery, DeliveryState, Endpoint, Message

from .conftest import deliver
from .deliveries import Made, states, write

pytestmark = pytest.mark.django_db(transaction=True)


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


def test_what_is_sent_again_while_it_is_on_its_way_is_sent_again(receiver: Receiver, endpoint: Made) -> None:
    write()

    def again(number: int) -> tuple[int, dict[str, str], bytes]:
        if number == 1:
            sent = Delivery.objects.get()
            endpoints.send_again(endpoint[0].pk, sent.pk)
        connections.close_all()
        return 200, {}, b""

    receiver.answers = again
    deliver()
    assert states() == [("DELIVERED", 1)]
    assert len({got.headers["webhook-id"] for got in receiver.got}) == 1
    assert (len(receiver.got), Attempt.objects.count()) == (2, 2)


@pytest.mark.parametrize(("before", "answer"), [(9, 500), (3, 500), (3, 410)])
def test_what_is_sent_again_while_it_is_on_its_way_stays_due(
    receiver: Receiver, endpoint: Made, before: int, answer: int
) -> None:
    write()
    numbering.number()
    sent = Delivery.objects.get()
    Delivery.objects.update(attempts=before)

    def send_again(number: int) -> tuple[int, dict[str, str], bytes]:
        try:
            endpoints.send_again(endpoint[0].pk, sent.pk)
        finally:
            connections.close_all()
        receiver.answer(200)
        return answer, {}, b""

    receiver.answers = send_again
    deliver()
    Endpoint.objects.update(off="")
    deliver()
    assert states() == [("DELIVERED", 1)]
    assert list(Attempt.objects.order_by("id").values_list("status", flat=True)) == [answer, 200]


@pytest.mark.parametrize("step", ["test", "send_again"])
def test_what_is_sent_by_hand_while_the_webhook_is_switched_off_waits_for_that(
    receiver: Receiver, endpoint: Made, step: str
) -> None:
    write()
    deliver()
    key, told = endpoint[0].pk, list[Exception]()
    arguments = (key,) if step == "test" else (key, Delivery.objects.get().pk)

    def send() -> None:
        try:
            getattr(endpoints, step)(*arguments)
        except Exception as error:
            told.append(error)
        finally:
            connection.close()

    sending = threading.Thread(target=send)
    with transaction.atomic():
        endpoints.switch_off(key)
        sending.start()
        # It waits before it has anything that others wait for, the head of the audit trail above all.
        time.sleep(0.5)
    sending.join()
    assert [str(error) for error in told] == ["It is off: switch it on first."]
    assert states() == [("DELIVERED", 1)]
