"""The alerts on the dashboard: who may see them, and what they say."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from pytest_django import Settings

from tests.support.admin_pages import page, staff
from tests.support.alerts import burst, burst_rule, open_alert
from tests.support.outages import locked
from tests.support.rules import rule_in_force
from transactions.alerts import triage
from transactions.alerts.models import Alert
from transactions.dashboard import alerts, cached
from transactions.dashboard.alerts import shared_alerts
from transactions.dashboard.usual import Usual
from transactions.dashboard.wrong import FailureRise

pytestmark = pytest.mark.django_db(transaction=True)


# For what is to succeed on a machine that stands still now and then.
PATIENT_MS = 60_000


@pytest.fixture(autouse=True)
def _nothing_kept(settings: Settings) -> None:
    settings.ALLOW_ANONYMOUS_API = False
    settings.FOUR_EYES = False
    shared_alerts.forget()


@pytest.fixture
def time_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is kept for seconds stays, however long the machine stands still."""
    monkeypatch.setattr(cached, "monotonic", lambda: 0.0)


def told(client: Client) -> Any:
    response = client.get(reverse("dashboard-alerts"))
    assert response.status_code == 200, response.content
    return json.loads(response.content)


def test_they_are_for_who_may_see_alerts(client: Client) -> None:
    staff(client, "view_transaction")
    assert client.get(reverse("dashboard-alerts")).status_code == 403
    assert 'id="alerts-gravest"' not in page(client, "/admin/")
    User.objects.all().delete()
    staff(client, "view_transaction", "view_alert")
    assert told(client)["open"] == 0
    assert 'id="alerts-gravest"' in page(client, "/admin/")


def test_they_say_how_many_are_open_how_grave_and_the_newest(client: Client, people: list[User]) -> None:
    staff(client, "view_alert")
    ago = datetime.now(UTC) - timedelta(hours=2)
    for number in range(5):
        open_alert(people[1], rule=10 + number, severity="LOW", opened_at=ago, due_at=ago)
    closed = open_alert(people[2])
    triage.close(closed.pk, people[0], 1, "EXPECTED", "known")
    burst_rule()
    burst(people[0])
    found = told(client)
    assert (found["open"], found["overdue"], found["complete"]) == (6, 5, True)
    assert found["by_severity"] == {"LOW": 5, "MEDIUM": 0, "HIGH": 1, "CRITICAL": 0}
    # The closed one was opened lately too; those of two hours ago are not on the chart.
    assert len(found["opened_lately"]) == 2
    first = found["gravest"][0]
    assert len(found["gravest"]) == 5
    assert (first["rule"], first["figures"], first["user"], first["assignee"]) == (
        "Failures in a row", "4 failures within 10 minutes", "alice", None,
    )  # fmt: skip
    assert first["link"] == f"/admin/alerts/alert/{Alert.objects.latest('id').pk}/change/"


def test_a_user_who_is_gone_has_no_name(client: Client) -> None:
    staff(client, "view_alert")
    Alert.objects.create(rule=1, rule_name="Large", severity="LOW", user=424_242)
    Alert.objects.create(rule=2, rule_name="Silence", severity="LOW", user=None)
    assert [each["user"] for each in told(client)["gravest"]] == [None, None]


def test_what_is_asked_for_a_frame_is_never_an_answer_of_before(
    client: Client, people: list[User], time_stands_still: None
) -> None:
    staff(client, "view_alert")
    before = told(client)
    open_alert(people[0])
    # A poll makes do with what is kept for a moment; from then on it is told what the frame was.
    assert told(client)["as_of"] == before["as_of"]
    assert shared_alerts.anew()["open"] == 1
    after = told(client)
    assert after["open"] == 1
    assert after["as_of"] > before["as_of"]


def test_a_page_asks_again_within_a_minute_however_many_there_are(client: Client) -> None:
    staff(client, "view_alert")
    assert {told(client)["again_seconds"] for _ in range(100)} == {50}


# --- Beside the figures of a period ----------------------------------------------------------------


def risen(*failing: User, since: datetime | None = None) -> FailureRise:
    """What is wrong where these fail most, for 20 minutes by now."""
    now = datetime.now(UTC)
    return FailureRise(
        since=since or now - timedelta(minutes=20),
        longer=False,
        until=now,
        rate=0.3,
        minutes=5,
        mean=0.3,
        failed=30,
        settled=100,
        usual=Usual(0.05, 0.05, 0.05),
        customers=[],
        share=None,
        of_latest=None,
        failing=tuple(user.pk for user in failing),
    )


def figures(client: Client, **query: str) -> Any:
    response = client.get(reverse("dashboard-figures"), query)
    assert response.status_code == 200, response.content
    return json.loads(response.content)


