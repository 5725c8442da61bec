"""Whose account is deleted has no alerts any more: they are open again, and that is told."""

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from tests.support.audit_trail import head, since
from transactions.alerts import triage
from transactions.alerts.models import Alert
from transactions.notifications.models import Message

from .conftest import raised, steps

pytestmark = pytest.mark.django_db(transaction=True)


def delete(root: Client, user: User) -> None:
    answer = root.post(reverse("admin:auth_user_delete", args=[user.pk]), {"post": "yes", "reason": "left"})
    assert answer.status_code == 302


def as_it_is(alert: Alert) -> tuple[str, User | None, int]:
    alert.refresh_from_db()
    return alert.state, alert.assignee, alert.version


def test_the_alerts_of_a_deleted_account_are_open_for_anybody_and_that_is_told(
    root: Client, alert: Alert, staff: list[User]
) -> None:
    alice, bob, _ = staff
    given, closed, hers = raised(8), raised(9), raised(10)
    triage.claim(alert.pk, bob, 1)
    triage.assign(given.pk, alice, 1, bob)
    triage.claim(closed.pk, bob, 1)
    triage.close(closed.pk, bob, 2, "EXPECTED", "known")
    triage.claim(hers.pk, alice, 1)
    before = head()
    delete(root, bob)
    assert as_it_is(alert) == as_it_is(given) == ("OPEN", None, 3)
    assert as_it_is(closed) == ("CLOSED", None, 3)
    assert as_it_is(hers) == ("IN_REVIEW", alice, 2)
    released = ("RELEASED", "root", "The account of bob is deleted.", 3)
    assert [steps(each)[-1] for each in (alert, given)] == [released, released]
    for each in (alert, given):
        last = Message.objects.filter(alert=each.pk).latest("id")
        told = [last.data[name] for name in ("state", "assignee", "version")]
        assert (last.type, told) == ("alert.updated", ["OPEN", None, 3])
    noted = [entry for entry in since(before) if entry.action == "alert.released"]
    assert sorted((entry.actor, entry.target_id, entry.reason) for entry in noted) == [
        ("root", str(each.pk), "The account of bob is deleted.") for each in (alert, given)
    ]


def test_nobody_is_told_of_a_deletion_that_failed(
    root: Client, alert: Alert, staff: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, bob, _ = staff
    triage.claim(alert.pk, bob, 1)

    def fail(*_: object) -> None:
        raise RuntimeError("cut off")

    monkeypatch.setattr("transactions.admin_site.accounts.note_transactions", fail)
    root.raise_request_exception = False
    assert (
        root.post(
            reverse("admin:auth_user_delete", args=[bob.pk]), {"post": "yes", "reason": "left"}
        ).status_code
        == 500
    )
    assert as_it_is(alert) == ("IN_REVIEW", bob, 2)
    assert [step for step, *_ in steps(alert)] == ["CLAIMED"]


def test_undoing_a_step_gives_an_alert_back_to_nobody_who_is_gone(
    root: Client, alert: Alert, staff: list[User]
) -> None:
    alice, bob, _ = staff
    triage.claim(alert.pk, bob, 1)
    triage.assign(alert.pk, alice, 2, alice)
    delete(root, bob)
    triage.undo(alert.pk, alice, 3)
    assert as_it_is(alert) == ("OPEN", None, 4)
