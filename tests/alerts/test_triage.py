"""Triage: what somebody does with an alert is kept, with who and when, and nobody overwrites another."""

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import OperationalError, connection, transaction

from transactions.alerts import triage
from transactions.alerts.grouping import DUE_HOURS, Raised, group
from transactions.alerts.models import Alert, AlertEvent, Snooze
from transactions.alerts.triage import Overtaken, Refused
from transactions.stores.postgres_session import Session

pytestmark = pytest.mark.django_db(transaction=True)


def raised(user: int | None = 7, severity: str = "HIGH") -> Alert:
    with Session() as session, session.transaction() as cursor:
        group(cursor, [Raised(1, "Failures in a row", severity, user, 1)])
    return Alert.objects.exclude(state="CLOSED").get(user=user)


@pytest.fixture
def alert(db: None) -> Alert:
    return raised()


@pytest.fixture
def staff(people: list[User]) -> list[User]:
    for person in people:
        person.user_permissions.add(Permission.objects.get(codename="change_alert"))
    return [User.objects.get(pk=person.pk) for person in people]


def steps(alert: Alert) -> list[tuple[str, str, str, int]]:
    return list(
        AlertEvent.objects.filter(alert=alert)
        .order_by("id")
        .values_list("step", "by_name", "text", "version")
    )


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


def waiting(locks: int = 1) -> None:
    """Returns once so many wait for a lock."""
    for _ in range(1_000):
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0] >= locks:
                return
        time.sleep(0.02)
    pytest.fail("nobody waits")


class Beside(threading.Thread):
    """A step that somebody takes on a connection of their own; `told` is what came of it."""

    def __init__(self, step: Callable[[], Any]) -> None:
        super().__init__()
        self._step = step
        self.told: Any = None
        self.start()

    def run(self) -> None:
        try:
            self.told = self._step()
        except (Refused, OperationalError) as error:
            self.told = error
        finally:
            connection.close()

    def ended(self) -> Any:
        self.join()
        return self.told


def test_who_undoes_while_another_takes_a_step_is_told_and_that_step_stands(
    alert: Alert, staff: list[User]
) -> None:
    alice, bob, _ = staff
    triage.claim(alert.pk, alice, 1)
    with transaction.atomic():
        triage.assign(alert.pk, bob, 2, bob)
        # By the version that the alert is about to have, and which alice can guess.
        undoing = Beside(partial(triage.undo, alert.pk, alice, 3))
        waiting()
    refused = undoing.ended()
    assert isinstance(refused, Refused)
    assert str(refused) == "The last step is one of bob."
    alert.refresh_from_db()
    assert (alert.state, alert.assignee, alert.version) == ("IN_REVIEW", bob, 3)
    assert [step for step, *_ in steps(alert)] == ["CLAIMED", "CLAIMED"]


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
    assert steps(alert)[-1] == ("SNOOZED", "alice", f"until {later:%Y-%m-%d %H:%M} UTC: travels", 3)


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
        waiting()
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
        waiting()
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
