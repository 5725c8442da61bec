"""The queue in Redis: its keys, the form of a queued record, and connections to it.

Everything hangs under the hash tag of the queue's own name, so that it lives on one node of a
cluster. Accepted data never has a time to live.
"""

import hashlib
import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import redis
import redis.asyncio
from django.conf import settings
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry

QUEUE = "transactions_list"
INDEX = "{transactions_list}:index"  # hash: id -> latest accepted state, of what is in the queue
BOOKS = "{transactions_list}:books"  # hash: epoch, accepted, generation, indexes, released, emptying, stored
FEED = "{transactions_list}:feed"  # list: the latest queued records once more, for dashboards
BATCH = "{transactions_list}:batch:"  # + a random name: a reserved batch, a list
BATCH_INDEX = "{transactions_list}:index:"  # + the same name: the index that came with it
LIMIT = "{transactions_list}:limit:"  # + a caller: a bucket of `limits`, forgotten when it is full

# Fields of a queued record of version 1, which is also one line of COPY's text format. An id has
# up to 100 characters, of four bytes at the most.
LINE = re.compile(
    rb"1\t(?P<transaction_id>[^\t\n\r]{1,400})\t(?P<status>PENDING|SUCCESS|FAILED)\t(?P<user>\d{1,18})"
    rb"\t(?P<amount>\d{1,19})\t(?P<created_at>\\N|\d{4}-[\d:.T-]{21}Z)\t(?P<accepted_at>\d{4}-[\d:.T-]{21}Z)"
    rb"\t(?P<request_id>[\w.-]{0,64})"
)
ABSENT = "\\N"


class State(NamedTuple):
    """The latest accepted state of a transaction; `created_at` as given, else when it was accepted."""

    status: str
    user: int
    amount: int
    created_at: datetime
    accepted_at: datetime
    request_id: str


def stamp(moment: datetime) -> str:
    """An aware moment as 27 characters of UTC, in microseconds: 2026-01-31T23:59:59.000000Z."""
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def escape(transaction_id: str) -> str:
    """An id as it stands in Redis: the one character that COPY's text format reads otherwise, doubled.

    Ids hold no control characters, so a backslash is the only one.
    """
    return transaction_id.replace("\\", "\\\\")


def unescape(escaped: str) -> str:
    return escaped.replace("\\\\", "\\")


def state_from(text: str) -> State:
    """The State that a string of the index or the rest of a queued record stands for."""
    status, user, amount, created, accepted, request_id = text.split("\t")
    accepted_at = datetime.fromisoformat(accepted)
    created_at = accepted_at if created == ABSENT else datetime.fromisoformat(created)
    return State(status, int(user), int(amount), created_at, accepted_at, request_id)


# A write is sent once: its answer lost, nobody knows whether it was taken, and the client's retry
# is safe where ours would not be seen. redis-py alone would send it up to eleven times.
_BOUNDS: dict[str, Any] = {
    # A loop under heavy load looks at an answer late; a second would then be too short.
    "socket_timeout": 3.0,
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
def connection() -> "redis.Redis":
    """The blocking client of this process, for readers and the flush. Errors: redis.RedisError."""
    return redis.Redis.from_url(settings.REDIS_URL, retry=Retry(NoBackoff(), 0), **_bounds(5.0))


def intake_connection(timeout_s: float | None = None) -> "redis.asyncio.Redis":
    """A client of its own for one event loop, as patient as intake by default; the caller closes it."""
    return redis.asyncio.Redis.from_url(
        settings.REDIS_URL,
        retry=AsyncRetry(NoBackoff(), 0),
        single_connection_client=False,
        **_bounds(timeout_s),
    )


def text(value: bytes | str | None) -> str:
    """An answer of Redis as text, "" for none: its client types every answer as either."""
    return value.decode() if isinstance(value, bytes) else value or ""


@cache
def script(name: str) -> tuple[str, str]:
    """The text of a Lua file beside this module and the SHA-1 by which Redis knows it."""
    source = (Path(__file__).parent / f"{name}.lua").read_text()
    return source, hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()


def index_of(batch: str) -> str:
    """The name of the index of a batch."""
    return BATCH_INDEX + batch.removeprefix(BATCH)


# Purpose: the latest state of an id, in the index of the queue or one of those that the books name.
# KEYS  1 index  2 books   ARGV  1 id
WAITING = """
local found = redis.call('HGET', KEYS[1], ARGV[1])
for older in string.gmatch(redis.call('HGET', KEYS[2], 'indexes') or '', '%S+') do
  found = found or redis.call('HGET', older, ARGV[1])
end
return found
"""


def waiting(transaction_id: str) -> State | None:
    """The latest accepted state of a transaction that waits in Redis, else None. Raises redis.RedisError."""
    found = connection().eval(WAITING, 2, INDEX, BOOKS, escape(transaction_id))
    return state_from(text(found)) if found else None
