"""A judge in plain Python: what each kind of rule finds among transactions, by its definition alone."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

from transactions.rules.kinds import clock, prefix, rows, windowed
from transactions.rules.kinds.kind import Kind


@dataclass(frozen=True, slots=True)
class Fact:
    """A stored transaction."""

    id: int
    user: int
    amount: int
    status: str
    happened: datetime
    accepted: datetime
    settled: datetime | None = None

    @property
    def place(self) -> tuple[datetime, int]:
        return self.happened, self.id


@dataclass(frozen=True)
class Entry:
    """A user on a list."""

    name: str
    user: int
    starts: datetime
    ends: datetime | None


def judge(
    kind: Kind,
    facts: Iterable[Fact],
    entries: Sequence[Entry],
    begin: datetime,
    end: datetime | None,
    now: datetime | None = None,
) -> set[int]:
    """The keys of the transactions that are hits of what happened from `begin` until before `end`."""
    by_user: dict[int, list[Fact]] = {}
    for fact in sorted(facts, key=lambda fact: fact.place):
        by_user.setdefault(fact.user, []).append(fact)
    found = set()
    for own in by_user.values():
        for x in _firing(kind, own, entries, now):
            if begin <= x.happened and (end is None or x.happened < end):
                found.add(x.id)
    return found


def _on(name: str, fact: Fact, entries: Sequence[Entry]) -> bool:
    return any(
        entry.name == name
        and entry.user == fact.user
        and entry.starts <= fact.happened
        and (entry.ends is None or fact.happened < entry.ends)
        for entry in entries
    )


def _passes(kind: Kind, fact: Fact, entries: Sequence[Entry]) -> bool:
    f = kind.filter
    if f.amount_min is not None and fact.amount < f.amount_min:
        return False
    if f.amount_max is not None and fact.amount > f.amount_max:
        return False
    if f.statuses and fact.status not in f.statuses:
        return False
    if f.in_list is not None and not _on(f.in_list, fact, entries):
        return False
    if f.not_in_list is not None and _on(f.not_in_list, fact, entries):
        return False
    return f.hours is None or in_hours(fact.happened, f.hours, f.zone)


def in_hours(moment: datetime, hours: str, zone: str) -> bool:
    start, end = map(int, hours.split("-"))
    hour = moment.astimezone(ZoneInfo(zone)).hour
    return start <= hour < end if start < end else hour >= start or hour < end


def _firing(kind: Kind, own: list[Fact], entries: Sequence[Entry], now: datetime | None) -> Iterator[Fact]:
    """Which of one user's transactions, given in order, the rule finds, whatever its time in force."""
    if isinstance(kind, windowed.WindowedKind):
        yield from _windowed(kind, own, entries)
        return
    for at, x in enumerate(own):
        if _passes(kind, x, entries) and _fires(kind, at, own, entries, now):
            yield x


def _fires(kind: Kind, at: int, own: list[Fact], entries: Sequence[Entry], now: datetime | None) -> bool:
    x = own[at]
    match kind:
        case rows.Amount():
            return x.amount >= kind.amount if kind.at == "least" else x.amount <= kind.amount
        case rows.RoundAmount():
            return x.amount >= kind.least and x.amount % kind.multiple == 0
        case rows.Listed():
            return _on(kind.list_name, x, entries)
        case rows.ClockGap():
            return x.accepted - x.happened > timedelta(minutes=kind.minutes)
        case prefix.Deviation():
            if x.amount < kind.least:
                return False
            past = list(islice(_before(at, own, timedelta(days=90)), kind.past_max))
            total = sum(y.amount for y in past)
            return (
                len(past) >= kind.past_min
                and total > 0
                and x.amount >= Fraction(kind.factor) * Fraction(total, len(past))
            )
        case prefix.FirstOrDormant():
            return x.amount >= kind.least and not any(_before(at, own, timedelta(days=kind.days)))
        case clock.PendingTooLong():
            assert now is not None
            due = x.accepted + timedelta(minutes=kind.minutes)
            return due <= now and (x.status == "PENDING" or (x.settled is not None and x.settled > due))
    raise AssertionError(kind)


def _before(at: int, own: list[Fact], reach: timedelta) -> Iterator[Fact]:
    """The user's rows that were stored before that one and did not happen after it, the latest first."""
    x = own[at]
    near = takewhile(lambda y: y.happened > x.happened - reach, (own[n] for n in range(at - 1, -1, -1)))
    return (y for y in near if y.id < x.id)


def _windowed(kind: windowed.WindowedKind, own: list[Fact], entries: Sequence[Entry]) -> Iterator[Fact]:
    counts = _own_condition(kind)
    together: dict[int, list[Fact]] = {}
    for y in own:
        if _passes(kind, y, entries) and counts(y):
            together.setdefault(y.amount if isinstance(kind, windowed.RapidRepeat) else 0, []).append(y)
    for counted in together.values():
        moments = [y.happened for y in counted]
        for at, x in enumerate(counted):
            start = x.happened - timedelta(seconds=kind.window_s)
            within = counted[bisect_right(moments, start) : at + 1]
            if isinstance(kind, windowed.VelocitySum):
                reached = sum(y.amount for y in within) >= kind.total
            else:
                assert isinstance(kind, windowed.VelocityCount)
                reached = len(within) >= kind.count
            if reached:
                yield x


def _own_condition(kind: Kind) -> Callable[[Fact], bool]:
    match kind:
        case windowed.BelowLimit():
            return lambda y: kind.limit - kind.margin <= y.amount < kind.limit
        case windowed.FailureBurst():
            return lambda y: y.status == "FAILED" and (kind.most is None or y.amount <= kind.most)
    return lambda y: True


def judge_rates(
    kind: clock.FailureRate,
    facts: Iterable[Fact],
    begin: datetime,
    end: datetime | None,
    now: datetime,
) -> set[datetime]:
    """The quarters of an hour, by their beginning, in which too much fails."""
    counts: dict[datetime, list[int]] = {}
    for fact in facts:
        start = fact.happened.replace(minute=fact.happened.minute // 15 * 15, second=0, microsecond=0)
        both = counts.setdefault(start, [0, 0])
        both[0] += 1
        both[1] += fact.status == "FAILED"
    found = set()
    for start, (number, failed) in counts.items():
        past = [counts.get(start - timedelta(days=day), [0, 0]) for day in range(1, kind.days + 1)]
        number_before, failed_before = (sum(each[n] for each in past) for n in (0, 1))
        fires = (
            begin <= start
            and (end is None or start < end)
            and start + timedelta(minutes=15) <= now
            and (kind.filter.hours is None or in_hours(start, kind.filter.hours, kind.filter.zone))
            and number >= kind.least
            and 100 * failed >= kind.percent * number
            and number_before >= kind.past_min
            and failed * number_before >= Fraction(kind.factor) * failed_before * number
        )
        if fires:
            found.add(start)
    return found


def judge_silences(
    kind: clock.Silence, facts: Iterable[Fact], begin: datetime, end: datetime | None, now: datetime
) -> set[datetime]:
    """The acceptances after which none came for too long."""
    moments = [*sorted(fact.accepted for fact in facts), now]
    found = set()
    for last, following in pairwise(moments):
        told = last + timedelta(minutes=kind.minutes)
        inside = begin <= told and (end is None or told < end)
        hours = kind.filter.hours
        if following > told and inside and (hours is None or in_hours(told, hours, kind.filter.zone)):
            found.add(last)
    return found
