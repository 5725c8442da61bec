"""The names of the timezones there are, local times, and how a sentence tells a moment.

For days of averages, hours of rules and the pages of each viewer alike.
"""

from datetime import UTC, datetime
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

from django.utils import timezone

# Names of files beside those of timezones, which mean another one on each machine, or none. PostgreSQL
# knows them not, or otherwise.
NO_ZONES = {"localtime", "posixrules", "Factory"}
NO_AREAS = ("right/", "posix/", "SystemV/")


@cache
def zone_names() -> frozenset[str]:
    """They are looked for in files, for a twentieth of a second."""
    return frozenset(name for name in available_timezones() - NO_ZONES if not name.startswith(NO_AREAS))


class CalendarZone(ZoneInfo):
    """A timezone in which every moment has a local time.

    On the first or the last day of the calendar it may be one of the year 0 or 10000: there it is UTC's, and
    says so. Else one row of such a date would be an error of every page that shows it.
    """

    def fromutc(self, moment: datetime) -> datetime:
        try:
            return super().fromutc(moment)
        except OverflowError:
            return moment.replace(tzinfo=UTC)

    def tzname(self, moment: datetime | None) -> str | None:
        """Of no moment its own name, by which Django calls it; -05 is not the name of Etc/GMT+5."""
        return self.key if moment is None else super().tzname(moment)


class PageZone(CalendarZone):
    """The zone of a page, which stands at its top, once for all times of the page."""


def with_zone(local: datetime, to_the: Literal["minutes", "seconds", "auto"] = "seconds") -> str:
    """A local time as people read it, with the zone that it is in: 2026-01-31 23:59:59 Europe/Berlin.

    With "auto" it is as exact as it is.
    """
    return f"{local.replace(tzinfo=None).isoformat(' ', to_the)} {local.tzinfo}"


def on_page(local: datetime, to_the: Literal["minutes", "seconds", "auto"] = "seconds") -> str:
    """A local time as a page has it: without its zone, but where that is not the one at the page's top."""
    told = with_zone(local, to_the)
    return told.removesuffix(f" {local.tzinfo}") if isinstance(local.tzinfo, PageZone) else told


def to_the_minute(moment: datetime) -> str:
    """A moment as a sentence has it, in the zone that is active: of a page its viewer's, which stands at the
    top; else it is named, as UTC is for the API, for messages, for commands, and for what is kept and read by
    many.
    """
    return on_page(timezone.localtime(moment), "minutes")


def off_page() -> timezone.override:
    """Within a page's zone the same, which sentences name: for what leaves the page, as a file does."""
    here = timezone.get_current_timezone()
    return timezone.override(CalendarZone(here.key) if isinstance(here, PageZone) else here)
