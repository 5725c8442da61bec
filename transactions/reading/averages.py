"""Daily averages: what the days of a time zone hold, from the rollups that the triggers keep.

A zone's days are worked out here, once for a question, as stretches of UTC; PostgreSQL gets their
bounds and matches every 15-minute bucket to them. Some buckets hold two local days: St John's
changed its clocks at 00:01 until 2010, Liberia was 44 minutes off until 1972, and every zone began
with its local mean time. Those are answered from their rows; so is a question about one user.

Old rows that were pruned live on in the rollups alone: they count in whole buckets and for nobody
in particular.
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from rest_framework import serializers, status
from rest_framework.exceptions import APIException

from ..models import Status
from ..rounding import half_even
from ..stores.standby_reads import reading
from ..tables import ROLLUPS, TRANSACTIONS
from .days import DAY_S, EPOCH_S, FIRST_DAY, OFFSET_MAX_S, moment_text, stretches
from .parameters import DayField, KnownUserField, Parameters, ZoneField

BUCKET_S = 900
# Time is looked at in spans of 384 hours. Of one that holds nothing the days are never worked out:
# between a stray row of year 1 and the others lie 700,000 of them.
SPAN_S = 16 * DAY_S
# Days of one answer: more than ten years. Working out a day takes 20 microseconds of the interpreter.
DAYS_MAX = 3_660
# Spans in which as many days may be, whatever their zone, beginning and ending amid one.
SPANS_MAX = (DAYS_MAX + 4) * DAY_S // SPAN_S + 3
# Of questions about more days than this, a process works out one at a time; others wait for so long.
DAYS_AT_ONCE = 366
PATIENCE_S = 2.0

# Purpose: the spans that hold something, by one look into an index for each: at the first moment in
# it, and from its end at the next. In hours, since a day's length depends on the session's time zone.
FIND_SPANS = """
    WITH RECURSIVE span (start) AS (
        (SELECT date_bin('384 hours', {moment}, '2000-01-01 00:00:00+00') FROM {source}
            AND {moment} >= %(start)s::timestamptz AND {moment} < %(end)s::timestamptz
          ORDER BY {moment} LIMIT 1)
         UNION ALL
        SELECT (SELECT date_bin('384 hours', {moment}, '2000-01-01 00:00:00+00') FROM {source}
                   AND {moment} >= span.start + interval '384 hours' AND {moment} < %(end)s::timestamptz
                 ORDER BY {moment} LIMIT 1)
          FROM span WHERE span.start IS NOT NULL
    )
    SELECT extract(epoch FROM start)::bigint FROM span WHERE start IS NOT NULL LIMIT %(most)s
"""
# Purpose: the spans in which there are rollups; along their primary key.
FIND_SPANS_OF_ALL = FIND_SPANS.format(moment="bucket", source=f"{ROLLUPS} WHERE true")
# Purpose: the spans in which a user has rows; along the index transaction_by_user_amount.
FIND_SPANS_OF_USER = FIND_SPANS.format(moment="created_at", source=f"{TRANSACTIONS} WHERE user_id = %(user)s")

# Purpose: count and sum between each two of the sorted bounds, of whole buckets, by what APART says. One walk
# along the primary key for each costs half of one over all, which looks up the place of each bucket.
SUM_ROLLUPS = f"""
    SELECT place, held.*
      FROM unnest(%(bounds)s::timestamptz[], %(next_bounds)s::timestamptz[]) WITH ORDINALITY
           AS stretch (since, until, place), LATERAL (
           SELECT {{apart}}, sum(count), sum(total)
             FROM {ROLLUPS}
            WHERE bucket >= since AND bucket <= until - interval '15 minutes'
              AND (%(status)s IS NULL OR status = %(status)s)
            GROUP BY 1) AS held
"""
# Purpose: the same of buckets that a bound divides, from their rows; by the index
# transaction_by_time, which the planner takes for each bucket alone (OFFSET 0), never for a join.
SUM_DIVIDED = f"""
    SELECT width_bucket(created_at, %(bounds)s::timestamptz[]), {{apart}}, count(*), sum(amount)
      FROM unnest(%(split)s::timestamptz[]) AS divided (bucket), LATERAL (
           SELECT created_at, status, amount FROM {TRANSACTIONS}
            WHERE created_at >= bucket AND created_at < bucket + interval '15 minutes'
              AND (%(status)s IS NULL OR status = %(status)s) OFFSET 0) AS row
     GROUP BY 1, 2
