"""The bounds of time as the list's form has them: sent again, they are the moments that they were."""

from datetime import UTC, datetime
from typing import NamedTuple

from .. import timezones
from ..reading.narrowed import LOCAL
from ..timezones import CalendarZone


class BoundField(NamedTuple):
    """The text of a field, and its type: a browser's own field of a time where that can say it, else text."""

    value: str
    kind: str


def of_text(typed: str) -> BoundField:
    """What was typed, as it was typed."""
    return BoundField(typed, "datetime-local" if not typed or _local(typed) else "text")


def of_moment(moment: datetime | None, zone: CalendarZone) -> BoundField:
    """A moment in its zone, with its offset where it is no time of a browser's field; empty for None.

    Those have no offset, so that they mean the first of two hours of the same name, and nothing shorter
    than a second is read from them.
    """
    if moment is None:
        return of_text("")
    here = moment.astimezone(zone)
    if here.tzinfo is not zone:
        return BoundField(here.isoformat(), "text")
    plain = here.replace(tzinfo=None, fold=0).isoformat(timespec="auto" if here.second else "minutes")
    local = None if here.microsecond else _local(plain)
    if local is not None and local.replace(tzinfo=zone).astimezone(UTC) == moment:
        return BoundField(plain, "datetime-local")
    return BoundField(here.isoformat(), "text")


def bound_in_words(moment: datetime, zone: CalendarZone) -> str:
    """A moment as a sentence has it with its zone, to the second or as exact as it is.

    The offset stands with it where the clock shows the same twice.
    """
    here = moment.astimezone(zone)
    twice = here.replace(fold=1 - here.fold).utcoffset() != here.utcoffset()
    return f"{here.isoformat(' ')} {zone}" if twice else timezones.with_zone(here, "auto")


def _local(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if LOCAL.fullmatch(text) else None
    except ValueError:
        return None
