"""Steps with alerts by their names, as API and pages take them; `alerts.triage` decides on each."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import User

from ..alerts import triage
from ..alerts.models import AlertEvent
from ..serializers import Posted
from . import bodies

Take = Callable[[int, User, dict[str, Any]], Any]

# Of each step what is posted, and how it is taken: (alert, who, what was posted).
STEPS: dict[str, tuple[type[Posted], Take]] = {
    "claim": (bodies.Seen, lambda alert, by, said: triage.claim(alert, by, said["version"])),
    "assign": (
        bodies.Assignment,
        lambda alert, by, said: triage.assign(alert, by, said["version"], said["assignee"]),
    ),
    "release": (
        bodies.Releasing,
        lambda alert, by, said: triage.release(alert, by, said["version"], said.get("reason", "")),
    ),
    "note": (bodies.Note, lambda alert, by, said: triage.note(alert, by, said["text"])),
    "close": (
        bodies.Closing,
        lambda alert, by, said: triage.close(alert, by, said["version"], said["disposition"], said["reason"]),
    ),
    "reopen": (
        bodies.Reopening,
        lambda alert, by, said: triage.reopen(alert, by, said["version"], said["reason"]),
    ),
    "snooze": (
        bodies.Snoozing,
        lambda alert, by, said: triage.snooze(alert, by, said["version"], said["until"], said["reason"]),
    ),
    "undo": (bodies.Seen, lambda alert, by, said: triage.undo(alert, by, said["version"])),
}


def with_many(step: str, alerts: dict[int, int], by: User, said: dict[str, Any]) -> dict[str, Any]:
    """A step with many alerts (versions seen by key), each by itself: which were done, and why others not."""
    _, take = STEPS[step]
    done, refused = triage.each(alerts, lambda alert, seen: take(alert, by, {**said, "version": seen}))
    return {"done": done, "refused": [{"id": alert, "detail": why} for alert, why in refused.items()]}


def last_step(alert: int) -> AlertEvent | None:
    """What was last changed of an alert, for whoever came second."""
    return AlertEvent.objects.filter(alert=alert).exclude(before=None).order_by("-id").first()
