"""The dashboard's days: what each of a range holds, by status, beside as many days before it."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone
from rest_framework import serializers

from ..models import Status
from ..reading.averages import DAYS_MAX, AverageParameters, Held, Question, days_by_status

# The days of a range that is not given, which ends today.
DAYS = 30
# What the sums of each status are called: none is of several.
NAMES = {Status.SUCCESS: "succeeded", Status.FAILED: "failed", Status.PENDING: "pending"}


class RangeParameters(AverageParameters):
    """Those of the API's averages; the question then always has both its ends."""

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        last = attrs.get("to") or timezone.now().astimezone(ZoneInfo(attrs["timezone"])).date()
        first = attrs.get("from") or date.fromordinal(max(1, last.toordinal() - DAYS + 1))
        if last < first:
            raise serializers.ValidationError({"from": ["This is after today."]})
        if (last - first).days >= DAYS_MAX:
            raise serializers.ValidationError({"to": [f"A range has at most {DAYS_MAX:,} days."]})
        return {**attrs, "from": first, "to": last}


def beside_days_before(question: Question) -> dict[str, Any]:
    """The days of a question with both ends: `from`, `to`, `timezone`, how many `days`, `data`, `before`.

    `data` has the days that hold something, each with its `count` and, of each status, `count`, `total` and
    `average`: what failed moves nothing of what succeeded. `before` has the same of as many days before the
    range, none where those would begin before the calendar. Amounts are strings: a browser's numbers end at
    2^53; the average of nothing is None. Raises django.db.Error.
    """
    first, last = question.first, question.last
    assert first is not None
    assert last is not None
    length = last - first + timedelta(days=1)
    before: list[dict[str, Any]] = []
    if first.toordinal() > length.days:
        before = _told(replace(question, first=first - length, last=last - length))
    return {
        "from": first.isoformat(),
        "to": last.isoformat(),
        "timezone": question.timezone,
        "days": length.days,
        "data": _told(question),
        "before": before,
    }


def _told(question: Question) -> list[dict[str, Any]]:
    return [
        {
            "day": day.isoformat(),
            "count": sum(held.count for held in by_status.values()),
            **{name: _of_status(by_status.get(status, Held())) for status, name in NAMES.items()},
        }
        for day, by_status in days_by_status(question).items()
    ]


def _of_status(held: Held) -> dict[str, Any]:
    average = None if held.average is None else str(held.average)
    return {"count": held.count, "total": str(held.total), "average": average}
