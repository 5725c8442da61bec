"""Receivers of webhooks beside the system, and the check of what they were told."""

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.test import override_settings
from standardwebhooks.webhooks import WebhookVerificationError

from dev.waiting import NotInTime, wait_until
from tests.faults.system import System
from tests.support.receiving import Received, Receiver
from transactions.alerts.models import Alert
from transactions.notifications import signing
from transactions.notifications.models import Delivery, Endpoint, Message, MessageType

KEY = "k" * 32
# What the system is told in its environment so that it sends to receivers of the test.
SETTINGS = {"WEBHOOK_SECRET_KEYS": KEY, "WEBHOOK_PRIVATE_NETWORKS": "127.0.0.0/8"}
# Everything is told within this, in seconds, once the fault is over.
TELL_S = 60.0

ALERT, ENDPOINT = Alert._meta.db_table, Endpoint._meta.db_table
MESSAGE, DELIVERY = Message._meta.db_table, Delivery._meta.db_table
ADD = f"""
    INSERT INTO {ENDPOINT} (url, description, types, secret, old_secret) VALUES (%s, '', '[]', %s, '')
    RETURNING id
"""
# Purpose: as if a minute had passed for what is held together, and a day for what failed.
HURRY_MESSAGES = f"UPDATE {MESSAGE} SET not_before = now() WHERE position IS NULL AND not_before > now()"
HURRY_DELIVERIES = f"""
    UPDATE {DELIVERY} SET due_at = now() WHERE state = 'WAITING' AND due_at > now() AND endpoint_id = ANY(%s)
"""
# Purpose: messages without a place, and those on their way, as often as there are endpoints that lack them.
COUNT_WAITING = f"""
    SELECT (SELECT count(*) FROM {MESSAGE} WHERE position IS NULL)
         + (SELECT count(*) FROM {DELIVERY} WHERE state <> 'DELIVERED' AND endpoint_id = ANY(%s))
"""
# Purpose: as if the minute had passed for which a worker has an endpoint.
END_LEASES = f"UPDATE {ENDPOINT} SET leased_until = now() WHERE leased_until > now()"
SELECT_ALERTS = f"SELECT id, hits FROM {ALERT}"
SELECT_EVENTS = f"SELECT key, type, alert, position, data, not_before FROM {MESSAGE} ORDER BY id"

SELECT_ON_THE_WAY = f"""
    SELECT DISTINCT m.key FROM {DELIVERY} d JOIN {MESSAGE} m ON m.id = d.message_id
     WHERE d.state <> 'DELIVERED'
"""


@dataclass
class Addressee:
    """A receiver, its endpoint, and the secret by which it verifies."""

    receiver: Receiver
    endpoint: int
    secret: str

    def ids(self) -> list[str]:
        """The ids of what it got, each once, in the order in which they came."""
        return list(dict.fromkeys(each.headers["webhook-id"] for each in list(self.receiver.got)))


@dataclass
class Told:
    """What was there to be told and what has arrived; lost and doubled are events, by receiver."""

    events: int = 0
    messages: int = 0
    received: int = 0
    distinct: int = 0
    lost: int = 0
    doubled: int = 0
    wrong: list[str] = field(default_factory=list)


@dataclass
class Event:
    """A row of the outbox."""

    id: str
    type: str
    alert: int | None
    position: int | None
    data: dict[str, Any]
    told_from: float

    @property
    def news(self) -> tuple[Any, ...]:
        """What it tells: the same under two ids would be told twice."""
        named = ("alert", "hits", "suppressed", "version", "alarm", "rule")
        return (self.type, *(str(self.data.get(name)) for name in named))


def add_endpoint(cursor: Any, receiver: Receiver) -> Addressee:
    """An endpoint for all types of messages."""
    secret = signing.new_secret()
    with override_settings(WEBHOOK_SECRET_KEYS=[KEY]):
        cursor.execute(ADD, (receiver.url, signing.encrypt(secret)))
    return Addressee(receiver, cursor.fetchone()[0], secret)


def end_leases(system: System) -> None:
    """What a worker had when it was killed is anybody's, a minute before its time."""
    with system.sql() as cursor:
        cursor.execute(END_LEASES)


def hurry(system: System) -> None:
    """What is held, so that more can join it, is told now."""
    with system.sql() as cursor:
        cursor.execute(HURRY_MESSAGES)


