"""Snoozing: of a customer whom somebody has looked at, a rule raises nothing for a while."""

import json
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from django.contrib.auth.models import User
from django.db import transaction

from tests.support.outages import until_somebody_waits
from transactions.alerts import triage
from transactions.alerts.grouping import Raised, group
from transactions.alerts.models import Alert, AlertEvent, Snooze, Step
from transactions.alerts.triage import Refused
from transactions.audit.actions import Action
from transactions.audit.models import Entry
from transactions.stores.postgres_session import Session

from .conftest import Beside, raised, steps

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_snooze_comes_from_a_reviewed_alert_and_has_an_end_and_a_reason(
    alert: Alert, staff: list[User]
) -> None:
    alice, later = staff[0], datetime.now(UTC) + timedelta(days=30)
    with pytest.raises(Refused, match="Nobody has looked at it"):
        triage.snooze(alert.pk, alice, 1, later, "travels")
    triage.close(alert.pk, alice, 1, "EXPECTED", "travels")
    for wrong in (datetime.now(UTC), datetime.now(UTC) + timedelta(days=181)):
        with pytest.raises(Refused, match="within the next 180 days") as refused:
            triage.snooze(alert.pk, alice, 2, wrong, "travels")
        assert refused.value.field == "until"
    snooze = triage.snooze(alert.pk, alice, 2, later, "travels")
    assert (snooze.rule, snooze.user, snooze.made_by, snooze.alert) == (1, 7, alice, alert)
    with pytest.raises(Refused, match="It is snoozed already"):
        triage.snooze(alert.pk, alice, 3, later, "again")
    assert steps(alert)[-1] == ("SNOOZED", "alice", "travels", 3)
    assert AlertEvent.objects.get(step=Step.SNOOZED).until == later
    noted = Entry.objects.filter(action=Action.SNOOZE_MADE).latest("number")
    assert (noted.reason, json.loads(noted.details)["until"]) == ("travels", str(later))


def test_of_two_alerts_of_a_rule_and_user_that_are_snoozed_at_once_one_is_told(
    alert: Alert, staff: list[User]
) -> None:
    alice, bob, _ = staff
    later = datetime.now(UTC) + timedelta(days=30)
    triage.close(alert.pk, alice, 1, "EXPECTED", "travels")
    Alert.objects.update(closed_at=datetime.now(UTC) - timedelta(days=2))
    other = raised()
    triage.claim(other.pk, bob, 1)
    with transaction.atomic():
        triage.snooze(alert.pk, alice, 2, later, "travels")
        snoozing = Beside(partial(triage.snooze, other.pk, bob, 2, later, "travels too"))
        until_somebody_waits()
    refused = snoozing.ended()
    assert isinstance(refused, Refused)
    assert str(refused) == f"It is snoozed already, until {later:%Y-%m-%d %H:%M} UTC."
    assert Snooze.objects.get().alert == alert


def test_ending_a_snooze_and_a_flush_that_counts_by_it_do_not_hold_each_other_up(
    alert: Alert, staff: list[User]
) -> None:
    alice, later = staff[0], datetime.now(UTC) + timedelta(days=30)
    triage.close(alert.pk, alice, 1, "EXPECTED", "travels")
    snooze = triage.snooze(alert.pk, alice, 2, later, "travels")
    with transaction.atomic():
        # As a flush does: the alert, then the snooze.
        Alert.objects.select_for_update().get(pk=alert.pk)
        waking = Beside(partial(triage.wake, snooze.pk, alice))
        until_somebody_waits()
        Snooze.objects.filter(pk=snooze.pk).update(hits=1)
    assert isinstance(waking.ended(), Snooze)
    snooze.refresh_from_db()
    assert (snooze.ended_by, snooze.hits) == (alice, 1)


def test_a_snoozed_customer_raises_nothing_until_somebody_ends_it(alert: Alert, staff: list[User]) -> None:
    alice, later = staff[0], datetime.now(UTC) + timedelta(days=30)
    triage.close(alert.pk, alice, 1, "EXPECTED", "travels")
    Alert.objects.update(closed_at=datetime.now(UTC) - timedelta(days=2))
    snooze = triage.snooze(alert.pk, alice, 2, later, "travels")
    with Session() as session, session.transaction() as cursor:
        (placed,) = group(cursor, [Raised(1, "Failures in a row", "HIGH", 7, 3)])
    assert (placed.suppressed, Snooze.objects.get().hits) == ("SNOOZED", 3)
    triage.wake(snooze.pk, alice)
    with pytest.raises(Refused, match="It ended at"):
        triage.wake(snooze.pk, alice)
    assert raised().hits == 1
    assert [step for step, *_ in steps(alert)] == ["CLOSED", "SNOOZED", "WOKEN"]


def test_who_an_alert_was_given_to_has_looked_at_it_when_they_snooze_it(
    alert: Alert, staff: list[User]
) -> None:
    alice, bob, _ = staff
    triage.assign(alert.pk, alice, 1, bob)
    later = datetime.now(UTC) + timedelta(days=3)
    with pytest.raises(Refused, match="Nobody has looked at it"):
        triage.snooze(alert.pk, alice, 2, later, "travels")
    triage.snooze(alert.pk, bob, 2, later, "travels")
    alert.refresh_from_db()
    assert alert.state == "IN_REVIEW"
