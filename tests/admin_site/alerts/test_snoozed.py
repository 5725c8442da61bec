"""The list of what is snoozed."""

from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.support.alert_pages import QUEUE, step
from tests.support.alerts import open_alert
from tests.support.rule_pages import plain, text_of
from transactions.alerts.models import Snooze

pytestmark = pytest.mark.django_db(transaction=True)


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


def test_an_alert_tells_in_the_viewers_zone_until_when_it_was_snoozed_apart_from_what_was_written(
    ann: tuple[Client, User], people: list[User]
) -> None:
    alert = open_alert(people[0])
    step(ann[0], alert, "close", disposition="EXPECTED", reason="Travels.", days="30")
    ann[0].cookies["timezone"] = "Asia/Tokyo"
    until = Snooze.objects.get().ends_at.astimezone(ZoneInfo("Asia/Tokyo"))
    said = text_of(ann[0], f"{QUEUE}{alert.pk}/change/")
    assert f"ann snoozed its rule and customer until {until:%Y-%m-%d %H:%M}: Travels." in said


def test_who_may_not_see_alerts_sees_no_snoozes(client: Client, people: list[User]) -> None:
    client.force_login(User.objects.create_user("eve", is_staff=True))
    assert client.get(f"{QUEUE}snoozes/").status_code == 403
    assert client.post(f"{QUEUE}snoozes/1/end/").status_code == 403
