"""Who has shown that it lives, and when: Beat by each tick that it sends, whoever tells by each turn.

The worker of the flush needs no sign of its own: its flushes are known, see `storing.history`.
"""

from contextlib import suppress
from time import time

import redis

from ..stores import hash_numbers
from ..stores.hash_tag import TAG
from ..stores.redis_connection import connection, reader

# hash: who -> when it last showed that it lives, in seconds since 1970
SIGNS = f"{TAG}:signs"
BEAT, TELLER = "beat", "teller"
# A sign that Redis does not take at once is not worth waiting for.
PATIENCE_S = 0.5


def show(who: str) -> None:
    """`who` lives. A Redis that does not answer is left alone."""
    with suppress(redis.RedisError):
        connection(PATIENCE_S).hset(SIGNS, who, f"{time():.3f}")


def last_signs() -> dict[str, float]:
    """When each last showed that it lives, in seconds since 1970. Raises redis.RedisError."""
    return hash_numbers.moments(SIGNS, reader().hgetall(SIGNS))
