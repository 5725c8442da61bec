"""Which server is the primary, who follows it, and since when: for metrics and health."""

from time import time
from typing import NamedTuple

import redis
import redis.sentinel
from django.conf import settings

from . import hash_numbers, sentinel_url
from .hash_tag import TAG
from .redis_connection import connection, reader
from .replicas import replication_in

# hash: a history of Redis' data -> when a process first saw it, in seconds since 1970
PRIMARIES = f"{TAG}:primaries"


class Primary(NamedTuple):
    """The primary's address and port, and the replicas that are online, of those that there should be.

    `taken_over_at` is when it took over, in seconds since 1970; None where it is the first that was seen.
    """

    address: str
    online: int
    wanted: int
    taken_over_at: float | None

    @property
    def missing(self) -> int:
        return max(0, self.wanted - self.online)


def note(client: "redis.Redis", history: str) -> None:
    """Remembers when a primary began to write its history. Raises redis.RedisError."""
    client.hsetnx(PRIMARIES, history, f"{time():.3f}")


def read() -> Primary | None:
    """The primary now; None where one Redis is all there is. Raises redis.RedisError."""
    if sentinel_url.read(settings.REDIS_URL) is None:
        return None
    pool = connection().connection_pool
    assert isinstance(pool, redis.sentinel.SentinelConnectionPool)
    host, port = pool.get_master_address()  # type: ignore[no-untyped-call]
    told = replication_in(reader().info("replication"))
    seen = hash_numbers.moments(PRIMARIES, reader().hgetall(PRIMARIES))
    taken_over_at = seen.get(told.history) if len(seen) > 1 else None
    return Primary(f"{host}:{port}", len(told.online), settings.REDIS_REPLICAS, taken_over_at)
