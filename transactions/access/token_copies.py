"""What Redis remembers of tokens for when PostgreSQL does not answer, by their digests.

A copy is kept whenever PostgreSQL has vouched for a token, so that a process that does not know it
yet can let it in. A revocation is a mark of its own, which no copy made at the same moment can
overwrite, and outlives every copy.
"""

import logging
from collections.abc import Callable, Iterable

import orjson
import redis
from redis.client import Pipeline

from ..stores.confirmation import confirmed
from ..stores.hash_tag import TAG
from ..stores.per_loop import PerLoop
from ..stores.redis_connection import close, connection, intake_connection, reader

log = logging.getLogger(__name__)

COPY = f"{TAG}:token:"
REVOKED = f"{TAG}:revoked:"
COPY_S = 7 * 86_400
REVOKED_S = 8 * 86_400

Copy = dict[str, str | int | list[str] | None]


def keep(digest: str, copy: Copy) -> None:
    """Remembers what a token opens."""
    _try("kept", lambda: connection().set(COPY + digest, orjson.dumps(copy), ex=COPY_S))


def forget(digests: Iterable[str]) -> None:
    """Lets go of copies: only PostgreSQL can let these tokens in from now on."""
    if names := [COPY + digest for digest in digests]:
        _try("forgotten", lambda: connection().delete(*names))


def mark_revoked(digests: Iterable[str]) -> None:
    """Remembers that tokens are revoked. If Redis is away, whoever looks next forgets the copy."""
    digests = list(digests)

    def mark(pipeline: Pipeline) -> None:
        for digest in digests:
            pipeline.set(REVOKED + digest, 1, ex=REVOKED_S)

    if digests:
        _try("marked as revoked", lambda: confirmed(mark))
    forget(digests)


def recall(digest: str) -> tuple[Copy | None, bool]:
    """What is remembered of a token, and whether it is marked as revoked. Nothing without Redis."""
    try:
        copy, revoked = reader().mget(COPY + digest, REVOKED + digest)
    except redis.RedisError as error:
        log.warning("Redis cannot be asked about a token (%s)", type(error).__name__)
        return None, False
    return (orjson.loads(copy) if copy else None), revoked is not None


_redis = PerLoop(intake_connection)


def serve_here() -> None:
    """Keeps a connection for the running loop: a server's, which outlives the single request."""
    _redis.here()


async def is_kept(digest: str) -> bool:
    """Whether a token is remembered and not revoked, for an event loop. False without Redis."""
    lasting = _redis.made_here()
    asked = lasting or intake_connection()
    try:
        copy, revoked = await asked.mget(COPY + digest, REVOKED + digest)
    except (redis.RedisError, OSError):
        return False
    finally:
        if lasting is None:
            await close(asked)
    return copy is not None and revoked is None


def _try(what: str, call: Callable[[], object]) -> None:
    try:
        call()
    except redis.RedisError as error:
        log.warning("A token was not %s in Redis: %s", what, type(error).__name__)
