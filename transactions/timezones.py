"""The names of the timezones there are, for days of averages and hours of rules alike."""

from functools import cache
from zoneinfo import available_timezones

# Names of files beside those of timezones, which mean another one on each machine, or none. PostgreSQL
# knows them not, or otherwise.
NO_ZONES = {"localtime", "posixrules", "Factory"}
NO_AREAS = ("right/", "posix/", "SystemV/")


@cache
def zone_names() -> frozenset[str]:
    """They are looked for in files, for a twentieth of a second."""
    return frozenset(name for name in available_timezones() - NO_ZONES if not name.startswith(NO_AREAS))
