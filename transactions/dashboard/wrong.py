"""Whether anything is wrong: does the failure rate stand out from what is usual at this time of day?

The shortest of STRETCHES_MIN that ends now and in which at least SETTLED_MIN settled is looked at. Its rate
stands out where it is over the usual band by POINTS_MIN and by DEVIATIONS standard errors, and at least
FAILED_MIN failed: five transactions never ring a bell, whatever became of them. The rate now is that of
a shorter one where it surely differs: what is over is not told. Where it began is looked for in quarters of
an hour, back while each is over the band by more than chance, and then to the minute.
"""

from datetime import datetime, timedelta
from math import sqrt
from typing import Any, NamedTuple

from ..models import Status
from ..reading.spans import DAY, MINUTE, QUARTER, TimeSpan, floor
from ..reading.sums import StatusSums, of_minutes, of_spans
from .failing import ROWS_MAX, FailingCustomer, failing
from .usual import Usual, usual

STRETCHES_MIN = (5, 15, 30, 60)
SETTLED_MIN = 100
FAILED_MIN = 10
# Shares of 1.
POINTS_MIN = 0.03
RATE_MIN = 0.01
DEVIATIONS = 3.0
# So many say that the latest minutes are not as the stretch before, or that a quarter belongs to the rise.
DEVIATIONS_ALIKE = 2.0
PRESENT_SETTLED_MIN = 20
# In a quarter with fewer settled nothing is over anything.
QUARTER_SETTLED_MIN = 10
# How far back the beginning is looked for.
BACK_MAX = DAY
# So few customers that much of the failures is theirs are told; else the one with the most, who has so much.
CUSTOMERS_MAX = 3
MUCH = 0.4
ONE_MIN = 0.1


class LatestStretch(NamedTuple):
    """The latest time in which enough has settled, and what was usual then; `present` is the rate now.

    `minutes` is how many of the latest `present` is of: those of `span`, or fewer that surely differ.
    """

    span: TimeSpan
    held: StatusSums
    usual: Usual
    present: float
    minutes: int


class FailureRise(NamedTuple):
    """What is wrong with the failure rate.

    `rate` is that of the latest `minutes`. `since` is when it began (`longer`: or before), `until` when it
    was looked at; `mean`, `failed` and `settled` are those of that time, `usual` is the band at this time of
    day. `customers` are the few that much of the failures belong to, else the one with the most of them, none
    where they are spread over many; `share` is how much that is, of the newest `of_latest` transactions
    (None: of all). `failing` are the keys of those whose failed most.
    """

    since: datetime
    longer: bool
    until: datetime
    rate: float
    minutes: int
    mean: float | None
    failed: int
    settled: int
    usual: Usual
    customers: list[FailingCustomer]
    share: float | None
    of_latest: int | None
    failing: tuple[int, ...]

    def as_dict(self) -> dict[str, Any]:
        """For the page; `query` are the parameters by which the list shows exactly the failed ones."""
        told = self._asdict()
        until = told.pop("until")
        return {
            **told,
            "usual": self.usual._asdict(),
            "customers": [{"user": each.user, "name": each.name} for each in self.customers],
            "query": {
                "status": Status.FAILED.value,
                "from": self.since.isoformat(),
                "to": until.isoformat(),
            },
        }


def wrong(until: datetime) -> FailureRise | None:
    """What is wrong with the failure rate at `until`, None where nothing is. Raises django.db.Error."""
    stretch = _latest(until)
    if stretch is None or not _stands_out(stretch):
        return None
    began, longer = _began(stretch, until)
    span = TimeSpan(began, until)
    (held,) = of_spans([span])
    top = failing(span, most=CUSTOMERS_MAX)
    how_many, share = _fewest_with_much([each.failed for each in top.customers], top.failed)
    return FailureRise(
        since=began,
        longer=longer,
        until=until,
        rate=stretch.present,
        minutes=stretch.minutes,
        mean=held.failure_rate,
        failed=held[Status.FAILED].rows,
        settled=held.settled,
        usual=stretch.usual,
        customers=top.customers[:how_many],
        share=share,
        of_latest=ROWS_MAX if top.partial else None,
        failing=tuple(each.user for each in top.customers),
    )