"""
# Purpose: the same for one user, from the user's rows alone; from the index transaction_by_user_amount, and
# nothing but it where no status is named: it has none, and each row may be on a page of its own.
SUM_USER = f"""
    SELECT width_bucket(created_at, %(bounds)s::timestamptz[]), {{apart}}, count(*), sum(amount)
      FROM {TRANSACTIONS}
     WHERE user_id = %(user)s
       AND created_at >= %(start)s::timestamptz AND created_at < %(end)s::timestamptz
       AND (%(status)s IS NULL OR status = %(status)s)
     GROUP BY 1, 2
"""
# What is summed apart, for who tells statuses apart and for who does not.
APART = {True: "status", False: "''"}

_one_at_a_time = threading.BoundedSemaphore(1)


@dataclass(frozen=True, slots=True)
class Question:
    """Which days (`first` to `last`, both included; None: as far as there are any), and of what."""

    first: date | None = None
    last: date | None = None
    timezone: str = "UTC"
    status: str | None = None
    user: int | None = None


@dataclass(slots=True)
class Held:
    """How many, and how much: in the smallest unit, exact however large."""

    count: int = 0
    total: int = 0

    @property
    def average(self) -> int | None:
        """In the smallest unit, halves to the even one; None of nothing."""
        return half_even(self.total, self.count) if self.count else None

    def add(self, count: int, total: int) -> None:
        self.count += count
        self.total += total


# What one day holds, by status; of a status that has nothing, nothing. By "" where they are not told apart.
Day = dict[str, Held]


@dataclass(slots=True)
class _Bounds:
    """Sorted moments, each with the day (its ordinal) that begins there; None: none that was asked for."""

    moments: list[int] = field(default_factory=list)
    days: list[int | None] = field(default_factory=list)

    def add(self, start: int, end: int, day: int) -> None:
        if self.moments and self.moments[-1] == start:
            self.days[-1] = day
        else:
            self.moments.append(start)
            self.days.append(day)
        self.moments.append(end)
        self.days.append(None)


TOO_MANY = f"One answer has at most {DAYS_MAX:,} days: ask for fewer by `from` and `to`."


class TooManyQuestions(APIException):
    """Another question about many days is being worked out, and goes on."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The averages of another long range are being worked out. Ask again, or for fewer days."
    default_code = "busy"
    # What Retry-After says, in seconds.
    wait = 2


