"""The latest accepted state of a transaction that waits in Redis."""

from ..stores.redis_connection import connection, text
from ..stores.scripts import lua
from .keys import BOOKS, INDEX
from .records import State, escape, state_from

WAITING = lua(__file__, "waiting")


def waiting(transaction_id: str) -> State | None:
    """The latest accepted state of a transaction that waits in Redis, else None. Raises redis.RedisError."""
    found = connection().register_script(WAITING)([INDEX, BOOKS], [escape(transaction_id)])
    return state_from(text(found)) if found else None
