"""Triage: what somebody does with an alert is kept, with who and when, and nobody overwrites another."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from transactions.alerts import triage
from transactions.alerts.grouping import DUE_HOURS
from transactions.alerts.models import Alert
from transactions.alerts.triage import Overtaken, Refused

from .conftest import raised, steps

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("severity", DUE_HOURS)
def test_an_alert_is_due_the_sooner_the_graver_it_is(severity: str) -> None:
    alert = raised(severity=severity)
    assert alert.due_at == alert.opened_at + timedelta(hours=DUE_HOURS[severity])


def test_an_alert_goes_from_the_queue_to_somebody_and_is_closed_with_a_reason(
    alert: Alert, staff: list[User]
) -> None:
    alice = staff[0]
    claimed = triage.claim(alert.pk, alice, 1)
    assert (claimed.state, claimed.assignee, claimed.version) == ("IN_REVIEW", alice, 2)
    triage.note(alert.pk, alice, " called the customer ")
    triage.close(alert.pk, alice, 2, "FALSE_POSITIVE", "card was replaced")
    alert.refresh_from_db()
    assert (alert.state, alert.closed_by, alert.disposition, alert.reason, alert.version) == (
        "CLOSED", alice, "FALSE_POSITIVE", "card was replaced", 3,
    )  # fmt: skip
    assert alert.closed_at is not None
    assert steps(alert) == [
        ("CLAIMED", "alice", "", 2), ("NOTED", "alice", "called the customer", 2),
        ("CLOSED", "alice", "card was replaced", 3),
    ]  # fmt: skip


def test_who_comes_second_is_told_who_was_first_and_nothing_is_overwritten(
    alert: Alert, staff: list[User]
) -> None:
    alice, bob, _ = staff
    triage.claim(alert.pk, alice, 1)
    with pytest.raises(Overtaken, match="It was claimed by alice meanwhile: nothing of yours was done"):
        triage.close(alert.pk, bob, 1, "EXPECTED", "known")
    with pytest.raises(Refused, match="alice has it already"):
        triage.claim(alert.pk, bob, 2)
    alert.refresh_from_db()
    assert (alert.state, alert.assignee, alert.version) == ("IN_REVIEW", alice, 2)
    assert len(steps(alert)) == 1


def test_of_many_who_claim_at_once_one_has_it(alert: Alert, staff: list[User]) -> None:
    start, told = threading.Barrier(3), list[str]()

    def claim(person: User) -> None:
        start.wait()
        try:
            triage.claim(alert.pk, person, 1)
            told.append("done")
        except Overtaken:
            told.append("overtaken")
        finally:
            connection.close()

    threads = [threading.Thread(target=claim, args=(person,)) for person in staff]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(told) == ["done", "overtaken", "overtaken"]
    assert len(steps(alert)) == 1


def test_hits_that_join_do_not_overtake_who_works_on_it(alert: Alert, staff: list[User]) -> None:
    raised()
    assert triage.claim(alert.pk, staff[0], 1).hits == 2


def test_an_alert_is_given_only_to_who_may_work_on_it(alert: Alert, staff: list[User]) -> None:
    alice, bob, carol = staff
    assert triage.assign(alert.pk, alice, 1, bob).assignee == bob
    carol.user_permissions.clear()
    with pytest.raises(Refused, match="carol has no right to work on alerts") as refused:
        triage.assign(alert.pk, alice, 2, User.objects.get(pk=carol.pk))
    assert refused.value.field == "assignee"
    released = triage.release(alert.pk, bob, 2)
    assert (released.assignee, released.state) == (None, "OPEN")
    with pytest.raises(Refused, match="Nobody has it"):
        triage.release(alert.pk, bob, 3)


@pytest.mark.parametrize(
    ("disposition", "reason", "field", "told"),
    [
        ("MAYBE", "x", "disposition", "must be one of TRUE_POSITIVE, FALSE_POSITIVE, EXPECTED, DUPLICATE"),
        ("", "x", "disposition", "must be one of"),
        ("EXPECTED", " ", "reason", "A reason must be given"),
        ("EXPECTED", "x" * 1001, "reason", "at most 1,000 characters"),
        ("EXPECTED", "a\0b", "reason", "no control characters"),
    ],
)  # fmt: skip
def test_closing_asks_for_a_disposition_and_a_reason(
    alert: Alert, staff: list[User], disposition: str, reason: str, field: str, told: str
) -> None:
    with pytest.raises(Refused, match=told) as refused:
        triage.close(alert.pk, staff[0], 1, disposition, reason)
    assert refused.value.field == field
    assert steps(alert) == []


def test_what_is_closed_is_reopened_before_anything_else(alert: Alert, staff: list[User]) -> None:
    alice, bob, _ = staff
    triage.close(alert.pk, alice, 1, "EXPECTED", "known")
    refused_steps: tuple[Callable[[], Any], ...] = (
        partial(triage.claim, alert.pk, bob, 2),
        partial(triage.assign, alert.pk, bob, 2, bob),
        partial(triage.release, alert.pk, bob, 2),
        partial(triage.close, alert.pk, bob, 2, "EXPECTED", "again"),
    )
    for step in refused_steps:
        with pytest.raises(Refused, match="It is closed: reopen it first"):
            step()
    reopened = triage.reopen(alert.pk, bob, 2, "came again")
    assert (reopened.state, reopened.assignee, reopened.disposition, reopened.closed_at) == (
        "IN_REVIEW",
        bob,
        "",
        None,
    )
    with pytest.raises(Refused, match="It is not closed"):
        triage.reopen(alert.pk, bob, 3, "twice")


def test_it_is_not_reopened_beside_another_open_one(alert: Alert, staff: list[User]) -> None:
    triage.close(alert.pk, staff[0], 1, "EXPECTED", "known")
    Alert.objects.create(rule=1, rule_name="Failures in a row", severity="HIGH", user=7)
    refused_steps: tuple[Callable[[], Any], ...] = (
        partial(triage.reopen, alert.pk, staff[0], 2, "x"),
        partial(triage.undo, alert.pk, staff[0], 2),
    )
    for step in refused_steps:
        with pytest.raises(Refused, match="Another alert of this rule and customer is open"):
            step()
    assert len(steps(alert)) == 1


def test_a_step_with_many_is_taken_by_each_for_itself(staff: list[User]) -> None:
    alice, bob, _ = staff
    first, second, third = (raised(user) for user in (7, 8, 9))
    triage.claim(second.pk, bob, 1)
    done, refused = triage.each(
        {first.pk: 1, second.pk: 1, third.pk: 1, 10**9: 1},
        lambda alert, seen: triage.claim(alert, alice, seen),
    )
    assert done == [first.pk, third.pk]
    assert refused == {
        second.pk: "It was claimed by bob meanwhile: nothing of yours was done. Look at it again.",
        10**9: "There is no such alert.",
    }


def test_a_reason_of_several_lines_is_kept_with_one_kind_of_line_end(alert: Alert, staff: list[User]) -> None:
    triage.note(alert.pk, staff[0], "called\r\nnobody there\rcalled again")
    # As it is kept it is not too long.
    closed = triage.close(alert.pk, staff[0], 1, "EXPECTED", "x" + "\r\n" * 998 + "y")
    assert closed.reason == "x" + "\n" * 998 + "y"
    assert steps(alert)[0][2] == "called\nnobody there\ncalled again"


def test_who_an_alert_was_given_to_claims_it_and_to_give_it_to_oneself_is_to_claim_it(
    alert: Alert, staff: list[User]
) -> None:
    alice, bob, _ = staff
    triage.assign(alert.pk, alice, 1, bob)
    with pytest.raises(Refused, match="bob has it already"):
        triage.claim(alert.pk, alice, 2)
    assert triage.claim(alert.pk, bob, 2).state == "IN_REVIEW"
    with pytest.raises(Refused, match="You have it already"):
        triage.claim(alert.pk, bob, 3)
    triage.release(alert.pk, bob, 3)
    taken = triage.assign(alert.pk, alice, 4, alice)
    assert (taken.state, taken.assignee) == ("IN_REVIEW", alice)
    assert [step for step, *_ in steps(alert)] == ["ASSIGNED", "CLAIMED", "RELEASED", "CLAIMED"]


def test_an_alert_is_taken_from_somebody_with_a_reason(alert: Alert, staff: list[User]) -> None:
    alice, bob, _ = staff
    triage.claim(alert.pk, alice, 1)
    with pytest.raises(Refused, match="alice has it: say why it is taken away") as refused:
        triage.release(alert.pk, bob, 2)
    assert refused.value.field == "reason"
    triage.release(alert.pk, bob, 2, "On leave.")
    assert steps(alert)[-1] == ("RELEASED", "bob", "On leave.", 3)


def test_who_comes_second_is_told_everything_that_was_done_and_as_what_it_was_closed(
    alert: Alert, staff: list[User]
) -> None:
    alice, bob, _ = staff
    triage.close(alert.pk, alice, 1, "FALSE_POSITIVE", "a new card")
    triage.snooze(alert.pk, alice, 2, datetime.now(UTC) + timedelta(days=1), "a new card")
    with pytest.raises(Overtaken) as overtaken:
        triage.close(alert.pk, bob, 1, "EXPECTED", "known")
    assert str(overtaken.value) == (
        "It was closed by alice as false positive, then snoozed by alice meanwhile: "
        "nothing of yours was done. Look at it again."
    )
    triage.reopen(alert.pk, alice, 3, "came again")
    triage.assign(alert.pk, alice, 4, bob)
    with pytest.raises(Overtaken, match="It was reopened by alice, then assigned to bob by alice meanwhile"):
        triage.close(alert.pk, bob, 3, "EXPECTED", "known")


@pytest.mark.parametrize("unseen", ["\u200b", "\u2060\ufeff", "\u3164", " \u200f\n"])
def test_what_nobody_can_see_is_no_reason_and_no_note(alert: Alert, staff: list[User], unseen: str) -> None:
    for step in (
        partial(triage.close, alert.pk, staff[0], 1, "EXPECTED", unseen),
        partial(triage.note, alert.pk, staff[0], unseen),
    ):
        with pytest.raises(Refused, match="must be"):
            step()
    with pytest.raises(Refused, match="turn the text around"):
        triage.note(alert.pk, staff[0], "\u202eabc")
    # Persian is written with a character that is not seen by itself.
    triage.note(alert.pk, staff[0], "می\u200cخواهم")


def test_a_version_that_has_never_been_is_told_as_such(alert: Alert, staff: list[User]) -> None:
    triage.claim(alert.pk, staff[0], 1)
    with pytest.raises(Refused, match="There is no version 999 of it yet: it is at 2") as refused:
        triage.release(alert.pk, staff[0], 999)
    assert (refused.value.field, isinstance(refused.value, Overtaken)) == ("version", False)