class AverageParameters(Parameters[Question]):
    """`from`, `to`, `timezone`, `status` and `user`, none of them needed."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {
            "from": DayField(required=False),
            "to": DayField(required=False),
            "timezone": ZoneField(default="UTC"),
            "status": serializers.ChoiceField(choices=Status.choices, required=False),
            "user": KnownUserField(required=False),
        }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "from" in attrs and "to" in attrs:
            if attrs["to"] < attrs["from"]:
                raise serializers.ValidationError({"to": ["This is before `from`."]})
            if (attrs["to"] - attrs["from"]).days >= DAYS_MAX:
                raise serializers.ValidationError({"to": [TOO_MANY]})
        return attrs

    def question(self) -> Question:
        """What was asked; only after is_valid()."""
        asked: dict[str, Any] = self.validated_data
        return Question(
            asked.get("from"), asked.get("to"), asked["timezone"], asked.get("status"), asked.get("user")
        )


def daily_averages(question: Question) -> dict[str, Any]:
    """The answer as the API gives it: {"from", "to", "timezone", "data"}.

    `data` has the days that hold something, in order, each with the average, count and total of the status
    that is asked for, else of all of them together. `from` and `to` are the days asked for, else the first
    and the last of `data`, None where there is none. Raises what `days_by_status` does.
    """
    days = _days(question, by_status=False)
    first = question.first or min(days, default=None)
    last = question.last or max(days, default=None)
    return {
        "from": first and first.isoformat(),
        "to": last and last.isoformat(),
        "timezone": question.timezone,
        "data": [
            {"day": day.isoformat(), "average": held.average, "count": held.count, "total": held.total}
            for day, each in days.items()
            for held in each.values()
        ],
    }


def days_by_status(question: Question) -> dict[date, Day]:
    """The days that hold something, in order.

    Raises django.db.Error, a ValidationError for more than DAYS_MAX days, and TooManyQuestions.
    """
    return _days(question, by_status=True)


def _days(question: Question, *, by_status: bool) -> dict[date, Day]:
    days = _one_long_at_a_time(question, by_status)
    if len(days) > DAYS_MAX:
        raise serializers.ValidationError({"from": [TOO_MANY]})
    return dict(sorted(days.items()))


def asks_for_few_days(question: Question) -> bool:
    """Whether a question needs no turn of its own, whatever is stored."""
    first, last = question.first, question.last
    return first is not None and last is not None and (last - first).days < DAYS_AT_ONCE


def _one_long_at_a_time(question: Question, by_status: bool) -> dict[date, Day]:
    spans = _spans(question)
    if asks_for_few_days(question) or sum(end - start for start, end in spans) <= DAYS_AT_ONCE * DAY_S:
        return _worked_out(question, spans, by_status)
    if not _one_at_a_time.acquire(timeout=PATIENCE_S):
        raise TooManyQuestions
    try:
        return _worked_out(question, spans, by_status)
    finally:
        _one_at_a_time.release()


def _worked_out(question: Question, spans: list[tuple[int, int]], by_status: bool) -> dict[date, Day]:
    bounds = _bounds(question, spans)
    days: dict[date, Day] = {}
    if not bounds.moments:
        return days
    for place, name, count, total in _sums(question, bounds.moments, by_status):
        ordinal = bounds.days[place - 1] if place else None
        if ordinal is not None:
            day = days.setdefault(date.fromordinal(ordinal), {})
            day.setdefault(name, Held()).add(int(count), int(total))
    return days


def _spans(question: Question) -> list[tuple[int, int]]:
    """Where in time there is something that may be asked for, as (start, end) in whole spans, in order.

    Raises ValidationError where that is too much for one answer.
    """
    first, last = question.first, question.last
    start = "-infinity" if first is None else moment_text(_midnight(first) - OFFSET_MAX_S - BUCKET_S)
    end = "infinity" if last is None else moment_text(_midnight(last) + DAY_S + OFFSET_MAX_S)
    sql = FIND_SPANS_OF_ALL if question.user is None else FIND_SPANS_OF_USER
    with reading().cursor() as cursor:
        cursor.execute(sql, {"start": start, "end": end, "user": question.user, "most": SPANS_MAX + 1})
        starts = [EPOCH_S + epoch for (epoch,) in cursor.fetchall()]
    if len(starts) > SPANS_MAX:
        raise serializers.ValidationError({"from": [TOO_MANY]})
    spans: list[tuple[int, int]] = []
    for moment in starts:
        if spans and spans[-1][1] == moment:
            spans[-1] = (spans[-1][0], moment + SPAN_S)
        else:
            spans.append((moment, moment + SPAN_S))
    return spans


def _midnight(day: date) -> int:
    return (day.toordinal() - FIRST_DAY) * DAY_S


def _bounds(question: Question, spans: Iterable[tuple[int, int]]) -> _Bounds:
    zone = ZoneInfo(question.timezone)
    first = FIRST_DAY if question.first is None else question.first.toordinal()
    last = date.max.toordinal() if question.last is None else question.last.toordinal()
    earliest = (first - FIRST_DAY) * DAY_S - OFFSET_MAX_S
    latest = (last - FIRST_DAY + 1) * DAY_S + OFFSET_MAX_S
    bounds = _Bounds()
    for start, end in spans:
        for stretch in stretches(zone, max(start, earliest), min(end, latest)):
            if first <= stretch.day <= last:
                bounds.add(*stretch)
    return bounds


def _sums(question: Question, moments: Sequence[int], by_status: bool) -> list[tuple[int, str, Any, Any]]:
    """(place, status or "", count, total); `place` counts the bounds that are not after what was summed."""
    split = sorted({moment - moment % BUCKET_S for moment in moments if moment % BUCKET_S})
    parameters = {
        "bounds": _array(moments),
        # Of the last there is none: what begins there was not asked for.
        "next_bounds": _array(moments[1:]),
        "split": _array(split),
        "start": moment_text(moments[0]),
        "end": moment_text(moments[-1]),
        "status": question.status,
        "user": question.user,
    }
    if question.user is not None:
        sql = SUM_USER
    elif split:
        # One statement, so that both see the same rows.
        sql = f"{SUM_ROLLUPS} UNION ALL {SUM_DIVIDED}"
    else:
        sql = SUM_ROLLUPS
    with reading().cursor() as cursor:
        cursor.execute(sql.format(apart=APART[by_status]), parameters)
        rows: list[tuple[int, str, Any, Any]] = cursor.fetchall()
    return rows


def _array(moments: Iterable[int]) -> str:
    """An array of moments as PostgreSQL reads it: one literal, however long."""
    return "{" + ",".join(map(moment_text, moments)) + "}"
