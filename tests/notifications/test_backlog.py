"""What waits for a webhook, however much it is: a turn reads what it sends, and sends it in order."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from tests.support.reading import pages_read, tell_the_planner, tell_the_planner_nothing
from tests.support.receiving import Receiver
from transactions.notifications import delivery, endpoints
from transactions.notifications.models import Delivery, Endpoint, Message

from .conftest import deliver
from .deliveries import Made, numbers

pytestmark = pytest.mark.django_db(transaction=True)

DELIVERY, MESSAGE = Delivery._meta.db_table, Message._meta.db_table
WAITING = 20_000
# Those that wait have some 200 pages, their messages 400, and the indexes of both as many.
PAGES_MAX = 60
# Purpose: messages that wait for a webhook, each with so many attempts and due at such a time.
FILL = """
    WITH made AS (
        INSERT INTO {message} (type, data, position, told_at)
        SELECT 'system.alarm', jsonb_build_object('number', n), n, now() FROM generate_series(1, {waiting}) n
         ORDER BY n RETURNING id, position AS n)
    INSERT INTO {delivery} (endpoint_id, message_id, attempts, due_at)
    SELECT {endpoint}, id, {attempts}, now() + interval '1 hour' * {hours} FROM made ORDER BY n
"""


def wait(endpoint: Endpoint, attempts: str, hours: str, waiting: int = WAITING) -> None:
    """Messages wait: each was tried so often and is due in so many hours, as SQL of its number n."""
    with connection.cursor() as cursor:
        cursor.execute(
            FILL.format(
                message=MESSAGE,
                delivery=DELIVERY,
                endpoint=endpoint.pk,
                waiting=waiting,
                attempts=attempts,
                hours=hours,
            )
        )


def due(endpoint: Endpoint) -> list[Any]:
    """The places of what is sent next."""
    with connection.cursor() as cursor:
        cursor.execute(delivery.SELECT_DUE, {"endpoint": endpoint.pk})
        messages = [message for _, _, message, _ in cursor.fetchall()]
    places = dict(Message.objects.filter(pk__in=messages).values_list("pk", "position"))
    return [places[message] for message in messages]


# Those of which nothing more than the last ten is due; half of which wait for another attempt.
LAST_TEN = f"(n <= {WAITING - 10})::int"
FIRST_HALF = f"(n <= {WAITING // 2})::int"


@pytest.mark.parametrize("asked_before", [tell_the_planner_nothing, tell_the_planner])
@pytest.mark.parametrize(
    ("attempts", "hours", "first", "last"),
    [
        ("0", "0", 1, 50),
        ("1", "0", 1, 50),
        ("1", LAST_TEN, WAITING - 9, WAITING),
        (FIRST_HALF, FIRST_HALF, WAITING // 2 + 1, WAITING // 2 + 50),
        ("(n % 2)", "0", 1, 50),
    ],
)
def test_a_turn_reads_what_it_sends_and_not_all_that_waits(
    endpoint: Made, attempts: str, hours: str, first: int, last: int, asked_before: Callable[[str], None]
) -> None:
    made = endpoint[0]
    wait(made, attempts, hours)
    asked_before(DELIVERY)
    asked_before(MESSAGE)
    assert due(made) == list(range(first, last + 1))
    with connection.cursor() as cursor:
        assert pages_read(cursor, delivery.SELECT_DUE, {"endpoint": made.pk}) <= PAGES_MAX
        assert pages_read(cursor, delivery.COUNT_DUE) <= PAGES_MAX
        assert pages_read(cursor, delivery.CLAIM, [True]) <= PAGES_MAX


@pytest.mark.parametrize("step", ["test", "send_again"])
def test_what_is_sent_by_hand_stands_behind_no_other(receiver: Receiver, endpoint: Made, step: str) -> None:
    made, secret = endpoint
    wait(made, "0", "0", waiting=60)
    newest = Delivery.objects.order_by("-id")[0]
    if step == "test":
        endpoints.test(made.pk)
    else:
        endpoints.send_again(made.pk, newest.pk)
    deliver()
    told = [each.verified(secret)["data"] for each in receiver.got]
    assert told[0].get("text", told[0].get("number")) == ("A test message." if step == "test" else 60)
    assert [each["number"] for each in told[1:4]] == [1, 2, 3]
    assert len(told) == (61 if step == "test" else 60)


def test_what_failed_comes_again_before_what_came_later(receiver: Receiver, endpoint: Made) -> None:
    made, secret = endpoint
    wait(made, "(n % 3 = 0)::int", "0", waiting=60)
    deliver()
    assert numbers(receiver, secret) == list(range(1, 61))
