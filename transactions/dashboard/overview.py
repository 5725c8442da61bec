"""A period on the front page: its figures beside those of another time, and the series of its charts.

Of 24 hours and more everything is one statement's, so the bars add up to the figures. The bars of shorter
periods are minutes, counted row by row: what the figures know of the newest seconds they may not know yet.
Amounts are strings: a browser's numbers end at 2^53.
"""

from datetime import datetime
from itertools import accumulate
from typing import Any, NamedTuple

from ..models import Status
from ..reading.spans import MINUTE, QUARTER, TimeSpan, ceiling, floor
from ..reading.sums import (
    StatusSums,
    added,
    of_minutes,
    of_old_minutes,
    of_spans,
    oldest_pending,
    pending_then,
)
from .periods import ChosenPeriod
from .usual import usual

# The newest minutes, counted anew every few seconds. The hour, 1.8 million rows at 500 a second, is counted
# as a whole only once a minute.
RECOUNTED_MINUTES = 3
# And the one that is under way.
HOUR_MINUTES = 61
# Minutes after a span's end that are counted too, so that they are there while the answer is kept.
AHEAD_MINUTES = 5
# Where a period holds so many times of what its minutes do, these are counted anew before their time.
BEHIND_SHARE = 1.1
# With fewer settled a stretch's rate jumps between nothing and all: it is that of the stretches up to it, of
# so many before it at most. None after it: failures are not told of before they came.
RATE_SETTLED_MIN = 20
RATE_REACH_MAX = 14
# A smaller change is shown as none, and is neither good nor bad.
CHANGE_MIN = 0.05
# With fewer transactions nothing is compared: what changes between two dozen is chance.
COMPARED_MIN = 100
# Per cent. More than tenfold is another kind of time, a load test or a launch: neither good nor bad.
TENFOLD = 900


class Minutes(NamedTuple):
    """What each minute holds, up to `end`."""

    end: datetime
    held: dict[datetime, StatusSums]


class Counted(NamedTuple):
    """What was read row by row for a period of minutes: the latest hour, and the time before.

    `pending_before` is how many were still pending when that time ended.
    """

    hour: Minutes
    before: Minutes
    pending_before: int | None


class Stretches(NamedTuple):
    """A period and the time that it is compared with: as a whole, and stretch by stretch."""

    now: StatusSums
    before: StatusSums
    each: list[StatusSums]
    each_before: list[StatusSums]


def count_hour(until: datetime) -> Minutes:
    """The minutes of the hour that ends with that of `until`, every row read. Raises django.db.Error."""
    end = floor(until, MINUTE) + MINUTE
    return Minutes(end, of_minutes(TimeSpan(end - HOUR_MINUTES * MINUTE, end)))


def recounted(until: datetime, hour: Minutes) -> Minutes:
    """The same, of which only the newest minutes are read anew, and what `hour` does not have.

    What has settled or come late since is missing in the others, until `hour` is counted again.
    """
    end = floor(until, MINUTE) + MINUTE
    since = max(end - HOUR_MINUTES * MINUTE, min(end, hour.end) - RECOUNTED_MINUTES * MINUTE)
    held = {minute: sums for minute, sums in hour.held.items() if minute < since}
    return Minutes(end, held | of_minutes(TimeSpan(since, end)))


def count_before(choice: ChosenPeriod, until: datetime) -> tuple[Minutes, int | None]:
    """The minutes with which those of a period are compared, and how many were pending when they ended.

    Every row is read; of those that were pruned nobody knows whether they were pending (None).
    Raises django.db.Error.
    """
    span = choice.period.span(until).earlier(choice.shift)
    end = ceiling(floor(span.until, MINUTE) + AHEAD_MINUTES * MINUTE, QUARTER)
    held, complete = of_old_minutes(TimeSpan(floor(span.since, QUARTER), end))
    return Minutes(end, held), pending_then(span) if complete else None


def overview(choice: ChosenPeriod, until: datetime, counted: Counted | None) -> dict[str, Any]:
    """The period that ends at `until`, for the page; `counted` for one of minutes. Raises django.db.Error."""
    span = choice.period.span(until)
    spans = choice.period.stretches(span)
    held = _of_minutes(choice, spans, counted) if counted else _of_rollups(choice, spans)
    pending_before = counted.pending_before if counted else None
    return {
        "period": choice.name,
        "since": span.since,
        # As text, to the microsecond: what is asked for up to then is what was counted.
        "until": span.until.isoformat(),
        "words": f"in the last {choice.period.words}",
        "compared": {"words": choice.words, "fixed": choice.fixed},
        "figures": _figures(held, pending_before, choice.period.per_point, _whole(choice, spans)),
        "oldest_pending": oldest_pending(span) if held.now[Status.PENDING].rows else None,
        "series": {
            "stretch_seconds": int(choice.period.stretch.total_seconds()),
            "starts": [each.since for each in spans],
            "succeeded": [each[Status.SUCCESS].rows for each in held.each],
            "failed": [each[Status.FAILED].rows for each in held.each],
            "pending": [each[Status.PENDING].rows for each in held.each],
            "failure_rate": _rates(held.each),
            "few_settled": [each.settled < RATE_SETTLED_MIN for each in held.each],
            "before": [each.rows for each in held.each_before],
            "failure_rate_before": _rates(held.each_before),
            "usual": [each and each._asdict() for each in usual(spans)],
        },
    }


