"""Rate limits: a token bucket in Redis for each caller, shared by all processes.

A caller is a token of the API, or an address where no token is known. A request costs 1, a batch as
many as it has records. Buckets hold RATE_LIMIT_BURST and fill by RATE_LIMIT_RECORDS_PER_SECOND.

So that a busy caller does not cost a round trip a request, a process takes a tenth of a second's
worth ahead, and spends it within LEASE_S. That is exact in one direction: more than the bucket holds
is never let through, for what is taken ahead has left it. But a caller whose requests go to several
processes may be refused early, by at most a tenth of a second's worth for each of the others.

Without an answer from Redis nobody is refused here: accepting answers 503 by itself then.
"""

import asyncio
import logging
import math
import threading
from dataclasses import dataclass, field
from time import monotonic
from typing import NamedTuple

import redis.exceptions
from django.conf import settings

from ..stores.hash_tag import TAG
from ..stores.per_loop import PerLoop, done_on_loop
from ..stores.redis_connection import close, intake_connection
from ..stores.scripts import lua

log = logging.getLogger(__name__)

TAKE = lua(__file__, "take")
# + a caller: its bucket, a hash, which Redis forgets once it is full again.
LIMIT = f"{TAG}:limit:"

REFUSED = "Too many requests: the rate limit is reached. Retry-After says when to send the same again."
# For how long what was taken ahead may be spent, in seconds.
LEASE_S = 5.0
# What is taken ahead: this part of a second's worth, and of a full bucket.
AHEAD = 0.1
# How often Redis is asked for one request.
ASKED_MAX = 3
# Seconds for which an answer of Redis is waited for.
PATIENCE_S = 1.0
# Seconds for which, after none came, Redis is not asked and nobody is limited.
AWAY_S = 5.0
# Callers of which a process remembers what it holds; beyond it, it forgets all and asks again.
CALLERS_MAX = 10_000


class Rates(NamedTuple):
    """What every bucket holds, and by how many a second it fills."""

    burst: int
    per_second: int

    @classmethod
    def of_settings(cls) -> "Rates":
        return cls(settings.RATE_LIMIT_BURST, settings.RATE_LIMIT_RECORDS_PER_SECOND)


