"""Triage: somebody takes an alert, says what it was, and closes it. Every step is an event with who and when.

Whoever changes an alert says which version of it was seen: if somebody else was faster, nothing is
overwritten, and the second is told who did what.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from ..audit.actions import Action
from ..audit.entries import note as note_in_trail
from ..encodings import checked_words
from ..stores.meanwhile import came_between
from ..timezones import to_the_minute
from . import announcing, story, telling
from .models import Alert, AlertEvent, AlertState, Disposition, Snooze, Step

REASON_CHARACTERS_MAX = 1000
SNOOZE_REASON_CHARACTERS_MAX = 200
# A snooze ends within so many days.
SNOOZE_DAYS_MAX = 180
# For so long one's own last step can be undone.
UNDO_FOR = timedelta(minutes=15)
# Held by whoever makes a snooze: "txsn".
SNOOZES_LOCK = 0x7478736E
# The fields that a step may change, and undoing it brings back.
CHANGED = ("state", "assignee_id", "closed_at", "closed_by_id", "disposition", "reason")
# Steps that somebody may have to answer for; notes are kept with the alert alone.
NOTED_AS = {
    Step.CLAIMED: Action.ALERT_CLAIMED,
    Step.ASSIGNED: Action.ALERT_ASSIGNED,
    Step.RELEASED: Action.ALERT_RELEASED,
    Step.CLOSED: Action.ALERT_CLOSED,
    Step.REOPENED: Action.ALERT_REOPENED,
    Step.SNOOZED: Action.SNOOZE_MADE,
    Step.WOKEN: Action.SNOOZE_ENDED,
    Step.UNDONE: Action.ALERT_UNDONE,
}


class Refused(Exception):
    """The step cannot be taken; says why. `field` is what would have to be said otherwise, if it is that."""

    def __init__(self, why: str, field: str = "") -> None:
        super().__init__(why)
        self.field = field


class Overtaken(Refused):
    """Somebody else changed the alert since it was read; says who, and what."""


def claim(alert: int, by: User, seen: int) -> Alert:
    """Takes an alert that nobody has, or that `by` was given.

    Raises Refused, Overtaken, Alert.DoesNotExist, as all steps do.
    """
    with _step(alert, by, seen, Step.CLAIMED) as held:
        _still_open(held)
        if held.assignee == by and held.state == AlertState.IN_REVIEW:
            raise Refused("You have it already.")
        if held.assignee not in (None, by):
            raise Refused(f"{held.assignee.username} has it already: have it assigned to you, or ask.")
        held.assignee, held.state = by, AlertState.IN_REVIEW
    return held


def assign(alert: int, by: User, seen: int, to: User) -> Alert:
    """Gives an alert to somebody, whoever has it. `to` must be able to work on alerts.

    Whoever gives it to themselves has claimed it.
    """
    is_own = to == by
    step, text = (Step.CLAIMED, "") if is_own else (Step.ASSIGNED, to.username)
    with _step(alert, by, seen, step, text) as held:
        _still_open(held)
        if not (to.is_active and to.has_perm("alerts.change_alert")):
            raise Refused(f"{to.username} has no right to work on alerts.", "assignee")
        if held.assignee == to and not (is_own and held.state == AlertState.OPEN):
            raise Refused(f"{to.username} has it already.", "assignee")
        held.assignee = to
        if is_own:
            held.state = AlertState.IN_REVIEW
    return held


def release(alert: int, by: User, seen: int, reason: str = "") -> Alert:
    """Puts an alert back into the queue, for anybody to take. From somebody else it takes a reason."""
    said = _said(reason, "reason", "A reason") if reason.strip() else ""
    with _step(alert, by, seen, Step.RELEASED, said) as held:
        _still_open(held)
        if held.assignee is None:
            raise Refused("Nobody has it.")
        if held.assignee != by and not said:
            raise Refused(f"{held.assignee.username} has it: say why it is taken away.", "reason")
        held.assignee, held.state = None, AlertState.OPEN
    return held


def release_all_of(accounts: Iterable[int], by: User) -> None:
    """Puts back what these have and is not closed, since `by` deletes them, in the transaction that is open.

    `accounts` are their keys; the rows are held, so nobody gives them another alert meanwhile.
    """
    theirs = Alert.objects.select_for_update(of=("self",)).select_related("assignee")
    for held in theirs.filter(assignee__in=accounts).exclude(state=AlertState.CLOSED).order_by("pk"):
        assert held.assignee is not None
        why = f"The account of {held.assignee.username} is deleted."
        with _step(held.pk, by, held.version, Step.RELEASED, why) as released:
            released.assignee, released.state = None, AlertState.OPEN


def note(alert: int, by: User, text: str) -> Alert:
    """Adds a note, to a closed alert too. It overtakes nobody, since nothing changes by it."""
    said = _said(text, "text", "A note")
    with transaction.atomic():
        held = _held(alert)
        _tell(held, by, Step.NOTED, said, None)
    return held


def close(alert: int, by: User, seen: int, disposition: str, reason: str) -> Alert:
    """Says what it was, and why that is so."""
    if disposition not in Disposition.values:
        raise Refused(f"The disposition must be one of {', '.join(Disposition.values)}.", "disposition")
    said = _said(reason, "reason", "A reason")
    with _step(alert, by, seen, Step.CLOSED, said) as held:
        _still_open(held)
        held.state, held.closed_at, held.closed_by = AlertState.CLOSED, timezone.now(), by
        held.disposition, held.reason = disposition, said
    return held


def reopen(alert: int, by: User, seen: int, reason: str) -> Alert:
    """A closed alert is looked at again, by whoever opens it again."""
    said = _said(reason, "reason", "A reason")
    with _step(alert, by, seen, Step.REOPENED, said) as held:
        if held.state != AlertState.CLOSED:
            raise Refused("It is not closed.")
        held.state, held.assignee, held.closed_at, held.closed_by = AlertState.IN_REVIEW, by, None, None
        held.disposition, held.reason = "", ""
    return held


def snooze(alert: int, by: User, seen: int, until: datetime, reason: str) -> Snooze:
    """The alert's rule raises nothing for its user until a moment; its hits are kept and counted."""
    said = _said(reason, "reason", "A reason", SNOOZE_REASON_CHARACTERS_MAX)
    with _step(alert, by, seen, Step.SNOOZED, said, until) as held:
        if held.state == AlertState.OPEN and held.assignee == by:
            held.state = AlertState.IN_REVIEW
        if held.state == AlertState.OPEN:
            raise Refused("Nobody has looked at it: claim it, or close it, before it is snoozed.")
        now = timezone.now()
        if not now < until <= now + timedelta(days=SNOOZE_DAYS_MAX):
            raise Refused(f"The end must be within the next {SNOOZE_DAYS_MAX} days.", "until")
        _alone_with_snoozes()
        in_force = Snooze.objects.filter(rule=held.rule, user=held.user, ends_at__gt=now).first()
        if in_force is not None:
            raise Refused(f"It is snoozed already, until {to_the_minute(in_force.ends_at)}.")
        return Snooze.objects.create(
            rule=held.rule, user=held.user, reason=said, alert=held, made_by=by, ends_at=until
        )


