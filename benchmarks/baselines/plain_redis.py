"""What one writes without Django: an ASGI callable that checks, pushes, publishes and answers.

No web framework is in the lock; any of them would only add to this.
"""

import os
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import redis.asyncio

from benchmarks.baselines import CHANNEL, QUEUE
from benchmarks.baselines.bare import BODY, START

# redis-py's own limit of 100 would refuse the others.
CONNECTIONS_MAX = 1000


class Transaction(msgspec.Struct):
    transaction_id: str
    user: int
    amount: int
    status: str = "PENDING"


_decoder = msgspec.json.Decoder(Transaction)
_redis = redis.asyncio.Redis.from_url(os.environ["REDIS_URL"], max_connections=CONNECTIONS_MAX)


async def application(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    if scope["type"] != "http":
        return
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    if scope["method"] == "POST":
        record = msgspec.json.encode(_decoder.decode(body))
        await _redis.rpush(QUEUE, record)
        await _redis.publish(CHANNEL, record)
    await send(START)
    await send(BODY)
