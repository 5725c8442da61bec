"""The dashboard's daily averages: those of a range of days, beside as many days before it."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.utils import timezone
from rest_framework import serializers

from ..reading.averages import DAYS_MAX, AverageParameters, Question, daily_averages

# The days of a range that is not given, which ends today.
DAYS = 30


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
    """The answer to a question with both ends as the API gives it, `days` of the range, and `before`.

    `before` has as many days before the range, none where those would begin before the calendar.
    Totals are strings: a browser's numbers end at 2^53. Raises django.db.Error.
    """
    first, last = question.first, question.last
    assert first is not None
    assert last is not None
    length = last - first + timedelta(days=1)
    found: dict[str, Any] = {**daily_averages(question), "before": [], "days": length.days}
    if first.toordinal() > length.days:
        earlier = replace(question, first=first - length, last=last - length)
        found["before"] = daily_averages(earlier)["data"]
    for day in (*found["data"], *found["before"]):
        day["total"] = str(day["total"])
    return found
