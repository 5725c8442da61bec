"""Alerts against their hits, and the outbox against alerts, by `manage.py verify --alerts`."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest
from django.contrib.auth.models import User

from tests.books.test_verify import verify
from tests.support.alerts import analyst, burst, burst_rule, open_alert
from tests.support.outages import postgres_away
from tests.support.rules import rule_in_force
from transactions.alerts import triage
from transactions.alerts.models import Alert, AlertState
from transactions.books import alerts, epochs
from transactions.notifications import numbering
from transactions.notifications.models import Message, Numbering
from transactions.rules import lifecycle
from transactions.rules.models import Hit, Version

pytestmark = pytest.mark.django_db(transaction=True)

LONG_AGO = timedelta(days=31)
DISAGREE = "Alerts, their hits and what is told of them do not agree."


@pytest.fixture
def rule(settings: Any) -> Version:
    settings.FOUR_EYES = False
    return burst_rule()


@pytest.fixture
def alert(rule: Version, people: list[User]) -> Alert:
    """Of two hits: the third failure of four, and the fourth."""
    burst(people[0])
    return Alert.objects.get()


def change(number: int = 1, **values: Any) -> None:
    """Behind the system's back."""
    assert Alert.objects.update(**values) == number


def complaints() -> list[str]:
    """What is wrong, line by line; and it must be said that something is."""
    _, err, content = verify("--alerts")
    *found, last = err.splitlines()
    assert (last, content) == (DISAGREE, False)
    return found


def content() -> str:
    out, err, is_content = verify("--alerts")
    assert (err, is_content) == ("", True)
    return out


def test_nothing_at_all_agrees(transactional_db: None) -> None:
    assert content() == "alerts 0, hits 0, events 0: they agree\n"


def test_what_was_raised_joined_and_told_agrees(alert: Alert, people: list[User]) -> None:
    burst(people[1], "G", 3)
    burst(people[0], "H", 3)
    numbering.number()
    assert content() == "alerts 2, hits 6, events 3: they agree\n"


def test_every_step_with_an_alert_agrees(alert: Alert, people: list[User]) -> None:
    _, ann = analyst("ann")
    triage.claim(alert.pk, ann, 1)
    assert content() == "alerts 1, hits 2, events 0: they agree\n"
    triage.snooze(alert.pk, ann, 2, datetime.now(UTC) + timedelta(days=1), "A good customer")
    triage.note(alert.pk, ann, "Nothing changes by it")
    numbering.number()
    assert content() == "alerts 1, hits 2, events 3: they agree\n"
    triage.close(alert.pk, ann, 3, "EXPECTED", "A good customer")
    assert content() == "alerts 1, hits 2, events 3: they agree\n"
    burst(people[0], "G", 3)
    assert content() == "alerts 1, hits 5, events 3: they agree\n"
    triage.reopen(alert.pk, ann, 4, "Not so good")
    triage.undo(alert.pk, ann, 5)
    numbering.number()
    assert content() == "alerts 1, hits 5, events 5: they agree\n"


def test_what_joins_an_alert_right_after_it_was_assigned_agrees(alert: Alert, people: list[User]) -> None:
    _, ann = analyst("ann")
    _, eve = analyst("eve")
    triage.assign(alert.pk, ann, 1, eve)
    burst(people[0], "G", 3)
    triage.assign(alert.pk, eve, 2, ann)
    triage.claim(alert.pk, ann, 3)
    assert content() == "alerts 1, hits 5, events 0: they agree\n"
    numbering.number()
    assert content() == "alerts 1, hits 5, events 5: they agree\n"


def test_hits_that_are_suppressed_agree(alert: Alert, people: list[User]) -> None:
    _, ann = analyst("ann")
    triage.close(alert.pk, ann, 1, "TRUE_POSITIVE", "A thief")
    burst(people[0], "G", 3)
    assert Alert.objects.get().suppressed == 3
    assert content() == "alerts 1, hits 5, events 0: they agree\n"