def is_behind(told: dict[str, Any]) -> bool:
    """Whether the minutes of a period lack much of what it holds: of an import, say, of old transactions."""
    series, count = told["series"], told["figures"]["count"]
    now = sum(map(sum, (series["succeeded"], series["failed"], series["pending"])))
    return any(
        held > BEHIND_SHARE * counted
        for held, counted in ((count["value"], now), (count["before"], sum(series["before"])))
    )


def _of_minutes(choice: ChosenPeriod, spans: list[TimeSpan], counted: Counted) -> Stretches:
    span = TimeSpan(spans[0].since, spans[-1].until)
    now, before = of_spans([span, span.earlier(choice.shift)])
    hour = recounted(span.until, counted.hour)
    return Stretches(
        now,
        before,
        [hour.held.get(each.since, StatusSums()) for each in spans],
        [counted.before.held.get(each.since - choice.shift, StatusSums()) for each in spans],
    )


def _of_rollups(choice: ChosenPeriod, spans: list[TimeSpan]) -> Stretches:
    found = of_spans([*spans, *(each.earlier(choice.shift) for each in spans)])
    each, each_before = found[: len(spans)], found[len(spans) :]
    return Stretches(added(each), added(each_before), each, each_before)


def _whole(choice: ChosenPeriod, spans: list[TimeSpan]) -> slice:
    """Which stretches are not cut off: a sparkline of part of one would end in a fall."""
    cut_off = [each.until - each.since < choice.period.stretch for each in (spans[0], spans[-1])]
    return slice(1 if cut_off[0] else 0, len(spans) - 1 if cut_off[1] else len(spans))


def _figures(held: Stretches, pending_before: int | None, per_point: int, whole: slice) -> dict[str, Any]:
    """Each figure with its value, the one before, the change, whether that is good, and a sparkline.

    `too_few` is how many transactions it would be compared with, or has to compare, where those tell nothing.
    """
    now, before = held.now, held.before
    points = _points(held.each[whole], per_point)
    rates = [None if sums.failure_rate is None else 1 - sums.failure_rate for sums in (now, before, *points)]
    amount, amount_before = now[Status.SUCCESS].total, before[Status.SUCCESS].total
    pending = now[Status.PENDING].rows
    points_changed = None if rates[0] is None or rates[1] is None else 100 * (rates[0] - rates[1])
    pending_changed = None if pending_before is None else pending - pending_before
    return {
        "succeeded": {
            "value": str(amount),
            "before": str(amount_before) if before.rows else None,
            **_change(_percent(amount, amount_before), "percent", before[Status.SUCCESS].rows, good=1),
            "spark": [str(each[Status.SUCCESS].total) for each in points],
        },
        "count": {
            "value": now.rows,
            "before": before.rows,
            **_change(_percent(now.rows, before.rows), "percent", before.rows),
            "spark": [each.rows for each in points],
        },
        "success_rate": {
            "value": rates[0],
            "before": rates[1],
            **_change(points_changed, "points", min(now.settled, before.settled), good=1),
            "spark": rates[2:],
        },
        "pending": {
            "value": pending,
            "before": pending_before,
            **_change(pending_changed, "count", before.rows, good=-1),
            "spark": [each[Status.PENDING].rows for each in points],
        },
    }


def _rates(each: list[StatusSums]) -> list[float | None]:
    """The failure rate of each stretch, or up to its end; None where even so too few have settled."""
    settled = list(accumulate((sums.settled for sums in each), initial=0))
    failed = list(accumulate((sums[Status.FAILED].rows for sums in each), initial=0))
    rates: list[float | None] = []
    for place in range(len(each)):
        rates.append(None)
        for reach in range(RATE_REACH_MAX + 1):
            start, end = max(place - reach, 0), place + 1
            if (count := settled[end] - settled[start]) >= RATE_SETTLED_MIN:
                rates[place] = (failed[end] - failed[start]) / count
                break
    return rates


def _percent(now: int, before: int) -> float | None:
    return 100 * (now - before) / before if before else None


def _change(change: float | None, unit: str, compared: int, good: int = 0) -> dict[str, Any]:
    """A signed change, of so many transactions; `good` is the sign of one that is good, 0 where none is."""
    too_few = None
    if change is not None and compared < COMPARED_MIN:
        change, too_few = None, compared
    judged = "neither"
    is_tenfold = unit == "percent" and change is not None and change >= TENFOLD
    if good and change is not None and abs(change) >= CHANGE_MIN and not is_tenfold:
        judged = "good" if change * good > 0 else "bad"
    return {"change": change, "unit": unit, "judged": judged, "too_few": too_few}


def _points(each: list[StatusSums], per_point: int) -> list[StatusSums]:
    """So many stretches together, counted from the last; what is left over at the beginning is left out."""
    first = len(each) % per_point
    return [added(each[start : start + per_point]) for start in range(first, len(each), per_point)]
