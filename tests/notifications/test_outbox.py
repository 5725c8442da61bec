"""The outbox: what happens is written down with it or not at all, and told in one order without gaps."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest
from django.contrib.auth.models import User
from django.db import DatabaseError, connection, connections, transaction
from rest_framework.test import APIClient

from tests.support.alerts import analyst
from tests.support.rules import rule_in_force
from transactions import tasks
from transactions.alerts import triage
from transactions.alerts.grouping import Raised, group
from transactions.alerts.models import Alert
from transactions.notifications import endpoints, events, numbering, outbox, removing
from transactions.notifications.models import Attempt, Delivery, Message, MessageType, Numbering
from transactions.stores.postgres_session import Session

pytestmark = pytest.mark.django_db(transaction=True)

MESSAGE = Message._meta.db_table
# Purpose: nothing can be written into the outbox.
REFUSE = f"""
    CREATE OR REPLACE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'nobody is told';
    END $$;
    CREATE TRIGGER refuse BEFORE INSERT ON {MESSAGE} FOR EACH STATEMENT EXECUTE FUNCTION refuse();
"""


def hits(*users: int, severity: str = "HIGH", number: int = 1) -> None:
    with Session() as session, session.transaction() as cursor:
        group(cursor, [Raised(1, "Failures in a row", severity, user, number) for user in users])


def told() -> list[tuple[str, int]]:
    """Types and hits of what waits or was told of alerts, in the order of writing."""
    return [(each.type, each.data["hits"]) for each in Message.objects.order_by("id")]


def write(number: int) -> None:
    outbox.write(MessageType.SYSTEM_ALARM, {"number": number})


def numbers(place: int = 0) -> list[int]:
    return [each["data"]["number"] for each in events.after(place, 1_000).results]


def test_an_alert_is_told_as_it_is_when_it_opens() -> None:
    hits(7, number=3)
    (message,), alert = Message.objects.all(), Alert.objects.get()
    assert (message.type, message.severity, message.alert) == ("alert.opened", "HIGH", alert.pk)
    assert message.data == {
        "alert": alert.pk, "rule": {"id": 1, "name": "Failures in a row"}, "severity": "HIGH", "user": 7,
        "state": "OPEN", "version": 1, "hits": 3, "suppressed": 0,
        "opened_at": outbox.moment(alert.opened_at), "due_at": alert.due_at and outbox.moment(alert.due_at),
        "assignee": None, "closed_at": None, "closed_by": None, "disposition": None, "reason": None,
        "link": f"https://localhost/admin/alerts/alert/{alert.pk}/change/",
    }  # fmt: skip


def test_its_link_leads_to_the_page_of_the_alert() -> None:
    hits(7, number=3)
    ann, _ = analyst("ann")
    page = ann.get(Message.objects.get().data["link"].removeprefix("https://localhost"))
    assert (page.status_code, page.context["alert"]) == (200, Alert.objects.get())


def test_hits_that_join_an_alert_wait_together_in_one_update() -> None:
    hits(7)
    for _ in range(5):
        hits(7, 8)
    assert sorted(told()) == [
        ("alert.opened", 1), ("alert.opened", 1), ("alert.updated", 5), ("alert.updated", 6),
    ]  # fmt: skip
    # The openings are told now, the updates a minute later.
    assert numbering.number() == 2
    Message.objects.update(not_before=datetime.now(UTC))
    assert numbering.number() == 2
    hits(7)
    assert Message.objects.filter(position=None).count() == 1


def test_what_rolls_back_is_not_told() -> None:
    def fail() -> None:
        with Session() as session, session.transaction() as cursor:
            group(cursor, [Raised(1, "x", "HIGH", 7, 1)])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert not Message.objects.exists()


def test_what_cannot_be_told_does_not_happen(people: list[User]) -> None:
    """One transaction: a step that is committed and then told would be lost with a worker that is killed."""
    hits(7)
    with connection.cursor() as cursor:
        cursor.execute(REFUSE)
    try:
        with pytest.raises(DatabaseError, match="nobody is told"):
            triage.claim(Alert.objects.get().pk, people[0], 1)
        with pytest.raises(psycopg2.Error, match="nobody is told"):
            hits(8)
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TRIGGER refuse ON {MESSAGE}")
    alert = Alert.objects.get()
    assert (alert.user, alert.state, alert.version) == (7, "OPEN", 1)
    assert told() == [("alert.opened", 1)]


def test_suppressed_hits_tell_nothing_and_cost_no_statement(people: list[User]) -> None:
    hits(7)
    triage.close(Alert.objects.get().pk, people[0], 1, "EXPECTED", "known")
    written = Message.objects.count()
    hits(7)
    assert Message.objects.count() == written


def test_each_step_of_somebody_is_told_and_the_end_once(people: list[User]) -> None:
    hits(7)
    alert = Alert.objects.get()
    triage.claim(alert.pk, people[0], 1)
    (update,) = Message.objects.filter(type="alert.updated")
    assert (update.data["state"], update.data["assignee"]) == ("IN_REVIEW", "alice")
    triage.close(alert.pk, people[0], 2, "FALSE_POSITIVE", "card was replaced")
    # The end says what the update would have said.
    opened, closed = Message.objects.order_by("id")
    assert (opened.type, closed.type, closed.data["reason"]) == (
        "alert.opened", "alert.closed", "card was replaced",
    )  # fmt: skip
    triage.reopen(alert.pk, people[0], 3, "once more")
    assert told()[-1] == ("alert.updated", 1)


def test_the_last_event_of_an_alert_that_was_assigned_says_it_as_it_is(people: list[User]) -> None:
    """Hits joined it before and afterwards, and it was claimed, all before anything got a place."""
    _, ann = analyst("ann")
    hits(7)
    hits(7, number=2)
    alert = Alert.objects.get()
    triage.assign(alert.pk, people[0], 1, ann)
    hits(7, number=3)
    triage.claim(alert.pk, ann, 2)
    numbering.number()
    placed = Message.objects.order_by("position")
    assert [(each.type, each.data["version"], each.data["hits"], each.data["state"]) for each in placed] == [
        ("alert.opened", 1, 1, "OPEN"),
        ("alert.assigned", 2, 3, "OPEN"),
        ("alert.updated", 3, 6, "IN_REVIEW"),
    ]
    assert [each.pk for each in placed] == sorted(each.pk for each in placed)


def test_somebody_s_step_does_not_wait_for_hits_to_come_together(people: list[User]) -> None:
    hits(7)
    hits(7)
    triage.claim(Alert.objects.get().pk, people[0], 1)
    assert numbering.number() == 2


def test_a_version_that_comes_into_force_is_told(settings: Any) -> None:
    settings.FOUR_EYES = False
    version = rule_in_force("amount", name="Large", amount=1_000)
    (message,) = Message.objects.all()
    assert (message.type, message.severity) == ("rule.activated", "HIGH")
    assert (message.data["rule"]["name"], message.data["version"], message.data["state"]) == (
        "Large",
        1,
        "ACTIVE",
    )
    assert message.data["sentence"].startswith("The amount is at least 1,000")
    assert message.data["link"].endswith(f"/admin/rules/rule/{version.rule_id}/change/")


def test_places_are_in_the_order_of_commits_not_of_keys() -> None:
    """One that began first and commits last comes last, and nobody who read in between has missed it."""
    begun, commit = threading.Event(), threading.Event()

    def slow() -> None:
        with transaction.atomic():
            write(1)
            begun.set()
            commit.wait(20)
        connections.close_all()

    thread = threading.Thread(target=slow)
    thread.start()
    begun.wait(20)
    write(2)
    numbering.number()
    assert numbers() == [2]
    commit.set()
    thread.join()
    numbering.number()
    assert (numbers(), numbers(1)) == ([2, 1], [1])


def in_order() -> list[tuple[str, str, int | None]]:
    """Place by place: type, severity, and the user of an alert."""
    placed = Message.objects.exclude(position=None).order_by("position")
    assert [each.position for each in placed] == list(range(1, len(placed) + 1))
    return [(each.type, each.severity, each.data.get("user")) for each in placed]


def test_of_those_that_get_places_at_once_the_gravest_come_first() -> None:
    hits(1, 2, severity="LOW")
    hits(3, severity="HIGH")
    hits(4, severity="CRITICAL")
    write(1)
    hits(5, 6, severity="CRITICAL")
    outbox.write(MessageType.RULE_ACTIVATED, {})
    hits(7, severity="MEDIUM")
    assert numbering.number() == 9
    assert in_order() == [
        ("alert.opened", "CRITICAL", 4),
        ("system.alarm", "", None),
        ("alert.opened", "CRITICAL", 5),
        ("alert.opened", "CRITICAL", 6),
        ("alert.opened", "HIGH", 3),
        ("alert.opened", "MEDIUM", 7),
        ("alert.opened", "LOW", 1),
        ("alert.opened", "LOW", 2),
        ("rule.activated", "", None),
    ]
    # What comes later has later places, however grave it is.
    hits(8, severity="CRITICAL")
    numbering.number()
    assert in_order()[-1] == ("alert.opened", "CRITICAL", 8)


def test_what_is_told_of_one_alert_stays_in_its_order(people: list[User]) -> None:
    hits(6, severity="CRITICAL")
    hits(7, severity="LOW")
    hits(7, severity="LOW")
    # The version in force says CRITICAL by now, and so the alert is; what was told before stays before it.
    hits(7, severity="CRITICAL")
    alert = Alert.objects.get(user=7)
    triage.close(alert.pk, people[0], alert.version, "EXPECTED", "known")
    numbering.number()
    assert in_order() == [
        ("alert.opened", "CRITICAL", 6),
        ("alert.opened", "LOW", 7),
        ("alert.opened", "CRITICAL", 7),
        ("alert.closed", "CRITICAL", 7),
    ]


def test_many_who_give_places_at_once_leave_no_gap_and_give_none_twice() -> None:
    def work(start: int) -> None:
        for number in range(start, start + 20):
            write(number)
            numbering.number()
        connections.close_all()

    threads = [threading.Thread(target=work, args=(100 * each,)) for each in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert list(Message.objects.order_by("position").values_list("position", flat=True)) == list(
        range(1, 161)
    )


def test_where_nothing_waits_nothing_is_written() -> None:
    write(1)
    numbering.number()
    before = row_of_places()
    # A message for one endpoint alone, and one that is not due, have no place to get.
    outbox.write(MessageType.SYSTEM_ALARM, {})
    Message.objects.filter(position=None).update(is_private=True)
    write(2)
    Message.objects.filter(position=None).update(not_before=datetime.now(UTC) + timedelta(hours=1))
    assert numbering.number() == 0
    assert row_of_places() == before


def row_of_places() -> tuple[str, ...]:
    """The row as PostgreSQL has it: who wrote it, who held it last, and where it lies."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT xmin::text, xmax::text, ctid::text FROM {Numbering._meta.db_table}")
        row: tuple[str, ...] = cursor.fetchone()
    return row