def test_figures_come_with_the_alerts_of_the_period_for_who_may_see_them(
    client: Client, people: list[User]
) -> None:
    staff(client, "view_transaction")
    assert "opened" not in figures(client)
    User.objects.filter(username="staff").delete()
    staff(client, "view_transaction", "view_alert")
    ago = datetime.now(UTC) - timedelta(hours=2)
    opened = open_alert(people[0], opened_at=ago)
    assert figures(client, period="1h")["opened"] == []
    (mark,) = figures(client, period="24h")["opened"]
    assert (mark["id"], mark["rule"], mark["severity"]) == (opened.pk, "Failures in a row", "HIGH")
    assert mark["link"] == reverse("admin:alerts_alert_change", args=[opened.pk])


def test_alerts_that_take_too_long_are_told_to_be_missing_and_the_figures_stay(
    client: Client, people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    staff(client, "view_transaction", "view_alert")
    monkeypatch.setattr(alerts, "BESIDE_MS_MAX", PATIENT_MS)
    assert figures(client)["untold"] == []
    shared_alerts.forget()
    monkeypatch.setattr(alerts, "BESIDE_MS_MAX", 100)
    with locked("alerts_alert"):
        told = figures(client)
    assert told["untold"] == ["opened"]
    assert (told["opened"], told["alert"]) == (None, None)
    assert told["overview"] is not None
    with locked("alerts_alert"):
        assert shared_alerts.beside("1h", risen(people[0])).untold == ["opened", "alert"]


def test_the_alert_about_what_is_wrong_is_asked_for_once_for_all(
    people: list[User], time_stands_still: None
) -> None:
    found = risen(people[0])
    with CaptureQueriesContext(database) as asked:
        for period in ("1h", "1h", "24h"):
            assert shared_alerts.beside(period, found).untold == []
    assert sum("touched_at" in each["sql"] and "LIMIT 1" in each["sql"] for each in asked) == 1


def test_what_is_kept_is_about_those_who_fail_now(people: list[User], time_stands_still: None) -> None:
    alice, bob, _ = people
    abouts = {user.pk: open_alert(user).pk for user in (alice, bob)}
    since = datetime.now(UTC) - timedelta(minutes=20)
    for user in (alice, bob, alice):
        told = shared_alerts.beside("1h", risen(user, since=since)).alert
        assert told is not None
        assert told["id"] == abouts[user.pk]


def test_where_no_customer_stands_out_it_is_that_of_a_rule_about_the_failure_rate(
    people: list[User],
) -> None:
    open_alert(people[0])
    rule = rule_in_force("failure_rate", factor=2, percent=10)
    about_all = Alert.objects.create(rule=rule.rule_id, rule_name="More failures", severity="LOW", hits=1)
    told = shared_alerts.beside("1h", risen())
    assert (told.alert and told.alert["id"], told.untold) == (about_all.pk, [])


def test_what_is_wrong_comes_with_the_alert_about_it(people: list[User]) -> None:
    """The one of a rule about the failure rate first, then those of who fails; never one from before."""
    alice, bob, _ = people
    since = datetime.now(UTC) - timedelta(minutes=20)
    found = risen(alice, since=since)

    def told() -> Any:
        shared_alerts.forget()
        return shared_alerts.beside("1h", found).alert

    open_alert(bob)
    open_alert(alice, rule=2, touched_at=since - timedelta(minutes=1))
    assert told() is None
    of_alice = open_alert(alice, rule=3)
    assert told()["id"] == of_alice.pk
    rule = rule_in_force("failure_rate", factor=2, percent=10)
    about_all = Alert.objects.create(rule=rule.rule_id, rule_name="More failures", severity="LOW", hits=1)
    assert told() == {
        "id": about_all.pk,
        "version": 1,
        "assignee": None,
        "link": reverse("admin:alerts_alert_change", args=[about_all.pk]),
        "take": reverse("admin:alerts_alert_step", args=[about_all.pk, "claim"]),
    }
    triage.close(about_all.pk, alice, 1, "EXPECTED", "known")
    assert told()["id"] == of_alice.pk
    assert shared_alerts.beside("1h", None).alert is None


def test_of_those_who_fail_most_an_alert_about_failures_comes_first(people: list[User]) -> None:
    alice, bob, carol = people
    found = risen(alice, bob)
    about_amounts = open_alert(alice, rule=7_000, rule_name="A very large amount")
    open_alert(carol, rule=burst_rule().rule_id)
    told = shared_alerts.beside("1h", found).alert
    assert told is not None
    assert told["id"] == about_amounts.pk
    burst(bob)
    shared_alerts.forget()
    told = shared_alerts.beside("1h", found).alert
    assert told is not None
    assert told["id"] == Alert.objects.get(user=bob.pk).pk
