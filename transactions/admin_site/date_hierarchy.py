"""Which years, months and days have transactions, told without reading the transactions."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from django.db import connection as database
from django.utils import timezone
from django.utils.formats import date_format

from ..tables import TRANSACTIONS

UNITS = ("year", "month", "day")
FORMATS = ("Y", "YEAR_MONTH_FORMAT", "MONTH_DAY_FORMAT")
# Years shown at once; a year has fewer months and a month fewer days.
PERIODS_MAX = 100

# Purpose: the periods that have rows, newest first, by one probe of the index for each. The usual
# SELECT DISTINCT date_trunc(…) reads every row of the range.
SELECT_PERIODS = f"""
    WITH RECURSIVE found (moment) AS (
        (SELECT created_at FROM {TRANSACTIONS}
          WHERE created_at >= %(since)s AND created_at < %(until)s ORDER BY created_at DESC LIMIT 1)
        UNION ALL
        SELECT (SELECT created_at FROM {TRANSACTIONS}
                 WHERE created_at >= %(since)s AND created_at < date_trunc(%(unit)s, found.moment, %(zone)s)
                 ORDER BY created_at DESC LIMIT 1)
          FROM found WHERE found.moment IS NOT NULL
    )
    SELECT moment FROM found WHERE moment IS NOT NULL LIMIT %(most)s
"""

# A year, a year and its month, or a year, month and day; empty for all time.
Period = Sequence[int]


def within(period: Period) -> list[Period]:
    """The years, months of a year, or days of a month that have rows, in order; none within a day.

    The newest PERIODS_MAX of them. In the current time zone. Raises django.db.Error.
    """
    if len(period) == len(UNITS):
        return []
    since, until = _span(period)
    values: dict[str, str | int | datetime] = {
        "unit": UNITS[len(period)],
        "zone": timezone.get_current_timezone_name(),
        "since": since,
        "until": until,
        "most": PERIODS_MAX,
    }
    with database.cursor() as cursor:
        cursor.execute(SELECT_PERIODS, values)
        moments = [timezone.localtime(moment) for (moment,) in reversed(cursor.fetchall())]
    return [(moment.year, moment.month, moment.day)[: len(period) + 1] for moment in moments]


def title(period: Period) -> str:
    """What a period is called: 2026, November 2026, November 23."""
    if not period:
        return "All dates"
    return date_format(_start(period), FORMATS[len(period) - 1])


def _start(period: Period) -> datetime:
    year, month, day = (*period, 1, 1)[:3]
    return timezone.make_aware(datetime(year, month, day))


def _span(period: Period) -> tuple[datetime, datetime]:
    match period:
        case (year,):
            return _start(period), _start((year + 1,))
        case (year, month):
            # The first of a month and 32 days are always in the next one.
            after = datetime(year, month, 1) + timedelta(days=32)
            return _start(period), _start((after.year, after.month))
    return datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
