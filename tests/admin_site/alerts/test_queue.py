"""The queue of alerts: whose it is, what stands first, and what narrows it."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.support.alert_pages import QUEUE, at
from tests.support.alerts import analyst, open_alert
from tests.support.markup import markup
from tests.support.rule_pages import text_of
from tests.support.rules import rule_in_force
from transactions.alerts import triage

pytestmark = pytest.mark.django_db(transaction=True)


def listed(client: Client, query: str = "") -> list[int]:
    page = client.get(QUEUE + query)
    assert page.status_code == 200
    return [int(key) for key in re.findall(r'data-alert="(\d+)"', page.content.decode())]


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


def test_a_parameter_that_is_none_of_its_own_is_told(ann: tuple[Client, User], people: list[User]) -> None:
    open_alert(people[0])
    assert "frm: Unknown parameter. Did you mean" in text_of(ann[0], f"{QUEUE}?frm=1").replace("Frm", "frm")
    assert len(listed(ann[0], "?timezone=Europe/Berlin&tab=open&sort=newest")) == 1


def test_each_tab_has_its_alerts_and_their_count(ann: tuple[Client, User], people: list[User]) -> None:
    client, user = ann
    ago = datetime.now(UTC) - timedelta(hours=9)
    mine = open_alert(people[0], assignee=user, state="IN_REVIEW")
    late = open_alert(people[1], due_at=ago, opened_at=ago)
    done = open_alert(people[2], rule=2)
    triage.close(done.pk, user, 1, "EXPECTED", "known")
    # What waits longest first.
    assert listed(client) == [late.pk, mine.pk]
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
    assert "Severity: Choose among what is offered." in text_of(ann[0], f"{QUEUE}?severity=NONE")
    assert "Expected a date" in text_of(ann[0], f"{QUEUE}?from=x")


def test_the_gravest_stand_first_unless_another_order_is_asked_for(
    ann: tuple[Client, User], people: list[User]
) -> None:
    client, now = ann[0], datetime.now(UTC)
    low = open_alert(people[0], severity="LOW", opened_at=now, due_at=now)
    grave = open_alert(people[1], severity="CRITICAL", opened_at=now - timedelta(hours=2), due_at=now)
    high = open_alert(people[2], opened_at=now - timedelta(hours=1), due_at=now + timedelta(hours=1))
    assert listed(client) == [grave.pk, high.pk, low.pk]
    assert listed(client, "?sort=newest") == [low.pk, high.pk, grave.pk]
    assert listed(client, "?sort=due") == [low.pk, grave.pk, high.pk]
    page = client.get(f"{QUEUE}?sort=due&severity=LOW").content.decode()
    assert 'aria-sort="ascending"' in page
    # What cannot be ordered so has its own order.
    assert client.get(f"{QUEUE}?tab=closed&sort=due").status_code == 200
    assert client.get(f"{QUEUE}?sort=colour").status_code == 200


def test_the_list_is_narrowed_by_what_people_and_rules_are_called(
    ann: tuple[Client, User], people: list[User]
) -> None:
    rule = rule_in_force("amount", name="Large amounts", amount=1_000).rule
    first, second = open_alert(people[0], rule=rule.pk), open_alert(people[1], rule=rule.pk + 1)
    third = open_alert(people[1], rule=rule.pk)
    for name in ("large amounts", "ge AM", str(rule.pk)):
        assert listed(ann[0], f"?rule={name}") == [first.pk, third.pk]
    for name in (people[1].username, str(people[1].pk)):
        assert listed(ann[0], f"?user={name}") == [second.pk, third.pk]
    assert "Rule: No rule has this in its name." in text_of(ann[0], f"{QUEUE}?rule=Absent")
    for nobody in ("nobody%00", "9" * 9, "9" * 40):
        said = text_of(ann[0], f"{QUEUE}?user={nobody}")
        assert "Customer: There is no customer of this name or number." in said


def test_what_is_wrong_is_told_by_the_labels_of_the_form(ann: tuple[Client, User]) -> None:
    said = text_of(ann[0], f"{QUEUE}?tab=closed&disposition=MAYBE&severity=PINK")
    assert "It was: Choose among what is offered." in said
    assert "Severity: Choose among what is offered." in said


def test_older_ones_are_on_the_next_page(
    ann: tuple[Client, User], people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [open_alert(people[0], rule=n).pk for n in range(60)]
    page = ann[0].get(QUEUE).content.decode()
    (following,) = re.findall(r'href="([^"]*)" rel="next"', page)
    assert [*listed(ann[0]), *listed(ann[0], following.removeprefix(QUEUE))] == made


def test_the_queue_is_narrowed_by_whose_alerts_they_are(ann: tuple[Client, User], people: list[User]) -> None:
    mine = open_alert(people[0], assignee=ann[1])
    open_alert(people[1])
    shown = markup(ann[0].get(f"{QUEUE}?assignee=ann"))
    assert re.findall(r'data-alert="(\d+)"', shown) == [str(mine.pk)]
    assert '<option value="ann" selected>ann</option>' in shown
    # Other tabs say whose they are themselves, and do not take it along.
    for tab in ("mine", "unassigned"):
        assert f'href="{QUEUE}?tab={tab}"' in shown
        said = text_of(ann[0], f"{QUEUE}?tab={tab}&assignee=ann")
        assert f"Whose: The tab “{tab.capitalize()}” says whose they are already." in said
    assert "Whose: There is no such account." in text_of(ann[0], f"{QUEUE}?assignee=nobody")