def wait_told(system: System, addressees: Sequence[Addressee]) -> float:
    """Waits until everything is told them, at once where it would wait; how long it took, in seconds."""
    endpoints = [each.endpoint for each in addressees]

    def waiting() -> int:
        with system.sql() as cursor:
            cursor.execute(COUNT_WAITING, (endpoints,))
            return int(cursor.fetchone()[0])

    def is_told() -> bool:
        hurry(system)
        with system.sql() as cursor:
            cursor.execute(HURRY_DELIVERIES, (endpoints,))
        time.sleep(0.2)
        return not waiting()

    try:
        return wait_until(is_told, TELL_S, "everything is told")
    except NotInTime as error:
        raise AssertionError(f"{error}; {waiting()} are not") from None


def events(system: System) -> list[Event]:
    """The outbox, in the order in which it was written."""
    with system.sql() as cursor:
        cursor.execute(SELECT_EVENTS)
        return [_event(row) for row in cursor.fetchall()]


def message_id(key: UUID) -> str:
    """`webhook-id` of a row's key."""
    return f"msg_{key.hex}"


def _event(row: tuple[Any, ...]) -> Event:
    key, type, alert, position, data, not_before = row
    return Event(message_id(key), type, alert, position, data, not_before.timestamp())


def check_told(system: System, addressees: Sequence[Addressee]) -> Told:
    """Holds events against alerts, and what receivers got against events."""
    # Clocks of rules go on raising: of what is looked at later there may be more, and never less.
    with system.sql() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        cursor.execute(SELECT_ALERTS)
        alerts = dict(cursor.fetchall())
        cursor.execute(SELECT_EVENTS)
        there = [_event(row) for row in cursor.fetchall()]
        cursor.execute(SELECT_ON_THE_WAY)
        on_the_way = {message_id(key) for (key,) in cursor.fetchall()}
    got = [list(each.receiver.got) for each in addressees]
    known = {each.id for each in events(system)}
    told = Told(events=len(there), messages=len(there) * len(addressees))
    _check_alerts(alerts, there, told)
    places = sorted(each.position for each in there if each.position is not None)
    if places != list(range(1, len(places) + 1)):
        told.wrong.append(f"the numbering has gaps: {places}")
    due = [each for each in there if each.position is not None and each.id not in on_the_way]
    for addressee, received in zip(addressees, got, strict=True):
        _check_received(addressee, received, due, known, told)
    return told


def _check_alerts(alerts: dict[int, int], there: Sequence[Event], told: Told) -> None:
    """Each alert is told to have opened, once, and its latest news says how many hits it has."""
    opened = Counter(each.alert for each in there if each.type == MessageType.ALERT_OPENED)
    for alert in alerts.keys() - opened.keys():
        told.lost += 1
        told.wrong.append(f"alert {alert} has no event")
    for news, number in Counter(each.news for each in there).items():
        if number > 1:
            told.doubled += number - 1
            told.wrong.append(f"{number} ids tell {news}")
    latest = {each.alert: each for each in there if each.alert is not None}
    for alert, event in latest.items():
        if event.data["hits"] != alerts.get(alert or 0):
            told.wrong.append(f"alert {alert} has {alerts.get(alert or 0)} hits, and {event} was told last")


def _check_received(
    addressee: Addressee, received: Sequence[Received], due: Iterable[Event], known: set[str], told: Told
) -> None:
    """Each event came, by one id and one body, signed; and nothing else."""
    bodies: dict[str, set[bytes]] = defaultdict(set)
    for each in received:
        bodies[each.headers["webhook-id"]].add(each.body)
        try:
            each.verified(addressee.secret)
        except WebhookVerificationError as error:
            told.wrong.append(f"{each.headers} is not ours: {error}")
    told.received += len(received)
    told.distinct += len(bodies)
    if lost := [each for each in due if each.id not in bodies]:
        told.lost += len(lost)
        told.wrong.append(f"{addressee.receiver.url} never got {lost[:5]}")
    if unknown := bodies.keys() - known:
        told.doubled += len(unknown)
        told.wrong.append(f"{addressee.receiver.url} got what is no event: {list(unknown)[:5]}")
    if changed := [id for id, forms in bodies.items() if len(forms) > 1]:
        told.wrong.append(f"{addressee.receiver.url} got other bodies by the same id: {changed[:5]}")
