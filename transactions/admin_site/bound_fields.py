"""The bounds of time as the list's form has them: a browser's own field, to the minute.

URLs are more exact, or have days: what a link asks stands behind its field and is sent with it. Where nobody
has changed the field, that holds, and else what was typed.
"""

from contextlib import suppress
from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from django.http import QueryDict
from rest_framework import serializers

from ..reading.days import span_of_days
from ..reading.narrow_parameters import LOCAL, LocalMomentField
from ..timezones import PageZone, on_page

NAMES = ("from", "to")
# What is sent with a field: what stood in it, and the bound that this stands for.
SHOWN, MEANT = "_shown", "_meant"


class BoundField(NamedTuple):
    """What stands in a field, its type, and the bound that it stands for: "" where it is the value itself."""

    value: str
    kind: str = "datetime-local"
    meant: str = ""


def field(name: str, text: str, zone: PageZone) -> BoundField:
    """The field of a bound as a URL has it; as text where it is none."""
    moment = _moment(name, text, zone)
    if moment is None:
        return BoundField(text, "text" if text else "datetime-local")
    here = moment.astimezone(zone)
    value = here.replace(tzinfo=None, second=0, microsecond=0).isoformat(timespec="minutes")
    return BoundField(value, meant="" if text == value else text)


def is_typed(query: QueryDict) -> bool:
    """Whether a form has sent what its fields stand for."""
    return any(name + more in query for name in NAMES for more in (SHOWN, MEANT))


def in_parameters(query: QueryDict) -> QueryDict:
    """The query with the bounds that its fields stand for, where nobody has changed these."""
    query = query.copy()
    for name in NAMES:
        shown, meant = (query.pop(name + more, [""])[-1] for more in (SHOWN, MEANT))
        if meant and query.get(name) == shown:
            query[name] = meant
    return query


def in_any_zone(query: QueryDict, zone: PageZone) -> str:
    """The query that asks for the same moments in each zone, and names none; "" where it has no local times.

    Days stay days, of which each zone has its own.
    """
    query, moved = query.copy(), False
    query.pop("timezone", None)
    for name in NAMES:
        text = str(query.get(name, ""))
        if LOCAL.fullmatch(text) and (moment := _moment(name, text, zone)):
            # On the first or the last day of the calendar UTC may have no such moment: it stays as it is.
            with suppress(OverflowError):
                query[name], moved = moment.astimezone(UTC).isoformat(), True
    return query.urlencode() if moved else ""


def in_words(moment: datetime, zone: PageZone) -> str:
    """A moment as a sentence of the page has it, to the minute, or to the second where it is not a whole one.

    Its offset stands with it where the clock shows the same twice.
    """
    here = moment.astimezone(zone)
    exact = here.second or here.microsecond
    told = on_page(here, "seconds" if exact else "minutes")
    twice = here.replace(fold=1 - here.fold).utcoffset() != here.utcoffset()
    return f"{told} ({here.isoformat(timespec='minutes')[16:]})" if twice else told


def _moment(name: str, text: str, zone: PageZone) -> datetime | None:
    """The moment of a bound; None where the text is none, or of a day that has no such moment."""
    try:
        bound = LocalMomentField().to_internal_value(text)
        if isinstance(bound, datetime):
            return bound if bound.tzinfo else bound.replace(tzinfo=zone)
        plain = ZoneInfo(zone.key)
        if name == "from":
            return span_of_days(plain, bound, None).start
        return span_of_days(plain, None, bound).end
    except (serializers.ValidationError, OverflowError):
        return None