def _latest(until: datetime) -> LatestStretch | None:
    """The shortest stretch that tells something; None where too little has settled, or is known."""
    spans = [TimeSpan(until - timedelta(minutes=minutes), until) for minutes in STRETCHES_MIN]
    of_all = of_spans(spans)
    for place, (span, held) in enumerate(zip(spans, of_all, strict=True)):
        if held.settled >= SETTLED_MIN:
            (known,) = usual([span])
            present, minutes = _present(of_all[: place + 1])
            return None if known is None else LatestStretch(span, held, known, present, minutes)
    return None


def _present(shortest_first: list[StatusSums]) -> tuple[float, int]:
    """The rate now and of how many minutes it is: the last one, or a part that differs."""
    whole = shortest_first[-1].failure_rate
    assert whole is not None
    for minutes, held in zip(STRETCHES_MIN, shortest_first, strict=False):
        if held.settled >= PRESENT_SETTLED_MIN:
            rate = held.failure_rate or 0.0
            if abs(rate - whole) > DEVIATIONS_ALIKE * _error(whole, held.settled):
                return rate, minutes
    return whole, STRETCHES_MIN[len(shortest_first) - 1]


def _error(share: float, settled: int) -> float:
    """The standard error of a share of so many."""
    share = min(max(share, RATE_MIN), 1 - RATE_MIN)
    return sqrt(share * (1 - share) / settled)


def _stands_out(stretch: LatestStretch) -> bool:
    rate, high = stretch.held.failure_rate, stretch.usual.high
    assert rate is not None
    over = max(POINTS_MIN, DEVIATIONS * _error(high, stretch.held.settled))
    risen = stretch.held[Status.FAILED].rows >= FAILED_MIN and rate - high > over
    return risen and stretch.present - high > POINTS_MIN


def _began(stretch: LatestStretch, until: datetime) -> tuple[datetime, bool]:
    """From when on the rate has been over the usual band; and whether it may have been before that."""
    last = floor(stretch.span.since, QUARTER)
    starts = [last - QUARTER * back for back in range(BACK_MAX // QUARTER)]
    spans = [TimeSpan(start, min(start + QUARTER, until)) for start in starts]
    first = last
    # What the rate rose to where it began: of the first quarter and the one after it, whatever it is by now.
    later = reached = stretch.held.failure_rate or 0.0
    for span, held, known in zip(spans, of_spans(spans), usual(spans), strict=True):
        if held.settled >= QUARTER_SETTLED_MIN:
            rate, high = held.failure_rate or 0.0, (known or stretch.usual).high
            if rate - high <= max(POINTS_MIN, DEVIATIONS_ALIKE * _error(high, held.settled)):
                break
            first, later, reached = span.since, rate, max(rate, later)
    longer = first == starts[-1]
    halfway = (stretch.usual.middle + reached) / 2
    return first if longer else _minute_of_change(first, halfway, until), longer


def _minute_of_change(first: datetime, halfway: float, until: datetime) -> datetime:
    """The minute from which on more failed than halfway between what is usual and what it rose to.

    Of the quarter `first`, the one before it, in which it may have begun, and the one after. Failures, less
    as many as there would be halfway, add up to less and less until it begins, and to more from then on.
    """
    span = TimeSpan(first - QUARTER, min(first + 2 * QUARTER, until))
    minutes = of_minutes(span)
    began, lowest, sofar = span.since, 0.0, 0.0
    moment = span.since
    while moment < span.until:
        held = minutes.get(moment, StatusSums())
        sofar += held[Status.FAILED].rows - halfway * held.settled
        moment += MINUTE
        if sofar <= lowest:
            began, lowest = moment, sofar
    return min(began, until - MINUTE)


def _fewest_with_much(failed: list[int], of_all: int) -> tuple[int, float | None]:
    """How few customers make up much of the failures, and their share; (0, None) where they are many's."""
    held = 0
    for number, count in enumerate(failed, 1):
        held += count
        if held >= MUCH * of_all:
            return number, held / of_all
    if failed and failed[0] > ONE_MIN * of_all:
        return 1, failed[0] / of_all
    return 0, None
