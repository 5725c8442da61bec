"""Connections to Redis, bounded in every wait, over which each command is sent once."""

from contextlib import suppress
from functools import cache
from typing import Any

import redis
import redis.asyncio
import redis.asyncio.sentinel
from django.conf import settings
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from . import sentinel_url, sentinels

# How long who only reads waits for Redis, and intake, in seconds. An event loop under heavy load looks at an
# answer late: one second would be too short.
READER_S = 3.0
# Each command is sent once; redis-py by itself would send it up to eleven times. Where the answer to a
# write is lost nobody knows whether Redis took it. Sent again from here, a record that was taken would be
# answered as a replay of itself. The client is told 503 instead, and may send it again safely.
_BOUNDS: dict[str, Any] = {
    "socket_timeout": READER_S,
    "socket_connect_timeout": 1.0,
    "retry_on_error": [],
    "socket_keepalive": True,
}


def _bounds(timeout_s: float | None) -> dict[str, Any]:
    bounds = dict(_BOUNDS)
    if timeout_s is not None:
        bounds["socket_timeout"] = timeout_s
    if settings.REDIS_URL.startswith("unix:"):
        del bounds["socket_keepalive"]
    return bounds


@cache
def connection(timeout_s: float = 5.0) -> "redis.Redis":
    """The blocking client of this process, as patient as the flush by default. Errors: redis.RedisError.

    Who can do without an answer waits less for it: one client for each `timeout_s`, in seconds.
    """
    once, bounds = Retry(NoBackoff(), 0), _bounds(timeout_s)
    if url := sentinel_url.read(settings.REDIS_URL):
        return sentinels.primary(url, retry=once, **bounds)
    return redis.Redis.from_url(settings.REDIS_URL, retry=once, **bounds)


def reader() -> "redis.Redis":
    """That of who only reads. Errors: redis.RedisError."""
    return connection(READER_S)


def intake_connection(timeout_s: float | None = None) -> "redis.asyncio.Redis":
    """A client of its own for one event loop, as patient as intake by default; the caller closes it."""
    once, bounds = AsyncRetry(NoBackoff(), 0), _bounds(timeout_s)
    if url := sentinel_url.read(settings.REDIS_URL):
        return sentinels.primary_from_a_loop(url, retry=once, **bounds)
    return redis.asyncio.Redis.from_url(settings.REDIS_URL, retry=once, **bounds)


async def close(client: "redis.asyncio.Redis") -> None:
    """Close a client of `intake_connection`. No errors: what was asked has been answered by then.

    On a machine that stands still redis-py finds that closing took too long, and raises; the connection
    is closed all the same, and the answer of a request must not be lost over it.
    """
    with suppress(redis.RedisError, OSError):
        await client.aclose()
    pool = client.connection_pool
    if isinstance(pool, redis.asyncio.sentinel.SentinelConnectionPool):
        with suppress(redis.RedisError, OSError):
            await pool.sentinel_manager.aclose()


def text(value: bytes | str | None) -> str:
    """An answer of Redis as text, "" for none: its client types every answer as either.

    What stands there by hand and is no text, a NUL too, is U+FFFD: nothing of ours has such a name.
    """
    told = value.decode(errors="replace") if isinstance(value, bytes) else value or ""
    return told.replace("\0", "\ufffd")
