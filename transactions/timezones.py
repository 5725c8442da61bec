"""The names of the timezones there are, and how a sentence tells a moment.

For days of averages, hours of rules and the pages of each viewer alike.
"""

from datetime import UTC, datetime
from functools import cache
from zoneinfo import available_timezones

from django.utils import timezone

# Names of files beside those of timezones, which mean another one on each machine, or none. PostgreSQL
# knows them not, or otherwise.
NO_ZONES = {"localtime", "posixrules", "Factory"}
NO_AREAS = ("right/", "posix/", "SystemV/")


@cache
def zone_names() -> frozenset[str]:
    """They are looked for in files, for a twentieth of a second."""
    return frozenset(name for name in available_timezones() - NO_ZONES if not name.startswith(NO_AREAS))


def to_the_minute(moment: datetime) -> str:
    """A moment as a sentence has it, in the zone of who reads it, which it names: of a page its viewer's,
    and UTC for the API, for messages and for commands.
    """
    try:
        moment = timezone.localtime(moment)
    except OverflowError:  # on the first or the last day of the calendar
        return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(' ', 'minutes')} UTC"
    return f"{moment:%Y-%m-%d %H:%M} {timezone.get_current_timezone_name()}"
