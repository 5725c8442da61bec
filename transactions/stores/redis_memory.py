"""How full Redis is, where it says so: a managed one may keep INFO, or a part of it, from its users."""

import logging
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any, NamedTuple

import redis

log = logging.getLogger(__name__)


class Memory(NamedTuple):
    """Bytes that Redis uses, and its maxmemory; 0 where it has none."""

    used: int
    limit: int

    def near(self, reserve: int) -> bool:
        """Whether less than `reserve` bytes are left."""
        return bool(self.limit) and self.used > self.limit - reserve


def memory(client: "redis.Redis") -> Memory | None:
    """What Redis says; None where it does not. Raises redis.RedisError where it does not answer."""
    try:
        return _memory_in(client.info("memory"))
    except redis.ResponseError as error:
        _warn(type(error).__name__)
        return None


async def memory_from(ask: Callable[[], Awaitable[Any]]) -> Memory | None:
    """The same of an asynchronous client, which `ask` has answer INFO."""
    try:
        return _memory_in(await ask())
    except redis.ResponseError as error:
        _warn(type(error).__name__)
        return None


def _memory_in(info: dict[str, Any]) -> Memory | None:
    try:
        return Memory(int(info["used_memory"]), int(info["maxmemory"]))
    except (KeyError, ValueError, TypeError):
        _warn("it leaves out used_memory or maxmemory")
        return None


@cache
def _warn(why: str) -> None:
    """Once a process: nothing else changes."""
    log.warning(
        "Redis does not tell how full it is (%s): REDIS_RESERVE_BYTES is not kept, "
        "and intake refuses only once Redis does",
        why,
    )
