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
from .scripts import lua

NOTE = lua(__file__, "note_primary")
# hash: `address` of the primary; `taken_over_at`, when it took over from another one, in seconds since 1970
NOTED = f"{TAG}:primary"


class Primary(NamedTuple):
    """The primary's address and port, and the replicas that are online and in step, of those there should be.

    `taken_over_at` is when it took over, in seconds since 1970; None where it is the first that was seen.
    """

    address: str
    online: int
    wanted: int
    taken_over_at: float | None

    @property
    def missing(self) -> int:
        return max(0, self.wanted - self.online)


def note(client: "redis.Redis", address: str) -> None:
    """Remembers which server is the primary, and since when, if it was another. Raises redis.RedisError."""
    client.eval(NOTE, 1, NOTED, address, f"{time():.6f}")


def connected_to(client: "redis.Redis") -> str:
    """The address and port of the primary to which a client has connected; asks nobody, who may be silent."""
    pool = client.connection_pool
    assert isinstance(pool, redis.sentinel.SentinelConnectionPool)
    host, port = pool.master_address
    return f"{host}:{port}"


def taken_over_at() -> float | None:
    """When the primary took over; None where it is the first that was noted. Raises redis.RedisError."""
    told = reader().hget(NOTED, "taken_over_at")
    return None if told is None else hash_numbers.moment(NOTED, "taken_over_at", told)


def read() -> Primary | None:
    """The primary now; None where one Redis is all there is. Raises redis.RedisError."""
    if sentinel_url.read(settings.REDIS_URL) is None:
        return None
    pool = connection().connection_pool
    assert isinstance(pool, redis.sentinel.SentinelConnectionPool)
    host, port = pool.get_master_address()  # type: ignore[no-untyped-call]
    told = replication_in(reader().info("replication"))
    return Primary(f"{host}:{port}", len(told.in_step), settings.REDIS_REPLICAS, taken_over_at())
