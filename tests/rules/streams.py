"""Random streams of records for the contract: ties, late ones, settlements, and rules that come and go."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from django.contrib.auth.models import User

from tests.support.accepting import queued
from transactions.queue.records import stamp
from transactions.rules.kinds.registry import problems

# Where streams begin: they end before now.
LATE_DAYS = 35
SETTLED_WITHIN = 200

STEPS = {
    "minutes": (0, 0, 1, 5, 30, 60),
    "hours": (0, 1, 60, 600, 3_600),
    "days": (0, 60, 3_600, 20_000, 90_000),
}
AMOUNTS = (0, 1, 5, 10, 10, 50, 90, 95, 99, 100, 100, 250, 1_000, 10_000, 2**63 - 1)
WINDOWS = ("10m", "1h", "6h", "24h", "7d", "30d")


def minute_after(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0) + timedelta(minutes=1)


@dataclass
class Stream:
    """A stream of records from one seed. `clock` is its present: when the last record was accepted."""

    seed: int
    records: int
    users: list[User]
    clock: datetime = field(init=False)
    random: Random = field(init=False)
    _number: int = 0
    _pending: list[tuple[int, str, User, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        self.clock = (datetime.now(UTC) - timedelta(days=300)).replace(microsecond=0)
        self._steps = STEPS[self.random.choice(sorted(STEPS))]
        self._pending_share = self.random.choice((0, 0.2, 0.6))

    def lines(self) -> Iterator[str]:
        """The next records, one by one."""
        for number in range(self.records):
            self._number = number
            self.clock += timedelta(seconds=self.random.choice(self._steps))
            overdue = bool(self._pending) and number - self._pending[0][0] >= SETTLED_WITHIN
            settles = overdue or (self._pending and self.random.random() < 0.3)
            yield self._settlement() if settles else self._new()
        while self._pending:
            yield self._settlement()

    def _new(self) -> str:
        happened = self.clock
        if self.random.random() < 0.2:
            happened -= timedelta(
                seconds=self.random.choice((1, 60, 3_600, 86_400 * LATE_DAYS)) * self.random.random()
            )
            happened = happened.replace(microsecond=0)
        user, amount = self.random.choice(self.users), self.random.choice(AMOUNTS)
        status = (
            "PENDING"
            if self.random.random() < self._pending_share
            else self.random.choice(("SUCCESS", "FAILED"))
        )
        id = f"T{self._number}"
        if status == "PENDING" and self.random.random() < 0.9:
            self._pending.append((self._number, id, user, amount))
        return queued(id, user, amount, status, created=stamp(happened), at=stamp(self.clock))

    def _settlement(self) -> str:
        oldest = self._number - self._pending[0][0] >= SETTLED_WITHIN
        place = 0 if oldest else self.random.randrange(len(self._pending))
        _, id, user, amount = self._pending.pop(place)
        return queued(id, user, amount, self.random.choice(("SUCCESS", "FAILED")), at=stamp(self.clock))


def parameters(kind: str, random: Random) -> dict[str, Any]:
    """Parameters of a kind that streams reach now and then."""
    count = random.choice((1, 2, 3, 4, 6))
    window = {"window": random.choice(WINDOWS)}
    made: dict[str, dict[str, Any]] = {
        "amount": {"at": random.choice(("least", "most")), "amount": random.choice((5, 100, 1_000))},
        "below_limit": {"count": count, "limit": 100, "margin": random.choice((1, 10, 100)), **window},
        "round_amount": {"multiple": random.choice((10, 50, 100)), "least": random.choice((1, 100))},
        "velocity_count": {"count": count + 1, **window},
        "velocity_sum": {"total": random.choice((100, 500, 10_000, 2**63 - 1)), **window},
        "failure_burst": {"count": count, "most": random.choice((None, 100)), **window},
        "rapid_repeat": {"count": random.choice((2, 3)), **window},
        "listed": {"list_name": "watched"},
        "clock_gap": {"minutes": random.choice((1, 60, 5_000))},
        "deviation": {
            "factor": random.choice((1.5, 3, 10)),
            "past_max": random.choice((3, 10, 100)),
            "past_min": random.choice((1, 3)),
            "least": random.choice((0, 50)),
        },
        "first_or_dormant": {"days": random.choice((1, 5, 20)), "least": random.choice((0, 10))},
        "pending_too_long": {"minutes": random.choice((1, 600))},
        "failure_rate": {
            "factor": 1.5,
            "percent": random.choice((1, 50)),
            "days": 7,
            "least": 1,
            "past_min": random.choice((1, 2, 5)),
        },
        "silence": {"minutes": random.choice((1, 20, 600))},
    }
    chosen = made[kind]
    where: dict[str, Any] = {}
    if random.random() < 0.5:
        where["hours"], where["zone"] = random.choice(("8-18", "22-6")), random.choice(("UTC", "Asia/Tehran"))
    if kind not in ("failure_rate", "silence"):
        if random.random() < 0.3:
            where["amount_min" if random.random() < 0.5 else "amount_max"] = random.choice((10, 100))
        if random.random() < 0.3:
            field = random.choice(("in_list", "not_in_list"))
            # Nobody stands on a list and not on it: that is refused.
            where["in_list" if kind == "listed" else field] = "watched"
        if kind not in ("failure_burst", "pending_too_long") and random.random() < 0.4:
            where["statuses"] = random.choice((["SUCCESS"], ["FAILED"], ["SUCCESS", "FAILED"]))
    narrowed = {**chosen, "filter": where}
    # One that can never hit is refused.
    return narrowed if random.random() < 0.5 and not problems(kind, narrowed) else chosen
