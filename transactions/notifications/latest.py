"""How alerts stand by now, of whoever keeps them, which stands above, and is asked by way of this."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from .models import Message


class Standing(NamedTuple):
    """How an alert stands: whether it is closed, and how grave it is."""

    closed: bool
    severity: str


# From keys of alerts to how they stand; those that are no more are left out.
Source = Callable[[Sequence[int]], dict[int, Standing]]

_sources: list[Source] = []


def come_from(source: Source) -> None:
    """From now on `source` is asked; for the application's start."""
    _sources[:] = [source]


def still_news(opened: Sequence[Message]) -> list[Message]:
    """Of messages about alerts that were opened, in the same order, those that are news still: whose alert
    is not closed by now, nor graver, which is told by a message of its own. Raises django.db.Error.
    """
    alerts = [each.alert for each in opened if each.alert is not None]
    by_now = _sources[0](alerts) if _sources and alerts else {}
    found = []
    for each in opened:
        stands = by_now.get(each.alert) if each.alert is not None else None
        if stands is None or stands == (False, each.severity):
            found.append(each)
    return found
