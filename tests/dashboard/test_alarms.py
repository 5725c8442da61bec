"""The system's own alarms on the dashboard: who sees them, until when, and where they lead."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db.models.functions import Now
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from tests.support.admin_pages import page, staff
from tests.support.outages import redis_away
from transactions.metrics import ticks
from transactions.models import Epoch
from transactions.notifications import alarms
from transactions.notifications.models import Message, SystemAlarm
from transactions.storing import history
from transactions.storing.flush import flush
from transactions.system import conditions

pytestmark = pytest.mark.django_db(transaction=True)

TEXT = "9 records wait, of 10 that may."
OFF = "The webhook 7 was switched off: it answered 410."


@pytest.fixture(autouse=True)
def _noted(settings: Settings, transactional_db: None) -> None:
    settings.ALLOW_ANONYMOUS_API = False
    alarms.note({"queue": TEXT, "endpoint:7": OFF})


def test_who_may_see_events_sees_those_that_are_not_over_and_when_they_were_noticed(client: Client) -> None:
    staff(client, "view_transaction", "view_message")
    shown = page(client, "/admin/")
    assert TEXT in shown
    assert OFF in shown
    noticed = SystemAlarm.objects.get(key="queue").opened_at
    assert f"noticed {noticed:%Y-%m-%d %H:%M:%S}<" in shown
    SystemAlarm.objects.update(seen_at=datetime.now(UTC) - timedelta(minutes=2))
    alarms.note({})
    for where in ("/admin/", reverse("dashboard-alarms")):
        shown = page(client, where)
        assert TEXT not in shown
        assert "None: whatever there was is over." in shown


def test_one_that_is_not_so_any_more_is_marked_before_it_is_told_as_over(
    client: Client, people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    staff(client, "view_message")
    monkeypatch.setattr(history, "STARTED_AT", datetime.now(UTC) - timedelta(hours=1))
    flush()
    Epoch.objects.update(flushed_at=Now() - timedelta(hours=1))
    conditions.look()
    shown = page(client, reverse("dashboard-alarms"))
    assert '<li data-alarm="flush">' in shown
    flush()
    shown = page(client, reverse("dashboard-alarms"))
    assert '<li data-alarm="flush" class="alarm-over">' in shown
    assert SystemAlarm.objects.get(key="flush").recovered_at is None


def test_a_redis_that_answers_again_and_a_tick_that_came_are_marked_too(
    client: Client, people: list[User]
) -> None:
    staff(client, "view_message")
    alarms.note({"redis": "Redis does not answer.", "ticks": "No tick for 40 s: does Celery Beat run?"})
    with redis_away():
        over = conditions.over_by_now(["redis", "ticks"])
    assert over == set()
    assert conditions.over_by_now(["redis", "ticks"]) == {"redis"}
    ticks.tick("failed")
    shown = page(client, reverse("dashboard-alarms"))
    assert '<li data-alarm="redis" class="alarm-over">' in shown
    assert '<li data-alarm="ticks" class="alarm-over">' in shown


def test_a_page_that_stays_open_is_told_of_new_ones(client: Client) -> None:
    staff(client, "view_message")
    alarms.note({"flush": "<b>No flush</b>"})
    assert "&lt;b&gt;No flush&lt;/b&gt;" in page(client, reverse("dashboard-alarms"))


def test_who_manages_webhooks_sees_those_of_webhooks_and_where_to_look(client: Client) -> None:
    staff(client, "change_endpoint")
    shown = page(client, "/admin/")
    assert OFF in shown
    assert TEXT not in shown
    assert f'href="{reverse("admin:notifications_endpoint_change", args=[7])}"' in shown


def test_nobody_else_sees_any(client: Client) -> None:
    assert client.get(reverse("dashboard-alarms")).status_code == 403
    staff(client, "view_transaction", "view_alert")
    assert client.get(reverse("dashboard-alarms")).status_code == 403
    assert 'id="alarms"' not in page(client, "/admin/")


def test_messages_of_alarms_lead_there() -> None:
    assert {message.data["link"].partition("/admin/")[2] for message in Message.objects.all()} == {"#alarms"}
