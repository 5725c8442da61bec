"""How the system is, as all pages of a process share it: one look, kept for a moment."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from ..access.rights import Right, rights_of
from ..system import advice, documents, reading
from ..system.first_seen import FirstSeen
from ..system.parts import Condition, PartState, SystemPart, condition_of, rejected_in_words
from ..system.silences import Silences
from .cached import Kept
from .poll_pace import PollPace

# For how many seconds a look is kept, or for as long as it took: where a store is silent it takes some.
KEPT_S = 1.5
# Seconds between two polls of a page that polls nothing else.
POLL_S = 20.0
# How a state is said, and its tone among the components.
WORDS = {
    PartState.OK: ("normal", "good"),
    PartState.UNKNOWN: ("unknown", "none"),
    PartState.SLOW: ("slow", "warn"),
    PartState.ILL: ("failing", "bad"),
}

_first_seen, _silences = FirstSeen(), Silences()
shared_condition: Kept[Condition] = Kept(
    lambda: _first_seen.beside(condition_of(_silences.beside(reading.read()))), KEPT_S, times_its_cost=1.0
)
_pace = PollPace(least_s=POLL_S)


class ShownPart:
    """A part as pages have it."""

    def __init__(self, part: SystemPart) -> None:
        self.name, self.title, self.cause, self.since = part.name, part.title, part.cause, part.since
        self.word, self.tone = WORDS[part.state]
        self.advice = part.advice
        self.runbook = documents.link(advice.RUNBOOK, part.advice.section)
        self.is_well = part.state == PartState.OK


def shown() -> dict[str, Any]:
    """What the chip at the top of a page shows."""
    condition = shared_condition.get()
    word, tone = WORDS[condition.state]
    return {
        "as_of": condition.as_of,
        # What is grave first; as the parts are in order of cause, so are those that are as grave.
        "parts": [ShownPart(part) for part in sorted(condition.parts, key=lambda part: -part.state)],
        "said": _said(condition),
        # Without what changes each time: it is said aloud.
        "aloud": "System normal" if condition.state == PartState.OK else f"{condition.gravest.title}: {word}",
        "tone": tone,
        "rejected_open": condition.rejected_open,
        "url": reverse("dashboard-condition"),
        "page": reverse("system"),
        "runbook": documents.link(advice.RUNBOOK, advice.SECTION),
        "again_seconds": round(_pace.again_s()),
    }


def of_top_bar(request: HttpRequest) -> dict[str, Any]:
    """The context of every page: `system` is what `shown` tells to who may read, None to others."""
    return {"system": SimpleLazyObject(lambda: shown() if _may_see(request) else None)}


def _may_see(request: HttpRequest) -> bool:
    user = getattr(request, "user", None)
    return user is not None and user.is_authenticated and Right.READ in rights_of(user)


def _said(condition: Condition) -> str:
    """The whole in a few words."""
    if condition.state == PartState.OK:
        rejected = rejected_in_words(condition.rejected_open) if condition.rejected_open else ""
        if condition.waiting == 0 or condition.stored_up_to is None:
            return f"System normal · all is stored{rejected and f' but for {rejected}'}"
        ago_s = (condition.as_of - condition.stored_up_to).total_seconds()
        return f"System normal · stored up to {ago_s:.1f} s ago{rejected and f', {rejected}'}"
    if condition.state == PartState.UNKNOWN:
        return f"{condition.gravest.title}: not known yet"
    grave = sum(part.state >= PartState.SLOW for part in condition.parts)
    return condition.gravest.brief + (f", and {grave - 1} more" if grave > 1 else "")