def wake(snooze: int, by: User) -> Snooze:
    """Ends a snooze before its time. Raises Snooze.DoesNotExist, Refused where it has ended."""
    with transaction.atomic():
        # The alert first, as by whoever counts hits: else each could wait for the other.
        of = Snooze.objects.get(pk=snooze).alert_id
        alert = None if of is None else _held(of)
        held = Snooze.objects.select_for_update().get(pk=snooze)
        if held.ends_at <= timezone.now():
            raise Refused(f"It ended at {to_the_minute(held.ends_at)}.")
        _end(held, by, alert)
    return held


def undo(alert: int, by: User, seen: int) -> Alert:
    """Takes back one's own last step, as long as it is the last one of all and not older than UNDO_FOR.

    A snooze is ended instead, but with one's own closing right before it it is taken back.
    """
    with transaction.atomic():
        # Held before it is read which step is the last: another may be taking one.
        _held(alert)
        latest = list(AlertEvent.objects.filter(alert=alert).exclude(before=None).order_by("-id")[:2])
        last = step_to_undo(latest)
        with _step(alert, by, seen, Step.UNDONE, last.get_step_display() if last else "") as held:
            if last is None or last.before is None or last.step == Step.UNDONE:
                raise Refused("There is no step to undo.")
            if last.step == Step.SNOOZED:
                raise Refused("The last step is a snooze: end that.")
            if last.by_id != by.pk:
                raise Refused(f"The last step is one of {last.by_name}.")
            if last.at < timezone.now() - UNDO_FOR:
                raise Refused("The last step is too long ago: take another one.")
            for name, value in _as_it_was(last.before).items():
                setattr(held, name, value)
            if latest[0].step == Step.SNOOZED:
                in_force = Snooze.objects.select_for_update().filter(alert=held, ends_at__gt=timezone.now())
                for snooze in in_force:
                    _end(snooze, by, held)
    return held


