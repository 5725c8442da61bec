"""Faults of being told: whoever has to know is told of every alert, by one id, whatever breaks on the way."""

import threading
import time
from contextlib import ExitStack

import pytest

from dev.waiting import wait_until
from tests.faults import told
from tests.faults.conftest import Stage
from tests.faults.load import pause
from tests.faults.system import System
from tests.faults.told import DELIVERY, ENDPOINT, Addressee
from tests.support.receiving import Answer
from transaction_monitoring.celery import app
from transactions.notifications.delivery import ATTEMPTS_MAX
from transactions.notifications.models import MessageType
from transactions.tasks import deliver_messages

pytestmark = pytest.mark.slow

# What an endpoint that hangs would cost is 15 seconds a message; others wait for a tick, and a busy machine.
LATE_S_MAX = 10.0
# Attempts within the first hour: at once, after 5 s, 5 min and 30 min.
ATTEMPTS_IN_AN_HOUR = 4

SELECT_LEAST = f"""
    SELECT coalesce(min(attempts), 0) FROM {DELIVERY} WHERE endpoint_id = %s AND state = 'WAITING'
"""
# Purpose: what waits for an endpoint, and was tried less often than that, is due in so many seconds.
MOVE = f"""
    UPDATE {DELIVERY} SET due_at = now() + %s * interval '1 second'
     WHERE endpoint_id = %s AND state = 'WAITING' AND attempts < %s
"""
SELECT_LEASE = f"SELECT leased_until FROM {ENDPOINT} WHERE id = %s"


def test_fault_25_notifications_killed_between_sending_and_noting(stage: Stage) -> None:
    system = stage.set_up(rules=True, receivers=2)
    with stage.load() as load:
        for _ in range(3):
            load.wait(200)
            system.arm("notifications.sent")
            told.hurry(system)
            system.wait_burnt("notifications.sent")
            told.end_leases(system)
        load.wait(400)
    stage.settle()
    got = [each.headers["webhook-id"] for addressee in stage.addressees for each in addressee.receiver.got]
    distinct = sum(len(addressee.ids()) for addressee in stage.addressees)
    assert system["notifications"].starts == 4
    assert len(got) - distinct >= 3, "what was sent and not noted comes once more"


def test_fault_26_postgresql_away_while_messages_are_due(stage: Stage) -> None:
    system = stage.set_up(rules=True, receivers=2)
    for addressee in stage.addressees:
        addressee.receiver.answers = _slowly
    with stage.load() as load:
        load.wait(600)
        wait_until(lambda: min(len(each.receiver.got) for each in stage.addressees) > 2, 30, "some are sent")
        system.hold("postgres")
        load.wait(300)
        pause(5)
        for addressee in stage.addressees:
            addressee.receiver.answer(204)
        system.release("postgres")
        system.wait_answers(system.postgres)
        # What was sent and could not be noted belongs to a turn that nobody ends.
        told.end_leases(system)
        load.wait(300)
    stage.settle()
    assert system["notifications"].starts == 1


def test_fault_27_ten_deliveries_at_once(stage: Stage) -> None:
    system = stage.set_up(rules=True, receivers=2)
    for number in (2, 3):
        system.add(f"notifications-{number}")
    url = system.redis.url.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")
    with stage.load() as load, app.connection_for_write(url) as broker:
        for _ in range(10):
            load.wait(200)
            told.hurry(system)
            for _ in range(10):
                app.send_task(deliver_messages.name, connection=broker)
            pause(0.5)
    stage.settle()
    for addressee in stage.addressees:
        assert len(addressee.receiver.got) == len(addressee.ids()), "each is sent once"


@pytest.mark.parametrize("workers", [1, 2], ids=["one worker", "two workers"])
def test_fault_28_a_receiver_is_down_for_an_hour(stage: Stage, workers: int) -> None:
    system = stage.set_up(rules=True, receivers=2)
    for number in range(2, workers + 1):
        system.add(f"notifications-{number}")
    down, well = stage.addressees
    down.receiver.go_down()
    with stage.load() as load:
        load.wait(800)
    for attempt in range(1, ATTEMPTS_IN_AN_HOUR + 1):
        with stage.load(f"hour-{attempt}", connections=2) as load:
            load.wait(100)
        _wait_attempted(system, down, attempt)
    system.wait_drained()
    told.wait_told(system, [well])
    assert down.receiver.got == []
    # The next attempt is an hour away, and meanwhile it comes up.
    _move(system, down, 3600)
    wait_until(lambda: _is_free(system, down), 20, "its last turn is over")
    _move(system, down, 3600)
    down.receiver.come_up()
    _move(system, down, 0)
    with stage.load("afterwards", connections=2) as load:
        load.wait(300)
    stage.settle()
    places = {each.id: each.position for each in told.events(system)}
    for addressee in stage.addressees:
        order = [places[id] for id in addressee.ids()]
        assert order == list(range(1, len(order) + 1)), "all of it, in the order of its numbers"


def test_fault_29_a_receiver_hangs_while_others_are_well(stage: Stage) -> None:
    over = threading.Event()

    def hang(number: int) -> Answer:
        over.wait(120)
        return 204, {}, b""

    with ExitStack() as at_the_end:
        at_the_end.callback(over.set)
        system = stage.set_up(rules=True, receivers=6)
        well, hanging = stage.addressees[:2], stage.addressees[2:]
        for addressee in hanging:
            addressee.receiver.answers = hang
        with stage.load(connections=2) as load:
            began = time.monotonic()
            while time.monotonic() < began + 20:
                load.wait(20)
                told.hurry(system)
                pause(1)
        system.wait_drained()
        told.wait_told(system, well)
        events = {each.id: each for each in told.events(system)}
        for addressee in well:
            late = [
                each.at - events[each.headers["webhook-id"]].told_from
                for each in list(addressee.receiver.got)
            ]
            assert max(late) < LATE_S_MAX
            opened = [id for id in addressee.ids() if events[id].type == MessageType.ALERT_OPENED]
            assert len(opened) > 50
        assert all(addressee.receiver.got for addressee in hanging)
    stage.settle()


def _slowly(number: int) -> Answer:
    time.sleep(0.3)
    return 204, {}, b""


def _wait_attempted(system: System, addressee: Addressee, attempts: int) -> None:
    """Waits until all that waits for it was tried so often, as if the time between had passed."""

    def is_tried() -> bool:
        _move(system, addressee, 0, attempts)
        with system.sql() as cursor:
            cursor.execute(SELECT_LEAST, (addressee.endpoint,))
            return bool(cursor.fetchone()[0] >= attempts)

    wait_until(is_tried, 30, f"all of it is tried {attempts} times")


def _move(system: System, addressee: Addressee, seconds: float, attempts: int = ATTEMPTS_MAX) -> None:
    with system.sql() as cursor:
        cursor.execute(MOVE, (seconds, addressee.endpoint, attempts))


def _is_free(system: System, addressee: Addressee) -> bool:
    with system.sql() as cursor:
        cursor.execute(SELECT_LEASE, (addressee.endpoint,))
        return cursor.fetchone()[0] is None