def test_pages_go_on_where_the_one_before_ended() -> None:
    for number in range(5):
        write(number)
    numbering.number()
    first = events.after(0, 2)
    second = events.after(first.after, 10)
    assert (first.after, first.more, second.after, second.more) == (2, True, 5, False)
    assert events.after(5, 10) == events.Following([], 5, False)


def test_what_is_old_is_removed_and_whoever_comes_too_late_is_told() -> None:
    for number in range(4):
        write(number)
    numbering.number()
    Message.objects.filter(position__lte=2).update(made_at=datetime.now(UTC) - timedelta(days=31))
    assert numbering.prune() == 2
    with pytest.raises(events.EventsGone, match="those up to 2 are gone"):
        events.after(1, 10)
    assert (numbers(2), numbers()) == ([2, 3], [2, 3])
    with pytest.raises(events.PlaceUnknown, match="The last event is 4"):
        events.after(5, 10)


def test_removing_goes_on_where_it_was_ended(people: list[User], monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        endpoints.add(f"https://example.org/{number}")
    for number in range(4):
        write(number)
    numbering.number()
    for sent in Delivery.objects.all():
        Attempt.objects.create(delivery=sent, milliseconds=1)
    Message.objects.filter(position__lte=2).update(made_at=datetime.now(UTC) - timedelta(days=31))
    two = removing.HOLD_OF_MESSAGES.replace(f"LIMIT {removing.AT_ONCE}", "LIMIT 2")
    monkeypatch.setattr(removing, "HOLD_OF_MESSAGES", two)
    with monkeypatch.context() as patch:
        patch.setattr(numbering, "REMOVE", "SELECT 1 / 0, %s")
        with pytest.raises(DatabaseError):
            numbering.prune()
    assert (Message.objects.count(), Delivery.objects.count(), Attempt.objects.count()) == (4, 6, 6)
    with pytest.raises(events.EventsGone, match="those up to 2 are gone"):
        events.after(1, 10)
    assert (numbering.prune(), numbering.prune()) == (2, 0)
    assert numbers() == [2, 3]


def test_nobody_waits_for_a_place_while_what_is_old_is_removed(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(1)
    numbering.number()
    Message.objects.update(made_at=datetime.now(UTC) - timedelta(days=31))
    remove = removing.of_messages
    placed: list[int] = []

    def meanwhile(gone: list[int]) -> None:
        write(2)
        with ThreadPoolExecutor(1) as other:
            placed.append(other.submit(number_beside).result())
        remove(gone)

    monkeypatch.setattr(removing, "of_messages", meanwhile)
    assert (numbering.prune(), placed, numbers()) == (1, [1], [2])


def test_removing_goes_on_until_nothing_is_old_or_its_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(7):
        write(number)
    numbering.number()
    Message.objects.filter(position__lte=6).update(made_at=datetime.now(UTC) - timedelta(days=31))
    for name in ("OLD", "OLD_PLACE"):
        two = getattr(numbering, name).replace(f"LIMIT {numbering.REMOVED_AT_ONCE}", "LIMIT 2")
        monkeypatch.setattr(numbering, name, two)
    monkeypatch.setattr(tasks, "REMOVE_S_MAX", 0.0)
    tasks.look_after_system()
    assert numbers(2) == [2, 3, 4, 5, 6]
    monkeypatch.undo()
    for name in ("OLD", "OLD_PLACE"):
        two = getattr(numbering, name).replace(f"LIMIT {numbering.REMOVED_AT_ONCE}", "LIMIT 2")
        monkeypatch.setattr(numbering, name, two)
    tasks.look_after_system()
    assert numbers(6) == [6]
    assert Message.objects.exclude(position=None).count() == 1


def number_beside() -> int:
    try:
        return numbering.number()
    finally:
        connection.close()


def test_deleting_everything_takes_the_messages_along_and_gives_no_place_twice(
    api: APIClient, settings: Any
) -> None:
    settings.ALLOW_ANONYMOUS_API = settings.ALLOW_DELETE_ALL = True
    write(1)
    numbering.number()
    assert api.delete("/api/delete-transactions/").status_code == 200
    write(2)
    numbering.number()
    assert (numbers(), Numbering.objects.get().last) == ([2], 2)


def test_a_flusher_that_holds_an_update_does_not_hold_up_the_others() -> None:
    hits(7)
    hits(7)
    Message.objects.update(not_before=datetime.now(UTC))
    with Session() as session, session.transaction() as cursor:
        group(cursor, [Raised(1, "Failures in a row", "HIGH", 7, 1)])
        assert numbering.number() == 1
    assert numbering.number() == 1


def test_no_message_is_larger_than_receivers_are_promised() -> None:
    with pytest.raises(ValueError, match="a message of 10,012 characters"):
        outbox.write(MessageType.SYSTEM_ALARM, {"text": "é" * 10_000})
