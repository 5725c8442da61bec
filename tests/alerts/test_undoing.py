"""Undoing: one's own last step is taken back, and nobody else's."""

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from django.contrib.auth.models import User
from django.db import transaction

from tests.support.outages import until_somebody_waits
from transactions.alerts import triage
from transactions.alerts.models import Alert, AlertEvent
from transactions.alerts.triage import Refused

from .conftest import Beside, steps

pytestmark = pytest.mark.django_db(transaction=True)


def test_who_undoes_while_another_takes_a_step_is_told_and_that_step_stands(
    alert: Alert, staff: list[User]
) -> None:
    alice, bob, _ = staff
    triage.claim(alert.pk, alice, 1)
    with transaction.atomic():
        triage.assign(alert.pk, bob, 2, bob)
        # By the version that the alert is about to have, and which alice can guess.
        undoing = Beside(partial(triage.undo, alert.pk, alice, 3))
        until_somebody_waits()
    refused = undoing.ended()
    assert isinstance(refused, Refused)
    assert str(refused) == "The last step is one of bob."
    alert.refresh_from_db()
    assert (alert.state, alert.assignee, alert.version) == ("IN_REVIEW", bob, 3)
    assert [step for step, *_ in steps(alert)] == ["CLAIMED", "CLAIMED"]


def test_one_s_own_last_step_is_undone_for_a_while(alert: Alert, staff: list[User]) -> None:
    alice, bob, _ = staff
    with pytest.raises(Refused, match="There is no step to undo"):
        triage.undo(alert.pk, alice, 1)
    triage.claim(alert.pk, alice, 1)
    triage.close(alert.pk, alice, 2, "EXPECTED", "known")
    with pytest.raises(Refused, match="The last step is one of alice"):
        triage.undo(alert.pk, bob, 3)
    undone = triage.undo(alert.pk, alice, 3)
    assert (undone.state, undone.assignee, undone.closed_at, undone.disposition, undone.version) == (
        "IN_REVIEW", alice, None, "", 4,
    )  # fmt: skip
    with pytest.raises(Refused, match="There is no step to undo"):
        triage.undo(alert.pk, alice, 4)
    triage.release(alert.pk, alice, 4)
    AlertEvent.objects.update(at=datetime.now(UTC) - triage.UNDO_FOR - timedelta(minutes=1))
    with pytest.raises(Refused, match="The last step is too long ago"):
        triage.undo(alert.pk, alice, 5)


def test_a_closing_and_the_snooze_right_after_it_are_undone_together(alert: Alert, staff: list[User]) -> None:
    alice, bob, _ = staff
    until = datetime.now(UTC) + timedelta(days=7)
    triage.claim(alert.pk, alice, 1)
    triage.close(alert.pk, alice, 2, "EXPECTED", "known")
    snooze = triage.snooze(alert.pk, alice, 3, until, "known")
    with pytest.raises(Refused, match="The last step is one of alice"):
        triage.undo(alert.pk, bob, 4)
    undone = triage.undo(alert.pk, alice, 4)
    assert (undone.state, undone.assignee, undone.disposition, undone.version) == ("IN_REVIEW", alice, "", 5)
    snooze.refresh_from_db()
    assert snooze.ends_at <= datetime.now(UTC)
    assert snooze.ended_by == alice
    assert [name for name, *_ in steps(alert)] == ["CLAIMED", "CLOSED", "SNOOZED", "WOKEN", "UNDONE"]
    # A snooze that had ended before is as it was; the closing is taken back.
    triage.close(alert.pk, alice, 5, "EXPECTED", "known")
    triage.wake(triage.snooze(alert.pk, alice, 6, until, "known").pk, bob)
    assert triage.undo(alert.pk, alice, 7).state == "IN_REVIEW"
    assert [name for name, *_ in steps(alert)[-4:]] == ["CLOSED", "SNOOZED", "WOKEN", "UNDONE"]
    # One by another is not taken back with it.
    triage.close(alert.pk, alice, 8, "EXPECTED", "known")
    triage.snooze(alert.pk, bob, 9, until, "known")
    for person in (alice, bob):
        with pytest.raises(Refused, match="The last step is a snooze: end that"):
            triage.undo(alert.pk, person, 10)


def test_undoing_a_reopening_closes_it_as_it_was(alert: Alert, staff: list[User]) -> None:
    alice = staff[0]
    closed = triage.close(alert.pk, alice, 1, "EXPECTED", "known")
    triage.reopen(alert.pk, alice, 2, "by mistake")
    undone = triage.undo(alert.pk, alice, 3)
    undone.refresh_from_db()
    assert (undone.state, undone.closed_at, undone.closed_by, undone.reason) == (
        "CLOSED",
        closed.closed_at,
        alice,
        "known",
    )
