"""What share of transactions usually fails at a time of day: as on the seven days before.

Each of these days tells one rate: of all that settled in the same stretch of time, at least
STRETCH_MIN long, so that a few transactions do not make it jump. Days with fewer than SETTLED_MIN settled
tell nothing. The usual band leaves out the lowest and the highest of the others where there are ENOUGH_DAYS:
one bad day does not make the next one usual. From fewer than DAYS_MIN days nothing is usual.
"""

from bisect import bisect_left
from itertools import accumulate
from statistics import median
from typing import NamedTuple

from ..reading.spans import DAY, QUARTER, TimeSpan, ceiling, floor
from ..stores.bounded_queries import query
from ..tables import ROLLUPS

DAYS = 7
DAYS_MIN = 3
ENOUGH_DAYS = 5
SETTLED_MIN = 20
STRETCH_MIN = 3 * QUARTER

# Purpose: what settled in each quarter of an hour, and failed; along the rollups' primary key.
SELECT_SETTLED = f"""
    SELECT bucket, sum(count), coalesce(sum(count) FILTER (WHERE status = 'FAILED'), 0)
      FROM {ROLLUPS}
     WHERE bucket >= %(since)s AND bucket < %(until)s AND status IN ('SUCCESS', 'FAILED') AND count > 0
     GROUP BY bucket ORDER BY bucket
"""


class Usual(NamedTuple):
    """The band of failure rates that are usual, and the middle one of all days; shares of 1."""

    low: float
    middle: float
    high: float


def usual(spans: list[TimeSpan]) -> list[Usual | None]:
    """What was usual at the time of each span; None where too little is known. Raises django.db.Error."""
    if not spans:
        return []
    asked = [_widened(span) for span in spans]
    since, until = min(span.since for span in asked), max(span.until for span in asked)
    rows = query(SELECT_SETTLED, {"since": since - DAYS * DAY, "until": until - DAY})
    buckets = [bucket for bucket, _, _ in rows]
    settled = list(accumulate((int(count) for _, count, _ in rows), initial=0))
    failed = list(accumulate((int(count) for _, _, count in rows), initial=0))
    found = []
    for span in asked:
        rates = []
        for days in range(1, DAYS + 1):
            start, end = (bisect_left(buckets, moment) for moment in span.earlier(days * DAY))
            if (count := settled[end] - settled[start]) >= SETTLED_MIN:
                rates.append((failed[end] - failed[start]) / count)
        found.append(_band(sorted(rates)))
    return found


def _widened(span: TimeSpan) -> TimeSpan:
    """The whole quarters of a span, with those beside them where that is short."""
    since, until = floor(span.since, QUARTER), ceiling(span.until, QUARTER)
    if until - since >= STRETCH_MIN:
        return TimeSpan(since, until)
    return TimeSpan(since - QUARTER, until + QUARTER)


def _band(rates: list[float]) -> Usual | None:
    if len(rates) < DAYS_MIN:
        return None
    inner = rates[1:-1] if len(rates) >= ENOUGH_DAYS else rates
    return Usual(inner[0], median(rates), inner[-1])
