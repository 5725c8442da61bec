"""Which moments belong to which day of a time zone.

Moments are whole seconds since 0001-01-01T00:00Z, and days the calendar's ordinals (1 is
0001-01-01): plain numbers neither overflow nor end where `datetime` does. Offsets from UTC are
whole seconds in every zone there is.
"""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

DAY_S = 86_400
FIRST_DAY = date.min.toordinal()
LAST_DAY = date.max.toordinal()
# 1970-01-01T00:00Z, from which PostgreSQL counts.
EPOCH_S = (date(1970, 1, 1).toordinal() - FIRST_DAY) * DAY_S
# No zone is as far from UTC; within this much of a moment are all the days that it can be.
OFFSET_MAX_S = DAY_S

_END_S = LAST_DAY * DAY_S
_START = datetime.min.replace(tzinfo=UTC)


class Stretch(NamedTuple):
    """The moments from `start` until before `end`, which are one day. A day may have several."""

    start: int
    end: int
    day: int


def stretches(zone: ZoneInfo, start: int, end: int) -> Iterator[Stretch]:
    """All moments from `start` until before `end`, in order, by the day that they are in `zone`.

    A day that the zone skipped has no stretch, and one into which its clocks went back has two.
    Moments outside the calendar's years belong to its first and last day.
    """
    current: Stretch | None = None
    for since, until, offset in _offsets(zone, start, end):
        while since < until:
            number = (since + offset) // DAY_S
            midnight = min((number + 1) * DAY_S - offset, until)
            day = min(max(number + FIRST_DAY, FIRST_DAY), LAST_DAY)
            if current is not None and current.day == day:
                current = Stretch(current.start, midnight, day)
            else:
                if current is not None:
                    yield current
                current = Stretch(since, midnight, day)
            since = midnight
    if current is not None:
        yield current


def _offsets(zone: ZoneInfo, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The stretches of `zone` with one offset from UTC each, as (start, end, offset)."""
    since, offset = start, _offset(zone, start)
    # A look a day misses nothing: no zone ever went back to an earlier offset within four days.
    for before in range(start, end, DAY_S):
        after = min(before + DAY_S, end)
        while _offset(zone, after) != offset:
            change = _change(zone, max(before, since), after, offset)
            yield since, change, offset
            since, offset = change, _offset(zone, change)
    yield since, end, offset


def _change(zone: ZoneInfo, before: int, after: int, offset: int) -> int:
    """The first moment after `before`, which has `offset`, with another one; `after` has another."""
    while after - before > 1:
        middle = (before + after) // 2
        if _offset(zone, middle) == offset:
            before = middle
        else:
            after = middle
    return after


def _offset(zone: ZoneInfo, moment: int) -> int:
    # Nothing changes in the two days at either end of the calendar, where `datetime` overflows.
    inside = min(max(moment, 2 * DAY_S), _END_S - 2 * DAY_S)
    local = (_START + timedelta(seconds=inside)).astimezone(zone)
    difference = local.utcoffset()
    assert difference is not None
    return round(difference.total_seconds())


def up_to(zone: ZoneInfo, last: date, count: int) -> list[Stretch]:
    """The stretches of the last `count` days up to `last`, which is included, in order and without a hole."""
    first = last.toordinal() - count + 1
    since = (first - FIRST_DAY) * DAY_S - 3 * DAY_S
    until = (last.toordinal() - FIRST_DAY) * DAY_S + 3 * DAY_S
    near = list(stretches(zone, since, until))
    inside = [n for n, each in enumerate(near) if first <= each.day <= last.toordinal()]
    return near[inside[0] : inside[-1] + 1]


class Span(NamedTuple):
    """From when until before when (None: without a bound), but for the `gaps` in it."""

    start: datetime | None
    end: datetime | None
    gaps: tuple[tuple[datetime, datetime], ...] = ()


def span_of_days(zone: ZoneInfo, first: date | None, last: date | None) -> Span:
    """The moments of the days `first` to `last`, both included (None: without a bound), in `zone`.

    Where its clocks went back over midnight, a piece of the day after `last` lies before the end, or
    one of the day before `first` after the start: those are gaps.
    """
    start, end = 0, _END_S
    pieces: set[Stretch] = set()
    if first is not None:
        near = _near(zone, first)
        start = min((each.start for each in near if each.day >= first.toordinal()), default=_END_S)
        pieces |= {each for each in near if each.day < first.toordinal()}
    if last is not None:
        near = _near(zone, last)
        end = max((each.end for each in near if each.day <= last.toordinal()), default=0)
        pieces |= {each for each in near if each.day > last.toordinal()}
    gaps = sorted((each.start, each.end) for each in pieces if start <= each.start and each.end <= end)
    return Span(
        _START + timedelta(seconds=start) if start > 0 else None,
        _START + timedelta(seconds=end) if end < _END_S else None,
        tuple(
            (_START + timedelta(seconds=since), _START + timedelta(seconds=until)) for since, until in gaps
        ),
    )


def _near(zone: ZoneInfo, day: date) -> list[Stretch]:
    """The stretches around a day, two days to either side."""
    noon = (day.toordinal() - FIRST_DAY) * DAY_S + DAY_S // 2
    return list(stretches(zone, noon - 3 * DAY_S, noon + 3 * DAY_S))


def moment_text(moment: int) -> str:
    """A moment as PostgreSQL reads it; what is outside the calendar's years is infinitely far."""
    if moment <= 0:
        return "-infinity"
    if moment >= _END_S:
        return "infinity"
    return (_START + timedelta(seconds=moment)).isoformat()
