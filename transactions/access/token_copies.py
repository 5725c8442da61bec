"""What Redis remembers of tokens for when PostgreSQL does not answer, by their digests.

A copy is kept whenever PostgreSQL has vouched for a token, so that a process that does not know it
yet can let it in. A revocation is a mark of its own, which no copy made at the same moment can
overwrite, and outlives every copy. So is that an account was closed, until it is opened again.
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
CLOSED = f"{TAG}:closed:"
COPY_S = 7 * 86_400
# Of either mark.
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
    _mark("marked as revoked", REVOKED, list(digests))


def mark_closed(digests: Iterable[str]) -> None:
    """The same of tokens whose account is closed, until `reopen`."""
    _mark("marked as of a closed account", CLOSED, list(digests))


def reopen(digests: Iterable[str]) -> None:
    """Their account is open again. If Redis is away the mark stays, and refuses them without PostgreSQL."""
    if names := [CLOSED + digest for digest in digests]:
        _try("marked as of an open account", lambda: confirmed(lambda pipeline: pipeline.delete(*names)))


def _mark(what: str, kind: str, digests: list[str]) -> None:
    def mark(pipeline: Pipeline) -> None:
        for digest in digests:
            pipeline.set(kind + digest, 1, ex=REVOKED_S)

    if digests:
        _try(what, lambda: confirmed(mark))
    forget(digests)


def recall(digest: str) -> tuple[Copy | None, bool]:
    """What is remembered of a token, and whether a mark says that it has ended. Nothing without Redis."""
    try:
        copy, *marks = reader().mget(_names(digest))
    except redis.RedisError as error:
        log.warning("Redis cannot be asked about a token (%s)", type(error).__name__)
        return None, False
    return (orjson.loads(copy) if copy else None), any(mark is not None for mark in marks)


def _names(digest: str) -> list[str]:
    """Its copy's, and those of its marks."""
    return [COPY + digest, REVOKED + digest, CLOSED + digest]


_redis = PerLoop(intake_connection)


def serve_here() -> None:
    """Keeps a connection for the running loop: a server's, which outlives the single request."""
    _redis.here()


async def is_kept(digest: str) -> bool:
    """Whether a token is remembered and has not ended, for an event loop. False without Redis."""
    lasting = _redis.made_here()
    asked = lasting or intake_connection()
    try:
        copy, *marks = await asked.mget(_names(digest))
    except (redis.RedisError, OSError):
        return False
    finally:
        if lasting is None:
            await close(asked)
    return copy is not None and not any(mark is not None for mark in marks)


def _try(what: str, call: Callable[[], object]) -> None:
    try:
        call()
    except redis.RedisError as error:
        log.warning("A token was not %s in Redis: %s", what, type(error).__name__)
