"""What waits in Redis: the latest accepted state of one transaction, and the newest of all."""

from collections.abc import Sequence
from itertools import chain, islice
from typing import NamedTuple

import redis.asyncio

from ..stores.redis_connection import READER_S, connection, text
from ..stores.scripts import lua
from .keys import BOOKS, INDEX, QUEUE, batch_of
from .records import State, escape, read_line, read_state

WAITING = lua(__file__, "waiting")
# Those of the script.
KEYS = (INDEX, BOOKS)


class NewestWaiting(NamedTuple):
    """The ids that wait, with their latest accepted states, the newest first.

    `complete` where no older record waits. Of the records `unreadable` are none: the flush will reject them.
    """

    states: list[tuple[str, State]]
    complete: bool
    unreadable: int


def newest_waiting(most: int, patience_s: float = READER_S) -> NewestWaiting:
    """What the `most` newest records say that wait. Raises redis.RedisError, after `patience_s` seconds
    without an answer.

    A batch that is reserved or let go of meanwhile may be among them or not.
    """
    asked = connection(patience_s)
    indexes = text(asked.hget(BOOKS, "indexes") or b"").split()
    pipeline = asked.pipeline(transaction=False)
    for queue in (QUEUE, *map(batch_of, indexes)):
        # One more, which tells whether there are older ones.
        pipeline.lrange(queue, -most - 1, -1)
    lines = list(islice(chain.from_iterable(map(reversed, pipeline.execute())), most + 1))
    states: dict[str, State] = {}
    unreadable = 0
    for line in lines[:most]:
        if (read := read_line(line)) is None:
            unreadable += 1
        else:
            states.setdefault(*read)
    return NewestWaiting(list(states.items()), len(lines) <= most, unreadable)


def waiting(transaction_id: str, patience_s: float = READER_S) -> State | None:
    """The latest accepted state of a transaction that waits in Redis, else None. Raises redis.RedisError,
    after `patience_s` seconds without an answer.

    What stands in the index by hand and is no state is passed over, as such lines of the queue are.
    """
    script = connection(patience_s).register_script(WAITING)
    (found,) = script(KEYS, [escape(transaction_id)])
    return read_state(found) if found else None


async def waiting_of(asked: "redis.asyncio.Redis", ids: Sequence[str]) -> list[State | None]:
    """The same of several, in their order, asked of one client of an event loop. Raises redis.RedisError."""
    found = await asked.register_script(WAITING)(KEYS, list(map(escape, ids)))
    return [read_state(state) if state else None for state in found]
