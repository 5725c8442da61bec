"""The pull: all messages in their order, from any place on, without a gap."""

from typing import Any, NamedTuple

from . import outbox
from .models import Message, Numbering
from .numbering import KEPT_DAYS


class EventsGone(Exception):
    """What follows that place is not kept any more; says so."""


class PlaceUnknown(Exception):
    """That place has not been given yet; says so."""


class Following(NamedTuple):
    """Messages as the API shows them, the place after which to go on, and whether there are more now."""

    results: list[dict[str, Any]]
    after: int
    more: bool


def after(place: int, limit: int) -> Following:
    """The messages that follow a place, 0 for all there are. Raises EventsGone, PlaceUnknown."""
    # Places first, and what was given meanwhile is read the next time.
    numbering = Numbering.objects.filter(pk=1).first() or Numbering()
    if place > numbering.last:
        raise PlaceUnknown(f"The last event is {numbering.last}.")
    rows = list(
        Message.objects.filter(position__gt=place, position__lte=numbering.last).order_by("position")[
            : limit + 1
        ]
    )
    # As of now: what was removed before the rows were read is told.
    removed_to = Numbering.objects.filter(pk=1).values_list("removed_to", flat=True).first() or 0
    if 0 < place < removed_to:
        raise EventsGone(
            f"Events are kept for {KEPT_DAYS} days: those up to {removed_to} are gone. "
            f"Go on with after={removed_to}, and look at what is open."
        )
    shown = rows[:limit]
    last = shown[-1].position if shown else max(place, removed_to)
    assert last is not None
    return Following([as_dict(row) for row in shown], last, len(rows) > limit)


def as_dict(message: Message) -> dict[str, Any]:
    """A message with its place, and the key by which it is known where it came by webhook too."""
    return {"position": message.position, "id": message.webhook_id, **body(message)}


def body(message: Message) -> dict[str, Any]:
    """What is posted: a type, when it was written (of UTC), and what it tells."""
    return {"type": message.type, "timestamp": outbox.moment(message.made_at), "data": message.data}
