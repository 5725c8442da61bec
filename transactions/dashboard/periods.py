"""The periods of the front page, and what each is compared with.

Time is elapsed time, and stretches of it are those of UTC: where clocks change, "yesterday at this time" is
24 hours ago, an hour off by the clock on the wall.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from rest_framework import serializers

from ..reading.parameters import Parameters
from ..reading.spans import DAY, HOUR, MINUTE, QUARTER, TimeSpan, ceiling, floor


class Period(NamedTuple):
    """How long it is, of how long stretches its charts are, and how many of them make a sparkline's point."""

    length: timedelta
    stretch: timedelta
    per_point: int
    words: str

    def span(self, until: datetime) -> TimeSpan:
        """The period that ends at `until`: it begins with a whole minute, so it may be that much shorter."""
        return TimeSpan(ceiling(until - self.length, MINUTE), until)

    def stretches(self, span: TimeSpan) -> list[TimeSpan]:
        """The stretches that a span of this period is cut into; the first and the last may be shorter."""
        starts = [span.since]
        while (start := floor(starts[-1], self.stretch) + self.stretch) < span.until:
            starts.append(start)
        return [TimeSpan(*each) for each in zip(starts, [*starts[1:], span.until], strict=True)]


PERIODS = {
    "15m": Period(15 * MINUTE, MINUTE, 1, "15 minutes"),
    "1h": Period(HOUR, MINUTE, 2, "hour"),
    "24h": Period(DAY, QUARTER, 3, "24 hours"),
    "7d": Period(7 * DAY, HOUR, 6, "7 days"),
    "30d": Period(30 * DAY, 6 * HOUR, 4, "30 days"),
}
# How much earlier the span is that a period is compared with, and how that is said.
COMPARISONS = {
    "last-week": (7 * DAY, "at this time a week ago"),
    "yesterday": (DAY, "at this time yesterday"),
}
DEFAULT_PERIOD = "1h"
DEFAULT_COMPARISON = "last-week"


class ChosenPeriod(NamedTuple):
    """A period by its name, and how much earlier the span is with which it is compared.

    `fixed` where that is the same, whatever is chosen.
    """

    name: str
    shift: timedelta
    words: str
    fixed: bool = False

    @property
    def period(self) -> Period:
        return PERIODS[self.name]


def chosen(name: str, compare: str) -> ChosenPeriod:
    """The period `name` beside what `compare` says.

    Of a period as long as that, or longer, the two would share moments: it is compared with as long a time
    right before it.
    """
    period, (shift, words) = PERIODS[name], COMPARISONS[compare]
    if period.length < shift:
        return ChosenPeriod(name, shift, words)
    fixed = all(period.length >= each for each, _ in COMPARISONS.values())
    return ChosenPeriod(name, period.length, f"in the {period.words} before", fixed)


class NameField(serializers.ChoiceField):
    """One of a few names, all of which a refusal tells."""

    def __init__(self, names: list[str], **more: Any) -> None:
        told = f"Expected one of {', '.join(names)}."
        super().__init__(choices=names, error_messages={"invalid_choice": told}, **more)


class PeriodParameters(Parameters[ChosenPeriod]):
    """`period` and `compare`, neither of them needed."""

    period = NameField(list(PERIODS), default=DEFAULT_PERIOD)
    compare = NameField(list(COMPARISONS), default=DEFAULT_COMPARISON)

    def choice(self) -> ChosenPeriod:
        """What was asked; only after is_valid()."""
        return chosen(self.validated_data["period"], self.validated_data["compare"])