def test_what_two_versions_find_counts_once(rule: Version, people: list[User]) -> None:
    burst(people[0])
    next_version = lifecycle.draft(rule.rule, "failure_burst", {"count": 2, "window": "10m"})
    lifecycle.submit(next_version)
    lifecycle.approve(next_version, None, begin=datetime(2000, 1, 1, tzinfo=UTC))
    burst(people[1], "G")
    for _ in range(3):
        burst(people[2], "H", 1)
    # Of each burst the first version finds two, and the next one three; H0 came once.
    assert content() == "alerts 2, hits 10, events 0: they agree\n"


def test_of_two_versions_that_judge_at_once_the_graver_says_how_grave_the_alert_is(
    rule: Version, people: list[User]
) -> None:
    graver = lifecycle.draft(
        rule.rule, "failure_burst", {"count": 2, "window": "10m"}, severity="CRITICAL", description=""
    )
    lifecycle.submit(graver)
    lifecycle.approve(graver, None, begin=datetime(2000, 1, 1, tzinfo=UTC))
    burst(people[0])
    assert Alert.objects.get().severity == "CRITICAL"
    numbering.number()
    assert content() == "alerts 1, hits 5, events 3: they agree\n"


def test_hits_of_a_version_in_shadow_need_no_alert(settings: Any, people: list[User]) -> None:
    settings.FOUR_EYES = False
    rule_in_force("failure_burst", shadow=True, count=3, window="10m")
    burst(people[0])
    assert Hit.objects.count() == 2
    assert content() == "alerts 0, hits 2, events 0: they agree\n"


def test_it_finds_an_alert_that_counts_other_hits_than_it_has(alert: Alert) -> None:
    change(hits=3)
    assert complaints() == [
        f"Alert {alert.pk} says that it has 3 hits and 0 suppressed, and has 2 and 0.",
        f"Alert {alert.pk} is at version 1, OPEN, hits 3; what was told last is version 1, OPEN, hits 2.",
    ]
    change(hits=2, suppressed=1)
    assert complaints() == [f"Alert {alert.pk} says that it has 2 hits and 1 suppressed, and has 2 and 0."]


def test_it_finds_an_alert_without_hits(people: list[User], transactional_db: None) -> None:
    told = open_alert(people[0])
    assert f"Alert {told.pk} says that it has 1 hits and 0 suppressed, and has 0 and 0." in complaints()


@pytest.mark.parametrize("way", [-1, 1])
def test_it_finds_an_alert_of_another_time_than_its_first_hit_or_its_last(alert: Alert, way: int) -> None:
    change(opened_at=alert.opened_at + way * timedelta(hours=1))
    (complaint,) = complaints()
    assert complaint.startswith(f"Alert {alert.pk} was opened at ")
    change(opened_at=alert.opened_at, touched_at=alert.touched_at + way * timedelta(hours=1))
    (complaint,) = complaints()
    assert complaint.startswith(f"The last hit joined alert {alert.pk} at ")


def test_it_finds_a_hit_without_an_alert(alert: Alert) -> None:
    lost = Hit.objects.latest("id")
    Hit.objects.filter(pk=lost.pk).update(alert=None)
    assert complaints() == [
        f"Alert {alert.pk} says that it has 2 hits and 0 suppressed, and has 1 and 0.",
        f"Hit {lost.pk} is in no alert, and does not say why.",
    ]
    Hit.objects.filter(pk=lost.pk).update(suppressed="QUIET")
    assert f"Hit {lost.pk} is in no alert, and does not say why." in complaints()


def test_it_finds_a_hit_in_the_alert_of_another_user(alert: Alert, people: list[User]) -> None:
    moved = Hit.objects.latest("id")
    Hit.objects.filter(pk=moved.pk).update(user=people[1].pk)
    assert complaints() == [f"Hit {moved.pk} is in an alert of another rule or user."]


def test_it_finds_an_alert_of_which_nothing_or_not_everything_was_told(alert: Alert) -> None:
    Message.objects.filter(alert=alert.pk).delete()
    assert complaints() == [f"Nothing was told of alert {alert.pk}."]


def test_it_finds_an_alert_that_was_never_told_to_be_open(alert: Alert, people: list[User]) -> None:
    numbering.number()
    burst(people[0], "G", 3)
    Message.objects.filter(type="alert.opened").delete()
    assert complaints()[0] == f"It was never told that alert {alert.pk} was opened."


