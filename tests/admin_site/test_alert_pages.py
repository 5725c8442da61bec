"""The pages of alerts: the queue, an alert, and the steps that are clicked there."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from tests.support.accepting import record, take
from tests.support.alerts import analyst, burst, burst_rule, open_alert
from tests.support.rule_pages import HOSTILE_NAME, plain, text_of
from tests.support.rules import rule_in_force
from transactions.alerts import triage
from transactions.alerts.models import Alert, AlertEvent, Snooze
from transactions.models import Transaction
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

QUEUE = "/admin/alerts/alert/"


@pytest.fixture(autouse=True)
def two_eyes(settings: Settings) -> None:
    settings.FOUR_EYES = False


@pytest.fixture
def ann(transactional_db: None) -> tuple[Client, User]:
    return analyst("ann", "view_transaction", "view_rule")


@pytest.fixture
def bea(transactional_db: None) -> tuple[Client, User]:
    return analyst("bea")


def at(alert: Alert) -> str:
    return f"{QUEUE}{alert.pk}/change/"


def step(client: Client, alert: Alert, name: str, **said: Any) -> str:
    """What the page says after a step with the version that there is, or that is said."""
    alert.refresh_from_db()
    said = {"version": alert.version, **said}
    response = client.post(f"{QUEUE}{alert.pk}/steps/{name}/", said, follow=True)
    assert response.status_code == 200
    return plain(response.content.decode())


def many(client: Client, name: str, *alerts: Alert, **said: Any) -> str:
    chosen = [f"{alert.pk}:{alert.version}" for alert in alerts]
    response = client.post(f"{QUEUE}bulk/", {"step": name, "alert": chosen, **said}, follow=True)
    assert response.status_code == 200
    return plain(response.content.decode())


def listed(client: Client, query: str = "") -> list[int]:
    page = client.get(QUEUE + query)
    assert page.status_code == 200
    return [int(key) for key in re.findall(r'data-alert="(\d+)"', page.content.decode())]


# --- The queue ----------------------------------------------------------------------------------


def test_the_pages_need_the_right_to_see_alerts(client: Client, people: list[User]) -> None:
    alert = open_alert(people[0])
    staff = User.objects.create_user("eve", is_staff=True)
    for path in (QUEUE, at(alert)):
        assert client.get(path).status_code == 302
    client.force_login(staff)
    for path in (QUEUE, at(alert)):
        assert client.get(path).status_code == 403


def test_who_may_only_look_is_offered_no_step(client: Client, people: list[User]) -> None:
    alert = open_alert(people[0])
    eve, user = analyst("eve")
    user.user_permissions.remove(user.user_permissions.get(codename="change_alert"))
    for path in (QUEUE, at(alert)):
        page = eve.get(path).content.decode()
        assert "/steps/" not in page
        assert 'id="many"' not in page
    assert eve.post(f"{QUEUE}{alert.pk}/steps/claim/", {"version": 1}).status_code == 403
    assert eve.post(f"{QUEUE}bulk/", {"step": "claim", "alert": f"{alert.pk}:1"}).status_code == 403


def test_an_empty_queue_says_so(ann: tuple[Client, User]) -> None:
    assert "Nothing stands out" in text_of(ann[0], QUEUE)
    assert "You have none" in text_of(ann[0], f"{QUEUE}?tab=mine")


def test_each_tab_has_its_alerts_and_their_count(ann: tuple[Client, User], people: list[User]) -> None:
    client, user = ann
    ago = datetime.now(UTC) - timedelta(hours=9)
    mine = open_alert(people[0], assignee=user, state="IN_REVIEW")
    late = open_alert(people[1], due_at=ago, opened_at=ago)
    done = open_alert(people[2], rule=2)
    triage.close(done.pk, user, 1, "EXPECTED", "known")
    assert listed(client) == [mine.pk, late.pk]
    assert listed(client, "?tab=mine") == [mine.pk]
    assert listed(client, "?tab=unassigned") == [late.pk]
    assert listed(client, "?tab=overdue") == [late.pk]
    assert listed(client, "?tab=closed") == [done.pk]
    said = text_of(client, QUEUE)
    assert "All open 2" in said
    assert "Mine 1" in said
    assert "Overdue 1" in said
    assert "9 h overdue" in said


def test_the_list_is_narrowed_and_what_makes_no_sense_is_told(
    ann: tuple[Client, User], people: list[User]
) -> None:
    grave, other = open_alert(people[0], severity="CRITICAL"), open_alert(people[1])
    assert listed(ann[0], "?severity=CRITICAL") == [grave.pk]
    assert listed(ann[0], f"?user={people[1].pk}") == [other.pk]
    assert listed(ann[0], "?severity=LOW") == []
    assert "No alert fits" in text_of(ann[0], f"{QUEUE}?severity=LOW")
    assert "is not a valid choice" in text_of(ann[0], f"{QUEUE}?severity=NONE")
    assert "Expected a date" in text_of(ann[0], f"{QUEUE}?from=x")


def test_older_ones_are_on_the_next_page(
    ann: tuple[Client, User], people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [open_alert(people[0], rule=n).pk for n in range(60)]
    page = ann[0].get(QUEUE).content.decode()
    (following,) = re.findall(r'href="([^"]*)" rel="next"', page)
    assert [*listed(ann[0]), *listed(ann[0], following.removeprefix(QUEUE))] == made[::-1]


# --- An alert -----------------------------------------------------------------------------------


def test_an_alert_says_why_it_was_raised_and_what_made_it(
    ann: tuple[Client, User], people: list[User]
) -> None:
    burst_rule()
    burst(people[0])
    alert = Alert.objects.get()
    said = text_of(ann[0], at(alert))
    assert "At least 3 transactions of a user fail within 10 minutes." in said
    assert "Its latest hit: 4 failures within 10 minutes, as of" in said
    for id, amount in (("F0", 100), ("F3", 103)):
        assert f"{id} {amount} FAILED".lower() in said.lower()
    assert "F1 101 Failed counted" in said
    page = ann[0].get(at(alert)).content.decode()
    assert page.count('"made": true') == 4


def test_it_says_which_transactions_are_not_as_they_were(
    ann: tuple[Client, User], people: list[User]
) -> None:
    rule_in_force("amount", amount=1000)
    take(record("settles", people[0]), record("goes", people[0]))
    flush()
    take(record("settles", people[0], 1000, "FAILED"))
    flush()
    Transaction.objects.filter(transaction_id="goes").delete()
    said = text_of(ann[0], at(Alert.objects.get()))
    assert "2 of these transactions are not as they were when the alert was raised." in said
    assert "Pending → Failed now" in said
    assert "Pending gone now" in said


def test_two_on_one_alert_the_second_is_told(
    ann: tuple[Client, User], bea: tuple[Client, User], people: list[User]
) -> None:
    alert = open_alert(people[0])
    assert "ann has it" in step(ann[0], alert, "claim")
    said = step(bea[0], alert, "close", version=1, disposition="EXPECTED", reason="known")
    assert "It was claimed by ann meanwhile: nothing of yours was done." in said
    alert.refresh_from_db()
    assert (alert.state, alert.assignee) == ("IN_REVIEW", ann[1])


def test_each_step_is_offered_where_it_can_be_taken_and_undone_by_who_took_it(
    ann: tuple[Client, User], bea: tuple[Client, User], people: list[User]
) -> None:
    alert = open_alert(people[0])
    assert "You claimed it. Undo" in step(ann[0], alert, "claim")
    assert "Undo" not in text_of(bea[0], at(alert))
    assert "nobody has it" in step(ann[0], alert, "undo")
    assert "You gave it to bea. Undo" in step(ann[0], alert, "assign", assignee="bea")
    said = step(bea[0], alert, "close", disposition="FALSE_POSITIVE", reason="A new card.")
    assert "False positive closed by bea" in said
    assert "A new card." in said
    assert "In review, bea has it" in step(bea[0], alert, "reopen", reason="It came again.")
    assert "ann wrote: “Called them.”".replace("“", "").replace("”", "") in step(
        ann[0], alert, "note", text="Called them."
    )


def test_it_is_closed_and_snoozed_at_once(ann: tuple[Client, User], people: list[User]) -> None:
    alert = open_alert(people[0])
    said = step(ann[0], alert, "close", disposition="EXPECTED", reason="Travels.", days="30")
    assert "Snoozed until" in said
    assert "0 hits kept away" in said
    snooze = Snooze.objects.get()
    assert (snooze.reason, snooze.ends_at.date()) == (
        "Travels.", (datetime.now(UTC) + timedelta(days=30)).date(),
    )  # fmt: skip
    response = ann[0].post(f"{QUEUE}snoozes/{snooze.pk}/end/", {"alert": str(alert.pk)}, follow=True)
    assert "The snooze has ended" in plain(response.content.decode())
    assert response.redirect_chain[-1][0] == at(alert)


@pytest.mark.parametrize(
    ("name", "said", "told"),
    [
        ("close", {"disposition": "MAYBE", "reason": "x"}, "is not a valid choice"),
        ("close", {"disposition": "EXPECTED", "reason": " "}, "Reason: This field may not be blank."),
        ("assign", {"assignee": "nobody"}, "Assignee: There is no such account."),
        ("claim", {"version": "x"}, "Version: Expected an integer"),
        ("snooze", {"reason": "x"}, "Until: This field is required."),
    ],
)
def test_what_cannot_be_done_changes_nothing(
    ann: tuple[Client, User], people: list[User], name: str, said: dict[str, str], told: str
) -> None:
    alert = open_alert(people[0])
    answer = step(ann[0], alert, name, **said)
    assert "Nothing has changed." in answer
    assert told in answer
    assert not AlertEvent.objects.exists()


def test_what_others_wrote_is_shown_as_text(ann: tuple[Client, User], people: list[User]) -> None:
    User.objects.filter(pk=people[0].pk).update(username=HOSTILE_NAME)
    alert = open_alert(people[0], rule_name=HOSTILE_NAME)
    triage.note(alert.pk, ann[1], HOSTILE_NAME)
    triage.close(alert.pk, ann[1], 1, "EXPECTED", HOSTILE_NAME)
    for path in (at(alert), f"{QUEUE}?tab=closed"):
        assert HOSTILE_NAME not in ann[0].get(path).content.decode()
        assert HOSTILE_NAME in text_of(ann[0], path)


def test_what_is_no_alert_is_not_found(ann: tuple[Client, User]) -> None:
    for path in (f"{QUEUE}7/change/", f"{QUEUE}x/change/", f"{QUEUE}{'9' * 30}/change/"):
        assert ann[0].get(path).status_code == 404
    assert ann[0].post(f"{QUEUE}7/steps/claim/", {"version": 1}).status_code == 404
    assert ann[0].post(f"{QUEUE}7/steps/burn/", {"version": 1}).status_code == 404


# --- Many at once -------------------------------------------------------------------------------


def test_many_are_claimed_and_that_is_undone(ann: tuple[Client, User], people: list[User]) -> None:
    alerts = [open_alert(person) for person in people]
    triage.claim(alerts[2].pk, User.objects.create_superuser("root"), 1)
    said = many(ann[0], "claim", *alerts)
    assert "2 alerts claimed. Undo" in said
    assert f"Alert {alerts[2].pk}: It was claimed by root meanwhile" in said
    # It is offered once.
    assert "Undo" not in text_of(ann[0], QUEUE)
    for alert in alerts:
        alert.refresh_from_db()
    assert "2 alerts as before." in many(ann[0], "undo", *alerts[:2])
    assert Alert.objects.filter(assignee=ann[1]).count() == 0


def test_many_are_closed_and_snoozed_with_a_disposition_and_a_reason(
    ann: tuple[Client, User], people: list[User]
) -> None:
    alerts = [open_alert(person) for person in people]
    for said, told in (
        ({}, 'Disposition: "" is not a valid choice.'),
        ({"disposition": "EXPECTED"}, "Reason: This field may not be blank."),
        ({"disposition": "EXPECTED", "reason": "x"}, "Say for how long they are snoozed."),
    ):
        assert told in many(ann[0], "snooze", *alerts, **said)
    answer = many(ann[0], "snooze", *alerts, disposition="EXPECTED", reason="A sale.", days="7")
    assert "3 alerts closed and snoozed." in answer
    assert Snooze.objects.filter(reason="A sale.").count() == 3


def test_a_step_with_too_many_or_none_is_refused(ann: tuple[Client, User], people: list[User]) -> None:
    alert = open_alert(people[0])
    assert "Choose some alerts first." in many(ann[0], "claim")
    chosen = [f"{key}:1" for key in range(1, 202)]
    response = ann[0].post(f"{QUEUE}bulk/", {"step": "claim", "alert": chosen}, follow=True)
    assert "At most 200 alerts at once" in plain(response.content.decode())
    odd = {"step": "claim", "alert": ["x:y", "1", f"{'9' * 40}:1"], "back": "https://example.org/"}
    response = ann[0].post(f"{QUEUE}bulk/", odd)
    assert response["Location"] == reverse("admin:alerts_alert_changelist")
    alert.refresh_from_db()
    assert alert.version == 1


# --- What is snoozed ----------------------------------------------------------------------------


def test_what_is_snoozed_stands_in_a_list_with_its_end_and_its_reason(
    ann: tuple[Client, User], people: list[User]
) -> None:
    assert "Nothing is snoozed" in text_of(ann[0], f"{QUEUE}snoozes/")
    alert = open_alert(people[0], rule_name="Card testing")
    step(ann[0], alert, "close", disposition="EXPECTED", reason="Travels.", days="30")
    snooze = Snooze.objects.get()
    said = text_of(ann[0], f"{QUEUE}snoozes/")
    assert "Card testing alice" in said
    assert "Travels. ann 0 End" in said
    response = ann[0].post(f"{QUEUE}snoozes/{snooze.pk}/end/", follow=True)
    assert "Nothing is snoozed" in plain(response.content.decode())
    assert "ended by ann" in text_of(ann[0], f"{QUEUE}snoozes/?ended")
    assert ann[0].post(f"{QUEUE}snoozes/{snooze.pk + 1}/end/").status_code == 404


def test_who_may_not_see_alerts_sees_no_snoozes(client: Client, people: list[User]) -> None:
    client.force_login(User.objects.create_user("eve", is_staff=True))
    assert client.get(f"{QUEUE}snoozes/").status_code == 403
    assert client.post(f"{QUEUE}snoozes/1/end/").status_code == 403
