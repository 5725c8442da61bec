"""Clients that ask sentinels which server is the primary, for everything that connects to Redis.

A sentinel that is silent for half a second is left, and asked once: with redis-py's own retries a failover
takes 14 to 24 seconds instead of four.
"""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from enum import Enum, auto
from typing import Any

import redis
import redis.asyncio
import redis.asyncio.sentinel
import redis.sentinel
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

from .sentinel_url import SentinelUrl

# For connecting, and then for each answer: to AUTH, to the client's name, to the question.
ASKING_S = 0.5
# How answers begin of a server that wants another password, or any.
_REFUSALS = ("WRONGPASS", "NOAUTH", "invalid username-password pair", "Authentication required")


def asking(url: SentinelUrl) -> dict[str, Any]:
    """How a sentinel is asked, for blocking clients and kombu."""
    return {**_bounds(url), "retry": Retry(NoBackoff(), 0)}


def asking_from_a_loop(url: SentinelUrl) -> dict[str, Any]:
    """The same for asynchronous clients and channels-redis."""
    return {**_bounds(url), "retry": AsyncRetry(NoBackoff(), 0)}


def _bounds(url: SentinelUrl) -> dict[str, Any]:
    return {"socket_timeout": ASKING_S, "socket_connect_timeout": ASKING_S, **url.credentials_of_sentinels}


def primary(url: SentinelUrl, **bounds: Any) -> "redis.Redis":
    """A blocking client of whichever server is the primary. Errors: redis.RedisError."""
    sentinel = redis.sentinel.Sentinel(  # type: ignore[no-untyped-call]
        list(url.sentinels), sentinel_kwargs=asking(url)
    )
    return sentinel.master_for(  # type: ignore[no-any-return, no-untyped-call]
        url.master, db=url.db, **url.credentials, **bounds
    )


def primary_from_a_loop(url: SentinelUrl, **bounds: Any) -> "redis.asyncio.Redis":
    """The same for one event loop."""
    sentinel = redis.asyncio.sentinel.Sentinel(  # type: ignore[no-untyped-call]
        list(url.sentinels), sentinel_kwargs=asking_from_a_loop(url)
    )
    shown: dict[str, Any] = {"db": url.db, **url.credentials, **bounds}
    return sentinel.master_for(url.master, **shown)  # type: ignore[no-any-return]


def of_channel_layer(url: SentinelUrl) -> dict[str, Any]:
    """A host of channels-redis."""
    return {
        "sentinels": list(url.sentinels),
        "master_name": url.master,
        "sentinel_kwargs": asking_from_a_loop(url),
        "db": url.db,
        "socket_connect_timeout": 1.0,
        **url.credentials,
    }


def of_broker(url: SentinelUrl) -> dict[str, Any]:
    """What kombu is told beside `SentinelUrl.of_broker`."""
    return {"master_name": url.master, "sentinel_kwargs": asking(url)}


def answering(url: SentinelUrl) -> int:
    """How many of the sentinels name a primary. All are asked at once, each as long as any (`ASKING_S`)."""
    return _asked(url).count(_Said.NAMED)


def fault(url: SentinelUrl) -> str:
    """Why none of the sentinels names a primary, where somebody has to mend that, in words; "" else.

    A failover says "no master found" too, and passes.
    """
    told, of = _asked(url), f"of {len(url.sentinels)} sentinels"
    if _Said.NAMED in told:
        return ""
    if refused := told.count(_Said.REFUSED):
        return f"{refused} {of} refuse the password of REDIS_URL"
    if unknown := told.count(_Said.UNKNOWN):
        return f"{unknown} {of} know no master of the name “{url.master}”, which REDIS_URL has"
    return f"none {of} in REDIS_URL answers"


class _Said(Enum):
    NAMED = auto()
    UNKNOWN = auto()
    REFUSED = auto()
    SILENT = auto()


def _asked(url: SentinelUrl) -> list[_Said]:
    with ThreadPoolExecutor(len(url.sentinels), "sentinels") as threads:
        return list(threads.map(lambda address: _ask(url, *address), url.sentinels))


def _ask(url: SentinelUrl, host: str, port: int) -> _Said:
    try:
        with redis.Redis(host, port, **asking(url)) as client:
            named = client.sentinel_get_master_addr_by_name(url.master)
            return _Said.NAMED if named else _Said.UNKNOWN
    except redis.RedisError as error:
        return _Said.REFUSED if is_refused(error) else _Said.SILENT


def is_refused(error: redis.RedisError) -> bool:
    """Whether a server wants another password, or any."""
    return isinstance(error, redis.AuthenticationError) or str(error).startswith(_REFUSALS)


class NamedPrimary:
    """Asks each of the sentinels by itself whether a server is the primary. For one thread."""

    def __init__(self, url: SentinelUrl) -> None:
        self._url = url
        self._clients = [redis.Redis(host, port, **asking(url)) for host, port in url.sentinels]

    def is_this(self, run_id: str) -> bool:
        """Whether a majority of them names the server of that run, and sees nothing wrong with it.

        Each that answers late costs more than half a second: connecting, AUTH and the answer may each take
        as long (`ASKING_S`).
        """
        named = 0
        for client in self._clients:
            with suppress(redis.RedisError):
                told: Any = client.sentinel_master(self._url.master)
                named += told["runid"] == run_id and told["flags"] == "master"
        return named >= self._url.majority

    def close(self) -> None:
        for client in self._clients:
            client.close()