def test_it_finds_a_step_that_was_not_told(alert: Alert) -> None:
    change(state=AlertState.IN_REVIEW, assignee=analyst("ann")[1], version=2)
    assert complaints() == [
        f"Alert {alert.pk} is at version 2, IN_REVIEW, hits 2; what was told last is version 1, OPEN, hits 2."
    ]


def test_it_finds_what_was_told_of_an_alert_that_there_is_not(alert: Alert) -> None:
    Hit.objects.update(alert=None, suppressed="SNOOZED")
    Alert.objects.all().delete()
    assert complaints() == [f"Alert {alert.pk} was told, and there is none."]


def test_what_is_older_than_messages_are_kept_need_not_be_told(alert: Alert) -> None:
    Message.objects.all().delete()
    then = datetime.now(UTC) - LONG_AGO
    Hit.objects.update(raised_at=then)
    change(opened_at=then, touched_at=then)
    assert content() == "alerts 1, hits 2, events 0: they agree\n"


def test_places_of_messages_that_are_removed_are_no_gap(alert: Alert, people: list[User]) -> None:
    numbering.number()
    burst(people[1], "G")
    numbering.number()
    Message.objects.filter(position__lte=2).update(made_at=datetime.now(UTC) - LONG_AGO)
    numbering.prune()
    then = datetime.now(UTC) - LONG_AGO
    Hit.objects.update(raised_at=then)
    change(2, opened_at=then, touched_at=then)
    assert content() == "alerts 2, hits 4, events 1: they agree\n"


def test_it_finds_one_that_is_in_review_by_nobody(alert: Alert) -> None:
    _, ann = analyst("ann")
    triage.claim(alert.pk, ann, 1)
    change(assignee=None)
    assert complaints() == [f"Alert {alert.pk} is in review, and nobody has it."]


@pytest.mark.parametrize(
    ("position", "complaint"),
    [(1, "Event 1 is missing."), (2, "Event 2 is missing."), (3, "Event 3 is missing.")],
)
def test_it_finds_a_gap_among_the_places(
    settings: Any, transactional_db: None, position: int, complaint: str
) -> None:
    settings.FOUR_EYES = False
    for number in range(3):
        rule_in_force("amount", name=f"Rule {number}", amount=1_000)
    numbering.number()
    Message.objects.filter(position=position).delete()
    assert complaints() == [complaint]


def test_it_finds_a_place_that_was_never_given(alert: Alert) -> None:
    numbering.number()
    Numbering.objects.update(last=1)
    assert complaints() == ["Event 2 has a place that was not given."]


def test_it_tells_of_ten_and_how_many_more(people: list[User], transactional_db: None) -> None:
    then = datetime.now(UTC) - LONG_AGO
    for number in range(12):
        open_alert(people[0], rule=number, opened_at=then, touched_at=then)
    found = complaints()
    assert (len(found), found[-1]) == (11, "2 more alerts count other hits than they have.")


def test_it_names_postgresql_when_it_does_not_answer(transactional_db: None) -> None:
    with postgres_away():
        out, err, is_content = verify("--alerts")
    assert (out, is_content) == ("", False)
    assert err.startswith("PostgreSQL does not answer")


def test_it_is_right_while_hits_are_being_grouped(
    alert: Alert, people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hits that are committed while it reads belong to none of what it compares, or to all of it."""
    ask, number = alerts.ask, iter(range(100))

    def meanwhile(cursor: Any, check: alerts.Check) -> list[str]:
        found = ask(cursor, check)
        burst(people[0], f"G{next(number)}-", 1)
        numbering.number()
        return found

    monkeypatch.setattr(alerts, "ask", meanwhile)
    assert content() == "alerts 1, hits 2, events 0: they agree\n"
    assert Alert.objects.get().hits > 2


def test_deleting_everything_does_not_wait_for_it(alert: Alert) -> None:
    def ended() -> None:
        with alerts.opened() as session, session.transaction() as cursor:
            cursor.execute(alerts.BEGIN)
            epochs.empty_everything()
            cursor.execute(alerts.COUNT)

    with pytest.raises(psycopg2.Error, match=r"terminating|closed"):
        ended()
    assert not Alert.objects.exists()
    assert content() == "alerts 0, hits 0, events 0: they agree\n"
