"""A believable stream of transactions, for a dashboard with something on it."""

import contextlib
import heapq
import itertools
import math
import random
import secrets
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from ..models import Status
from .api import Client, PostingPace
from .incidents import CAST, PLAYS, Incidents, Posted
from .status_line import StatusLine
from .users import first_free, make_missing

# The keys of the simulated users; those of a small system's own users are lower.
FIRST_USER = 100_001
USERS_MAX = 1_000_000
# The keys of those who play what rules look for, new ones in every run.
FIRST_OF_CAST = FIRST_USER + USERS_MAX
BATCH_MAX = 1000
# The share of the n-th user is n to this power: a few make most of the stream.
SKEW = -1.1
# Amounts are log-normal: half are below the median, a few a hundred times above.
AMOUNT_MEDIAN = 2_500
AMOUNT_SIGMA = 1.2
AMOUNT_MAX = 10**9
# Of new transactions; the rest have settled before they are posted.
PENDING_SHARE = 0.35
FAILED_SHARE = 0.08
SETTLES_AFTER_S_MEAN = 6.0
PENDING_MAX = 100_000
# Of all records: one that a client sends again, since it missed the answer.
RETRY_SHARE = 0.02
RECENT_MAX = 200


class Stream:
    """Decides what is posted next: new transactions, settlements of earlier ones, retries, incidents.

    The same seed gives the same story, but for the ids' `prefix`, which is new in every run.
    """

    def __init__(
        self, users: Sequence[int], seed: int | None, prefix: str, incidents: Incidents | None = None
    ) -> None:
        self._incidents = incidents
        self._random = random.Random(seed)
        self._users = users
        self._shares = list(itertools.accumulate(rank**SKEW for rank in range(1, len(users) + 1)))
        self._prefix = prefix
        self._number = 0
        self._pending: list[tuple[float, int, Posted]] = []
        self._recent: deque[Posted] = deque(maxlen=RECENT_MAX)

    def next(self, now_s: float) -> Posted:
        """The record that is posted `now_s` seconds after the beginning."""
        if self._incidents is not None and (played := self._incidents.due(now_s)) is not None:
            return played
        if self._recent and self._random.random() < RETRY_SHARE:
            return self._random.choice(self._recent)
        if self._pending and self._pending[0][0] <= now_s:
            record = {**heapq.heappop(self._pending)[2], "status": self._settled(now_s)}
        else:
            record = self._new(now_s)
        self._recent.append(record)
        return record

    def _new(self, now_s: float) -> Posted:
        self._number += 1
        (user,) = self._random.choices(self._users, cum_weights=self._shares)
        amount = self._random.lognormvariate(math.log(AMOUNT_MEDIAN), AMOUNT_SIGMA)
        pending = self._random.random() < PENDING_SHARE and len(self._pending) < PENDING_MAX
        record: Posted = {
            "transaction_id": f"{self._prefix}-{self._number:08}",
            "user": user,
            "amount": min(max(int(amount), 1), AMOUNT_MAX),
            "status": str(Status.PENDING) if pending else self._settled(now_s),
        }
        if pending:
            settles_at = now_s + self._random.expovariate(1 / SETTLES_AFTER_S_MEAN)
            heapq.heappush(self._pending, (settles_at, self._number, record))
        return record

    def rest(self, now_s: float) -> list[Posted]:
        """The settlements that are still to come; nothing is pending then that should not be."""
        left = [{**record, "status": self._settled(now_s)} for _, _, record in sorted(self._pending)]
        self._pending.clear()
        return left

    def _settled(self, now_s: float) -> str:
        share = FAILED_SHARE if self._incidents is None else self._incidents.failed_share(now_s, FAILED_SHARE)
        return str(Status.FAILED if self._random.random() < share else Status.SUCCESS)


@dataclass(frozen=True, slots=True)
class Scene:
    """How much is simulated: `rate` in records a second, for `seconds` (None: until interrupted).

    `plain` is without what rules look for.
    """

    rate: float
    seconds: float | None
    users: int
    seed: int | None
    plain: bool = False


@dataclass(slots=True)
class SimulationProgress:
    """What the API said so far, and why it refused what it refused last."""

    accepted: int = 0
    replayed: int = 0
    refused: int = 0
    why: str = ""

    def __str__(self) -> str:
        refused = f"  {self.refused:,} refused ({self.why})" if self.refused else ""
        return f"{self.accepted:,} accepted  {self.replayed:,} replayed{refused}"


def simulate(scene: Scene, client: Client, status: StatusLine) -> None:
    """Makes the users that are missing and posts until time is up, or Ctrl-C.

    Raises api.PostingError, and django.db.Error where the users cannot be made.
    """
    users = range(FIRST_USER, FIRST_USER + scene.users)
    if made := make_missing(users):
        status.say(f"{made:,} users made")
    prefix, incidents = f"SIM-{secrets.token_hex(4)}", None
    if not scene.plain:
        incidents = Incidents(_new_cast(), scene.seed, prefix, datetime.now(UTC))
        status.say(f"plays: {', '.join(PLAYS)}")
    stream = Stream(users, scene.seed, prefix, incidents)
    progress, began_at = SimulationProgress(), time.monotonic()
    try:
        with contextlib.suppress(KeyboardInterrupt):
            for batch in _batches(stream, scene, began_at):
                _post(batch, client, progress)
                status.show(lambda: f"{time.monotonic() - began_at:,.0f} s  {progress}")
        if incidents is not None:
            _settle(stream, client, progress, time.monotonic() - began_at)
    except KeyboardInterrupt:
        pass
    finally:
        status.say(f"{time.monotonic() - began_at:,.1f} s  {progress}")


def _new_cast() -> range:
    """Users of whom nothing is known yet."""
    first = first_free(FIRST_OF_CAST)
    cast = range(first, first + CAST)
    make_missing(cast)
    return cast


def _settle(stream: Stream, client: Client, progress: SimulationProgress, now_s: float) -> None:
    """Of what is pending at the end only that stays so which is meant to."""
    left = stream.rest(now_s)
    for start in range(0, len(left), BATCH_MAX):
        _post(left[start : start + BATCH_MAX], client, progress)


def _batches(stream: Stream, scene: Scene, began_at: float) -> Iterator[list[Posted]]:
    pace = PostingPace(scene.rate)
    until = math.inf if scene.seconds is None else began_at + scene.seconds
    size = pace.batch(BATCH_MAX)
    sent = 0
    while pace.wait(size, until):
        # The stream's own clock, not ours: a seed tells the same story on a slow machine.
        yield [stream.next((sent + place) / scene.rate) for place in range(size)]
        sent += size


def _post(batch: list[Posted], client: Client, progress: SimulationProgress) -> None:
    answer = client.post(batch)
    progress.accepted += answer.accepted
    progress.replayed += answer.duplicates
    if answer.errors:
        progress.refused += answer.conflicts + answer.invalid
        progress.why = str(answer.errors[-1].get("errors"))[:100]