def step_to_undo(events: Iterable[AlertEvent]) -> AlertEvent | None:
    """The step before which an undo leads: the last, or the closing that the same person's snooze followed.

    `events` are an alert's, the latest first.
    """
    steps = [event for event in events if event.before is not None]
    match steps:
        case [AlertEvent(step=Step.SNOOZED) as snooze, AlertEvent(step=Step.CLOSED) as closing, *_]:
            return closing if closing.by_id == snooze.by_id else snooze
        case [last, *_]:
            return last
    return None


def each(alerts: dict[int, int], step: Callable[[int, int], Any]) -> tuple[list[int], dict[int, str]]:
    """Takes a step with many alerts (versions seen by key), each by itself.

    Returns those with which it was taken, and of the others why it was not.
    """
    done, refused = list[int](), dict[int, str]()
    for alert, seen in sorted(alerts.items()):
        try:
            step(alert, seen)
            done.append(alert)
        except Refused as why:
            refused[alert] = str(why)
        except Alert.DoesNotExist:
            refused[alert] = "There is no such alert."
    return done, refused


@contextmanager
def _step(
    alert: int, by: User, seen: int, step: Step, text: str = "", until: datetime | None = None
) -> Iterator[Alert]:
    """The alert, held, as it was seen; what is changed of it within is kept, with an event."""
    try:
        with transaction.atomic():
            held = _held(alert)
            if held.version < seen:
                raise Refused(f"There is no version {seen} of it yet: it is at {held.version}.", "version")
            if held.version != seen:
                raise Overtaken(story.overtaken(held, seen))
            before = _fields(held)
            yield held
            held.version += 1
            held.save(update_fields=[*CHANGED, "version"])
            _tell(held, by, step, text, before, until)
            closed, assigned = held.state == AlertState.CLOSED != before["state"], step == Step.ASSIGNED
            with connection.cursor() as cursor:
                telling.tell_change(cursor, held.pk, closed=closed, assigned=assigned)
            transaction.on_commit(announcing.changed)
            # Whoever it names are there until it commits.
            connection.check_constraints()
    except IntegrityError as error:
        # The hits of a closed alert have opened another one meanwhile.
        if "alert_open_once" in str(error):
            raise Refused("Another alert of this rule and customer is open: work on that one.") from None
        if not came_between(error):
            raise
        raise Refused("Somebody whom this names was deleted meanwhile: nothing of yours was done.") from None


def _held(alert: int) -> Alert:
    return Alert.objects.select_for_update(of=("self",)).select_related("assignee").get(pk=alert)


def _end(snooze: Snooze, by: User, alert: Alert | None) -> None:
    """Ends a snooze, and tells it of its alert; both are held."""
    snooze.ends_at, snooze.ended_by = timezone.now(), by
    snooze.save(update_fields=["ends_at", "ended_by"])
    if alert is not None:
        _tell(alert, by, Step.WOKEN, "", None)


def _alone_with_snoozes() -> None:
    """Until the transaction ends nobody else makes a snooze: two alerts may be of one rule and user."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [SNOOZES_LOCK])


def _fields(alert: Alert) -> dict[str, Any]:
    fields = {name: getattr(alert, name) for name in CHANGED}
    return {**fields, "closed_at": alert.closed_at and alert.closed_at.isoformat()}


def _as_it_was(before: dict[str, Any]) -> dict[str, Any]:
    """The fields to bring back; whoever is gone by now has it no more, and what nobody has is open."""
    accounts = ("assignee_id", "closed_by_id")
    gone: dict[str, Any] = {
        name: None for name in accounts if not User.objects.filter(pk=before[name]).exists()
    }
    if "assignee_id" in gone and before["state"] == AlertState.IN_REVIEW:
        gone["state"] = AlertState.OPEN
    closed_at = before["closed_at"] and datetime.fromisoformat(before["closed_at"])
    return {**before, **gone, "closed_at": closed_at}


def _tell(
    alert: Alert,
    by: User,
    step: Step,
    text: str,
    before: dict[str, Any] | None,
    until: datetime | None = None,
) -> None:
    AlertEvent.objects.create(
        alert=alert,
        step=step,
        by=by,
        by_name=by.username,
        text=text,
        until=until,
        before=before,
        version=alert.version,
    )
    if step in NOTED_AS:
        details: dict[str, Any] = {"disposition": alert.disposition} if alert.disposition else {}
        if until is not None:
            details["until"] = until.astimezone(UTC)
        note_in_trail(NOTED_AS[step], alert, reason=text, rule=alert.rule_name, user=alert.user, **details)


def _still_open(alert: Alert) -> None:
    if alert.state == AlertState.CLOSED:
        raise Refused("It is closed: reopen it first.")


def _said(text: str, field: str, what: str, most: int = REASON_CHARACTERS_MAX) -> str:
    try:
        return checked_words(text, what, most)
    except ValueError as error:
        raise Refused(str(error), field) from None
