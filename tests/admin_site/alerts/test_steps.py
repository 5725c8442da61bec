"""Steps that are clicked on the page of an alert, and what is said where they are refused."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.support.alert_pages import QUEUE, at, many, step
from tests.support.alerts import open_alert
from tests.support.rule_pages import plain, text_of
from transactions.alerts import triage
from transactions.alerts.models import Alert, AlertEvent, Snooze

pytestmark = pytest.mark.django_db(transaction=True)


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
    said = step(ann[0], alert, "undo")
    assert "nobody has it" in said
    assert "It is undone: the alert is as it was before." in said
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


def test_what_cannot_be_snoozed_is_not_closed_either(ann: tuple[Client, User], people: list[User]) -> None:
    alert = open_alert(people[0])
    until = datetime.now(UTC) + timedelta(days=3)
    Snooze.objects.create(rule=alert.rule, user=alert.user, reason="Travels.", ends_at=until)
    said = {"disposition": "EXPECTED", "reason": "A sale.", "days": "7"}
    assert "It is snoozed already, until" in step(ann[0], alert, "close", **said)
    assert f"Alert {alert.pk}: It is snoozed already, until" in many(ann[0], "snooze", alert, **said)
    alert.refresh_from_db()
    assert (alert.state, alert.version, AlertEvent.objects.count()) == ("OPEN", 1, 0)


@pytest.mark.parametrize(
    ("name", "said", "told"),
    [
        ("close", {"disposition": "MAYBE", "reason": "x"}, "Close as: Choose among what is offered."),
        ("close", {"disposition": "EXPECTED", "reason": " "}, "Say why."),
        ("assign", {"assignee": "nobody"}, "To: There is no such account."),
        ("claim", {"version": "x"}, "Version: Expected an integer"),
        ("snooze", {"reason": "x"}, "For: Fill this in."),
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


def test_what_a_browser_sends_in_several_lines_is_taken(ann: tuple[Client, User], people: list[User]) -> None:
    first, second = open_alert(people[0]), open_alert(people[1])
    step(ann[0], first, "note", text="Called.\r\nNobody there.")
    step(ann[0], first, "close", disposition="EXPECTED", reason="Known.\r\nTravels.", days="7")
    many(ann[0], "close", second, disposition="EXPECTED", reason="Known.\r\nA sale.")
    assert set(Alert.objects.values_list("reason", flat=True)) == {"Known.\nTravels.", "Known.\nA sale."}
    assert Snooze.objects.get().reason == "Known.\nTravels."


def test_what_was_typed_is_there_again_where_it_was_refused(
    ann: tuple[Client, User], bea: tuple[Client, User], people: list[User]
) -> None:
    alert = open_alert(people[0])
    text = "Seen with the shop. " * 3
    assert text.strip() in step(ann[0], alert, "close", disposition="MAYBE", reason=text)
    # Once: nobody else sees it, and neither does the page after.
    assert text.strip() not in text_of(ann[0], at(alert))
    assert text.strip() in step(ann[0], alert, "note", text=text + "\a")
    assert text.strip() in many(ann[0], "close", alert, disposition="", reason=text)
    # Who was overtaken has it for a note.
    step(bea[0], alert, "close", disposition="EXPECTED", reason="known", days="7")
    said = step(ann[0], alert, "close", version=1, disposition="FALSE_POSITIVE", reason=text)
    assert "It was closed by bea as expected of this customer" in said
    assert text.strip() in said


def test_it_is_offered_to_who_was_given_it(
    ann: tuple[Client, User], bea: tuple[Client, User], people: list[User]
) -> None:
    alert = open_alert(people[0])
    step(ann[0], alert, "assign", assignee="bea")
    assert 'id="claim"' not in ann[0].get(at(alert)).content.decode()
    page = bea[0].get(at(alert)).content.decode()
    assert 'id="claim"' in page
    assert "/steps/snooze/" in page
    assert "In review, bea has it" in step(bea[0], alert, "claim")


def test_taking_it_from_somebody_asks_for_a_reason(
    ann: tuple[Client, User], bea: tuple[Client, User], people: list[User]
) -> None:
    alert, other = open_alert(people[0]), open_alert(people[1])
    step(ann[0], alert, "claim")
    step(ann[0], other, "claim")
    assert "ann has it: say why it is taken away" in step(bea[0], alert, "release")
    assert "bea put it back into the queue: On leave." in step(bea[0], alert, "release", reason="On leave.")
    other.refresh_from_db()
    assert "say why it is taken away" in many(bea[0], "release", other)
    assert "1 alert put back" in many(bea[0], "release", other, release_reason="On leave.")


def test_what_is_not_snoozed_is_not_closed_either(ann: tuple[Client, User], people: list[User]) -> None:
    alert = open_alert(people[0])
    triage.claim(alert.pk, ann[1], 1)
    triage.snooze(alert.pk, ann[1], 2, datetime.now(UTC) + timedelta(days=3), "Travels.")
    alert.refresh_from_db()
    told = many(ann[0], "snooze", alert, disposition="EXPECTED", reason="Travels.", days="7")
    assert f"Alert {alert.pk}: It is snoozed already" in told
    alert.refresh_from_db()
    assert (alert.state, alert.version) == ("IN_REVIEW", 3)
    told = step(ann[0], alert, "close", version="3", disposition="EXPECTED", reason="Travels.", days="30")
    assert "It is snoozed already" in told
    alert.refresh_from_db()
    assert (alert.state, alert.version) == ("IN_REVIEW", 3)


def test_closing_with_a_snooze_is_undone_as_it_was_taken(
    ann: tuple[Client, User], people: list[User]
) -> None:
    alert = open_alert(people[0])
    said = step(ann[0], alert, "close", disposition="EXPECTED", reason="Travels.", days="30")
    assert "You closed it and snoozed its rule and customer. Undo" in said
    said = step(ann[0], alert, "undo")
    assert "nobody has it" in said
    assert "Snoozed until" not in said
    assert "ann ended the snooze" in said
    assert "ann took back closing it" in said
    # Many at once too.
    alert.refresh_from_db()
    assert "1 alert closed and snoozed. Undo" in many(
        ann[0], "snooze", alert, disposition="EXPECTED", reason="Travels.", days="30"
    )
    alert.refresh_from_db()
    assert "1 alert as before." in many(ann[0], "undo", alert)
    assert "Nothing is snoozed" in text_of(ann[0], f"{QUEUE}snoozes/")
