"""What became of Celery Beat's ticks, and when: readiness and the metrics show it."""

from time import time

import redis

from ..stores import hash_numbers
from ..stores.hash_tag import TAG
from ..stores.redis_connection import connection, reader
from .counters import tally

# hash: what a tick came to -> when that was last so, in seconds since 1970
TICKS = f"{TAG}:ticks"


def tick(outcome: str) -> None:
    """Counts a tick that was "done", has "failed", or "expired" before anybody took it."""
    tally.add(f"ticks|{outcome}")
    try:
        connection().hset(TICKS, outcome, f"{time():.0f}")
    except redis.RedisError:
        return
    tally.publish()


def last_ticks() -> dict[str, float]:
    """When a tick last came to each outcome, in seconds since 1970. Raises redis.RedisError."""
    return hash_numbers.moments(TICKS, reader().hgetall(TICKS))
