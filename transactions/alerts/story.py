"""What happened to an alert, out of its events: as what it was closed, what was done since it was seen."""

from collections.abc import Sequence

from .models import Alert, AlertEvent, Disposition, Step

# Steps of others that whoever came second is told, the latest.
TOLD_MAX = 3


def dispositions(alert: Alert, events: Sequence[AlertEvent]) -> dict[int, str]:
    """As what a step closed the alert, or what it took back had closed it, by the step's key.

    An event keeps what was before it: what a step led to is what was before the next one. `events` are
    all there are from the first of them on, the first of them first.
    """
    found: dict[int, str] = {}
    after = alert.disposition
    for event in reversed(events):
        if event.before is None:
            continue
        before = event.before.get("disposition", "")
        if event.step == Step.CLOSED:
            found[event.pk] = after
        elif event.step == Step.UNDONE:
            found[event.pk] = before
        after = before
    return {key: disposition for key, disposition in found.items() if disposition}


def overtaken(alert: Alert, seen: int) -> str:
    """What was done with an alert since somebody saw it, for them."""
    events = list(
        AlertEvent.objects.filter(alert=alert, version__gt=seen).exclude(before=None).order_by("id")
    )
    if not events:
        return f"There is no version {seen} of it: look at it again."
    closed_as = dispositions(alert, events)
    what = ", then ".join(_said(event, closed_as.get(event.pk, "")) for event in events[-TOLD_MAX:])
    return f"It was {what} meanwhile: nothing of yours was done. Look at it again."


def _said(event: AlertEvent, disposition: str) -> str:
    words = f"{event.get_step_display().lower()} by {event.by_name}"
    if event.step == Step.ASSIGNED:
        return f"assigned to {event.text} by {event.by_name}"
    if event.step == Step.CLOSED and disposition:
        return f"{words} as {Disposition(disposition).label.lower()}"
    return words
