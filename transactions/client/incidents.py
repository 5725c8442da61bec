"""What rules look for, played amid a simulated stream: the amounts are those of the starter rules.

Each incident is a few records of a user who plays nothing else, and who pays small sums before, so that
only what is meant stands out. A round of all of them begins at once, and another each quarter of an hour.
"""

import heapq
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ..models import Status

ROUND_S = 900
# A provider is down: half a minute soon after the beginning, and then ten minutes in each hour.
OUTAGES_S = ((20, 50), (1_800, 2_400))
HOUR_S = 3_600
OUTAGE_FAILED_SHARE = 0.6
# Of each of so many days before, so many transactions, so that there is a usual share of failures.
PAST_DAYS, PAST_A_DAY = 7, 3

Posted = dict[str, str | int]


@dataclass(frozen=True, slots=True)
class Played:
    """A record of an incident: `at_s` after the beginning of its round; it happened `before` that."""

    at_s: float
    amount: int
    status: str = str(Status.SUCCESS)
    before: timedelta | None = None


Play = Callable[[random.Random], Iterator[Played]]


def usual(chance: random.Random, count: int = 2) -> Iterator[Played]:
    """Small payments, so that the user is no stranger."""
    for place in range(count):
        yield Played(place / 4, chance.randrange(1_000, 5_000))


def card_testing(chance: random.Random) -> Iterator[Played]:
    yield from usual(chance)
    for place in range(8):
        yield Played(5 + place, chance.randrange(1, 100), str(Status.FAILED))
    yield Played(14, chance.randrange(40_000, 60_000))


def structuring(chance: random.Random) -> Iterator[Played]:
    yield from usual(chance)
    for place in range(4):
        yield Played(8 + 3 * place, chance.randrange(920_000, 999_000))


def paid_again(chance: random.Random) -> Iterator[Played]:
    yield from usual(chance)
    amount = chance.randrange(20_001, 90_000)
    for place in range(4):
        yield Played(7 + 2 * place, amount)


def emptied(chance: random.Random) -> Iterator[Played]:
    yield from usual(chance)
    for place in range(7):
        yield Played(10 + 2 * place, chance.randrange(210_001, 260_000))


def large(chance: random.Random) -> Iterator[Played]:
    yield from usual(chance)
    yield Played(12, chance.randrange(1_100_001, 1_900_000))


def round_amounts(chance: random.Random) -> Iterator[Played]:
    yield from usual(chance)
    for place in range(2):
        yield Played(9 + 4 * place, 100_000 * chance.randrange(5, 9))


def unusual(chance: random.Random) -> Iterator[Played]:
    yield from usual(chance, 12)
    yield Played(15, chance.randrange(600_001, 690_000))


def sleeper(chance: random.Random) -> Iterator[Played]:
    for days in (95, 80):
        yield Played(0, chance.randrange(1_000, 5_000), before=timedelta(days=days))
    yield Played(6, chance.randrange(310_001, 390_000))


def newcomer(chance: random.Random) -> Iterator[Played]:
    yield Played(11, chance.randrange(310_001, 390_000))


def never_settled(chance: random.Random) -> Iterator[Played]:
    yield from usual(chance)
    yield Played(4, chance.randrange(1_000, 5_000), str(Status.PENDING))


def days_before(chance: random.Random) -> Iterator[Played]:
    """What an outage is held against: the quarter of an hour under way, and the next, days ago."""
    for days in range(1, PAST_DAYS + 1):
        for minutes in (0, 15) * PAST_A_DAY:
            before = timedelta(days=days) - timedelta(minutes=minutes)
            yield Played(1, chance.randrange(1_000, 5_000), before=before)


PLAYS: dict[str, Play] = {
    "cards that are tried out": card_testing,
    "amounts just under a limit": structuring,
    "the same amount again and again": paid_again,
    "an account that is emptied": emptied,
    "a very large amount": large,
    "round amounts": round_amounts,
    "one far above what is usual": unusual,
    "a sleeping account that wakes": sleeper,
    "a newcomer's first": newcomer,
    "one that stays pending": never_settled,
    "a provider that is down": days_before,
}
# Users that a run needs for itself.
CAST = len(PLAYS)


class Incidents:
    """The records of incidents, as their time comes: the same for the same seed, but for their ids.

    `cast` are CAST users; `began` is when the stream began.
    """

    def __init__(self, cast: Sequence[int], seed: int | None, prefix: str, began: datetime) -> None:
        self._chance = random.Random(seed)
        self._cast = cast
        self._prefix = prefix
        self._began = began
        self._waiting: list[tuple[float, int, Posted]] = []
        self._number = 0
        self._round = 0
        self._was_mine = False

    def due(self, now_s: float) -> Posted | None:
        """The next record whose time has come; at most every second record is one."""
        if now_s >= self._round * ROUND_S:
            self._plan(self._round * ROUND_S)
            self._round += 1
        self._was_mine = not self._was_mine and bool(self._waiting) and self._waiting[0][0] <= now_s
        return heapq.heappop(self._waiting)[2] if self._was_mine else None

    def failed_share(self, now_s: float, usual_share: float) -> float:
        """How many of the stream's transactions fail."""
        down = any(start <= now_s % HOUR_S < end for start, end in OUTAGES_S)
        return OUTAGE_FAILED_SHARE if down else usual_share

    def _plan(self, start_s: float) -> None:
        for user, play in zip(self._cast, PLAYS.values(), strict=True):
            for step in play(self._chance):
                self._number += 1
                at_s = start_s + step.at_s
                record: Posted = {
                    "transaction_id": f"{self._prefix}-i{self._number:06}",
                    "user": user,
                    "amount": step.amount,
                    "status": step.status,
                }
                if step.before is not None:
                    happened = self._began + timedelta(seconds=at_s) - step.before
                    record["created_at"] = happened.isoformat()
                heapq.heappush(self._waiting, (at_s, self._number, record))
