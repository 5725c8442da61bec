"""Steps with many alerts of the queue at once."""

import re

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tests.support.alert_pages import QUEUE, many
from tests.support.alerts import open_alert
from tests.support.markup import markup
from tests.support.rule_pages import plain, text_of
from transactions.alerts import triage
from transactions.alerts.models import Alert, Snooze

pytestmark = pytest.mark.django_db(transaction=True)


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
        ({}, "Nothing has changed. Say what it was."),
        ({"disposition": "EXPECTED"}, "Nothing has changed. Say why."),
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


def test_a_step_that_says_too_little_comes_back_with_what_was_chosen_and_its_menu_open(
    ann: tuple[Client, User], people: list[User]
) -> None:
    alerts = [open_alert(person) for person in people]
    chosen = [f"{alert.pk}:1" for alert in alerts[:2]]
    form = {"step": "close", "alert": chosen, "reason": "A sale.", "disposition": ""}
    shown = markup(ann[0].post(f"{QUEUE}bulk/", form, follow=True))
    assert shown.count(" checked>") == 2
    assert re.search(r"<details class=\"menu menu-left\" open><summary class=\"button\">Close …", shown)
    assert "A sale.</textarea>" in shown
    # A browser asks for both before it sends them; what takes neither is sent as it is.
    assert shown.count(" required>") == 2
    assert shown.count(" formnovalidate>") == 3
