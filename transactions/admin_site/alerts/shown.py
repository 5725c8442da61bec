"""What the pages of alerts say: an alert as a row, ages, and what a step was."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from ...alerts import story
from ...alerts.models import Alert, AlertEvent, AlertState, Disposition, Step
from ...review import explanation, links, queue
from ...timezones import to_the_minute

# What is said of each step: "ann claimed it".
WORDS = {
    Step.CLAIMED: "claimed it",
    Step.ASSIGNED: "gave it to {text}",
    Step.RELEASED: "put it back into the queue",
    Step.NOTED: "wrote",
    Step.CLOSED: "closed it",
    Step.REOPENED: "opened it again",
    Step.SNOOZED: "snoozed its rule and customer",
    Step.WOKEN: "ended the snooze",
    Step.UNDONE: "took the last step back",
    Step.GRAVER: "made it graver, {text}",
}
# What the text of an undone step names.
TAKEN_BACK = {
    Step.CLAIMED.label: "claiming it",
    Step.ASSIGNED.label: "giving it away",
    Step.RELEASED.label: "putting it back into the queue",
    Step.CLOSED.label: "closing it",
    Step.REOPENED.label: "opening it again",
}
# Their text stands behind the words, in quotation marks.
QUOTED = (Step.NOTED, Step.RELEASED, Step.CLOSED, Step.REOPENED, Step.SNOOZED)


@dataclass(frozen=True, slots=True)
class ShownAlert:
    """An alert as a row has it."""

    alert: Alert
    user: str
    figures: str
    link: str

    @property
    def age(self) -> str:
        return age(self.alert.opened_at)

    @property
    def is_overdue(self) -> bool:
        return queue.is_overdue(self.alert)

    @property
    def due(self) -> str:
        """When it is due, in words; "" where it is not any more."""
        due, now = self.alert.due_at, timezone.now()
        if due is None or self.alert.state == AlertState.CLOSED:
            return ""
        return f"{age(due)} overdue" if due < now else f"in {_span(due - now)}"

    @property
    def whose(self) -> str:
        """Who has it, or what it was."""
        if self.alert.disposition:
            return Disposition(self.alert.disposition).label
        return "unassigned" if self.alert.assignee is None else self.alert.assignee.get_username()


def rows(alerts: Sequence[Alert]) -> list[ShownAlert]:
    """Alerts as rows, by two more statements however many there are."""
    names = links.names(alert.user for alert in alerts)
    figures = explanation.headlines(alert.pk for alert in alerts)
    return [
        ShownAlert(alert, user_name(alert, names), figures.get(alert.pk, ""), links.alert(alert.pk))
        for alert in alerts
    ]


def user_name(alert: Alert, names: dict[int, str]) -> str:
    return "the whole system" if alert.user is None else names[alert.user]


def age(moment: datetime) -> str:
    """How long ago that was."""
    return _span(timezone.now() - moment)


def _span(span: timedelta) -> str:
    minutes = int(span.total_seconds() // 60)
    if minutes < 1:
        return "under 1 min"
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h" if minutes < 48 * 60 else f"{minutes // 1440} d"


@dataclass(frozen=True, slots=True)
class ShownEvent:
    at: datetime
    by: str
    words: str
    quoted: str


def events(alert: Alert, found: Sequence[AlertEvent]) -> list[ShownEvent]:
    """Its events in words; `found` as `review.explanation` gives them."""
    closed_as = story.dispositions(alert, found)
    return [_event(event, closed_as.get(event.pk, "")) for event in found]


def step_in_words(event: AlertEvent, disposition: str = "") -> str:
    """What somebody did: "closed it as duplicate"."""
    step = Step(event.step)
    said = WORDS[step].format(text=event.text)
    if step == Step.UNDONE and event.text in TAKEN_BACK:
        said = f"took back {TAKEN_BACK[event.text]}"
    return f"{said} as {Disposition(disposition).label.lower()}" if disposition else said


def undo_words(last: AlertEvent, events: Sequence[AlertEvent]) -> str:
    """What an undo takes back: the step before which it leads, and the snooze that followed."""
    snoozed = [event for event in events if event.pk > last.pk and event.step == Step.SNOOZED]
    return " and ".join(map(step_in_words, (last, *snoozed)))


def _event(event: AlertEvent, disposition: str) -> ShownEvent:
    quoted = event.text if event.step in QUOTED else ""
    until = f" until {to_the_minute(event.until)}" if event.until is not None else ""
    return ShownEvent(event.at, event.by_name, step_in_words(event, disposition) + until, quoted)
