"""The latest accepted state of a transaction that waits in Redis."""

from ..stores.redis_connection import connection, text
from .keys import BOOKS, INDEX
from .records import State, escape, state_from

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
