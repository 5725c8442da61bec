"""What waits in Redis: the latest accepted state of one transaction, and the newest of all."""

from ..stores.redis_connection import connection, text
from ..stores.scripts import lua
from .keys import BOOKS, INDEX, QUEUE, batch_of
from .records import LINE, State, escape, state_from, state_of_line, unescape

WAITING = lua(__file__, "waiting")


def newest_waiting(most: int) -> list[tuple[str, State]]:
    """The ids that wait with their latest accepted states, the newest first, of the `most` newest records.

    Raises redis.RedisError. A batch that is let go of meanwhile may be among them or not.
    """
    indexes = text(connection().hget(BOOKS, "indexes") or b"").split()
    pipeline = connection().pipeline(transaction=False)
    for queue in (QUEUE, *map(batch_of, indexes)):
        pipeline.lrange(queue, -most, -1)
    states: dict[str, State] = {}
    for lines in pipeline.execute():
        for line in reversed(lines):
            if len(states) < most and (found := LINE.fullmatch(line)):
                states.setdefault(unescape(found["transaction_id"].decode()), state_of_line(line))
    return list(states.items())


def waiting(transaction_id: str) -> State | None:
    """The latest accepted state of a transaction that waits in Redis, else None. Raises redis.RedisError."""
    found = connection().register_script(WAITING)([INDEX, BOOKS], [escape(transaction_id)])
    return state_from(text(found)) if found else None
