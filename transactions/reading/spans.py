"""Spans of time, and the whole stretches of UTC that they are cut into."""

from datetime import UTC, datetime, timedelta
from typing import NamedTuple

MINUTE = timedelta(minutes=1)
QUARTER = timedelta(minutes=15)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
# From which whole stretches of any length are counted.
ORIGIN = datetime(2000, 1, 1, tzinfo=UTC)


class TimeSpan(NamedTuple):
    """The moments from `since` until before `until`."""

    since: datetime
    until: datetime

    def earlier(self, by: timedelta) -> "TimeSpan":
        """As long a span, so much earlier."""
        return TimeSpan(self.since - by, self.until - by)


# Whatever happened, in whole stretches: the calendar less its last day.
ALL_TIME = TimeSpan(datetime.min.replace(tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC))


def floor(moment: datetime, length: timedelta) -> datetime:
    """The start of the whole stretch of this length in which a moment is."""
    return moment - (moment - ORIGIN) % length


def ceiling(moment: datetime, length: timedelta) -> datetime:
    """The moment itself where such a stretch starts there, else the start of the next one."""
    start = floor(moment, length)
    return start if start == moment else start + length