class Allowance(NamedTuple):
    """What became of a request to take: `wait_s` is 0 where it passes, else when to come again."""

    remaining: int
    wait_s: int
    rates: Rates

    def headers(self) -> dict[str, str]:
        """Those of the IETF's draft (draft-ietf-httpapi-ratelimit-headers), and Retry-After."""
        return {name.decode(): value.decode() for name, value in self.lines()}

    def lines(self) -> list[tuple[bytes, bytes]]:
        """The same headers as ASGI has them: the lanes write them with every answer."""
        burst, per_second = self.rates
        told = [
            (b"RateLimit-Limit", b"%d" % burst),
            (b"RateLimit-Remaining", b"%d" % self.remaining),
            (b"RateLimit-Reset", b"%d" % -((self.remaining - burst) // per_second)),
        ]
        if self.wait_s:
            told.append((b"Retry-After", b"%d" % self.wait_s))
        return told


@dataclass(slots=True)
class Bucket:
    """What one process knows of a caller's bucket: what it took ahead, and what was left at its last look."""

    rates: Rates
    held: int = 0
    held_until: float = 0.0
    left: float = math.inf
    seen_at: float = 0.0
    asking: asyncio.Lock = field(default_factory=asyncio.Lock)
    # Django's threads spend too.
    spending: threading.Lock = field(default_factory=threading.Lock)

    def spend(self, records: int) -> bool:
        with self.spending:
            if monotonic() >= self.held_until:
                self.held = 0
            if self.held < records:
                return False
            self.held -= records
            return True

    def at_most(self) -> float:
        """The most that there can be, if nobody else took any; for more Redis need not be asked."""
        filled = self.left + (monotonic() - self.seen_at) * self.rates.per_second
        return self.held + min(self.rates.burst, filled)

    def allowance(self, missing: int = 0) -> Allowance:
        """What is told of it to one who passes, or is to wait until `missing` are there."""
        there = self.at_most()
        wait_s = max(1, math.ceil((missing - there) / self.rates.per_second)) if missing else 0
        return Allowance(min(int(there), self.rates.burst), wait_s, self.rates)


class Limiter:
    """The limits as one event loop keeps them. `ahead` False takes no more than is spent at once."""

    def __init__(self, *, ahead: bool) -> None:
        self._redis = intake_connection()
        self._script = self._redis.register_script(TAKE)
        self._ahead = ahead
        self._rates = Rates.of_settings()
        self._buckets: dict[str, Bucket] = {}
        self._away_until = 0.0

    def take_held(self, caller: str, records: int) -> Allowance | None:
        bucket = self._buckets.get(caller)
        return bucket.allowance() if bucket is not None and bucket.spend(records) else None

    def give_back(self, caller: str, records: int, missing: int) -> Allowance | None:
        bucket = self._buckets.get(caller)
        if bucket is None:
            return None
        with bucket.spending:
            # It is not kept for longer than what is there with it: whoever pays too much again and again
            # would keep that for ever.
            if (now := monotonic()) >= bucket.held_until:
                bucket.held, bucket.held_until = 0, now + LEASE_S
            bucket.held = min(bucket.held + records, bucket.rates.burst)
        return bucket.allowance(missing)

    async def take(self, caller: str, records: int, paid: int) -> Allowance | None:
        bucket = self._buckets.get(caller)
        if bucket is None:
            if len(self._buckets) >= CALLERS_MAX:
                self._buckets.clear()
            bucket = self._buckets[caller] = Bucket(self._rates)
        passes = bucket.spend(records)
        if not passes and bucket.at_most() >= records:
            # One asks, and takes some ahead for those that wait with it.
            async with bucket.asking:
                passes = bucket.spend(records)
                # Again: others may have spent what was held while Redis was asked for the rest.
                for _ in range(ASKED_MAX):
                    if passes or bucket.at_most() < records:
                        break
                    if not await self._fill(caller, bucket, records):
                        return None
                    passes = bucket.spend(records)
        return bucket.allowance(0 if passes else records + paid)

    async def _fill(self, caller: str, bucket: Bucket, records: int) -> bool:
        """Takes from Redis what is missing of `records`, and some ahead; False without an answer."""
        if monotonic() < self._away_until:
            return False
        burst, rate = self._rates
        least = records - bucket.held
        most = least + (int(min(rate, burst) * AHEAD) if self._ahead else 0)
        try:
            async with asyncio.timeout(PATIENCE_S):
                taken, left = await self._script([LIMIT + caller], [rate, burst, least, most])
        except (redis.exceptions.RedisError, OSError) as error:
            self._away_until = monotonic() + AWAY_S
            log.warning("Redis cannot be asked about rate limits (%s): no limit", type(error).__name__)
            return False
        bucket.left, bucket.seen_at = float(left), monotonic()
        if taken:
            with bucket.spending:
                bucket.held += taken
                bucket.held_until = bucket.seen_at + LEASE_S
        return True

    async def close(self) -> None:
        await close(self._redis)


_limiters = PerLoop(lambda: Limiter(ahead=True))


def serve_here() -> None:
    """Takes ahead for the running loop from now on: a server's, which outlives the single request."""
    _limiters.here()


async def take(caller: str, records: int, *, paid: int = 0) -> Allowance | None:
    """Takes `records` from the bucket of `caller`; None where nothing is limited or Redis is away.

    `paid` is what the same request has paid before, and would pay again.
    """
    if not settings.RATE_LIMIT_RECORDS_PER_SECOND:
        return None
    lasting = _limiters.made_here()
    limiter = lasting or Limiter(ahead=False)
    try:
        return await limiter.take(caller, records, paid)
    finally:
        if lasting is None:
            await limiter.close()


def take_held(caller: str, records: int) -> Allowance | None:
    """Takes `records` of what this process has taken ahead for `caller`; None where that is not enough.

    Also in a thread that works for a loop, where it spares a visit to that loop.
    """
    lasting = _limiters.made_here()
    return None if lasting is None else lasting.take_held(caller, records)


def take_in_thread(caller: str, records: int, *, paid: int = 0) -> Allowance | None:
    """`take` in a thread that works for a loop, which it visits only where Redis may have to be asked."""
    if not settings.RATE_LIMIT_RECORDS_PER_SECOND:
        return None
    return take_held(caller, records) or done_on_loop(take, caller, records, paid=paid)


def give_back(caller: str, records: int, *, missing: int = 0) -> Allowance | None:
    """Lets `caller` spend again what it has just paid too much; this process alone knows of it.

    Tells what is left to one who passes, or is to wait until `missing` are there.
    """
    lasting = _limiters.made_here()
    return None if lasting is None else lasting.give_back(caller, records, missing)
