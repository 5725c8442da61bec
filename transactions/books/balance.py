"""The books: is everything that was accepted accounted for?

    accepted = stored + settled + duplicates + rejected + buffered + in flight

`accepted` is counted by the accepting script, `buffered` and `in_flight` are lengths of lists, the
rest are PostgreSQL's totals of the epoch, written with the rows themselves. No term is computed
from the others, so a record added or taken behind the system's back shows.
"""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import Error as DatabaseError
from django.db import connection as database

from ..models import Epoch, FlushBatch
from ..queue.keys import BOOKS, QUEUE
from ..queue.records import State, state_from
from ..stores.redis_connection import connection, text

# How often the two stores are read again while a flush moves between the reads.
READS_MAX = 20

EPOCH = Epoch._meta.db_table
BATCH = FlushBatch._meta.db_table

# Purpose: PostgreSQL's half, in one snapshot: the totals of Redis' epoch, the batches that are not
# released, and when a flush last ran to its end.
SELECT_TOTALS = f"""
    SELECT e.stored, e.settled, e.duplicates, e.rejected,
           (SELECT coalesce(json_agg(json_build_array(b.name, b.length, b.done) ORDER BY b.id), '[]')
              FROM {BATCH} b WHERE NOT b.released),
           e.flushed_at
      FROM (SELECT 1) one LEFT JOIN {EPOCH} e ON e.id = %s
"""


@dataclass(frozen=True, slots=True)
class Books:
    """The counts since the epoch began; PostgreSQL's, and the verdict, are None while it does not answer."""

    accepted: int
    stored: int | None
    settled: int | None
    duplicates: int | None
    rejected: int | None
    buffered: int
    in_flight: int | None
    balanced: bool | None
    oldest_buffered_seconds: float | None
    last_flush: datetime | None

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def read() -> Books:
    """The books as of one moment. Raises redis.RedisError.

    PostgreSQL, Redis, PostgreSQL: where both of its readings agree, nothing was committed between
    them and Redis' reading belongs to that state. Otherwise again.
    """
    for _ in range(READS_MAX):
        epoch = text(connection().hget(BOOKS, "epoch"))
        try:
            before = _totals(epoch)
            accepted, buffered, lengths, oldest = _redis_half(epoch, before[4])
            after = _totals(epoch)
        except DatabaseError:
            return _without_postgres(epoch)
        if before == after and accepted is not None:
            break
    else:
        return _without_postgres(epoch)
    stored, settled, duplicates, rejected, batches, last_flush = before
    in_flight = sum(
        0 if length is not None and done >= length else lengths[name] - done for name, length, done in batches
    )
    total = stored + settled + duplicates + rejected + buffered + in_flight
    return Books(
        accepted,
        stored,
        settled,
        duplicates,
        rejected,
        buffered,
        in_flight,
        accepted == total,
        oldest,
        last_flush,
    )


def _totals(epoch: str) -> tuple[int, int, int, int, list[tuple[str, int | None, int]], datetime | None]:
    with database.cursor() as cursor:
        cursor.execute(SELECT_TOTALS, [epoch or None])
        stored, settled, duplicates, rejected, batches, last_flush = cursor.fetchone()
    return stored or 0, settled or 0, duplicates or 0, rejected or 0, batches, last_flush


def _redis_half(
    epoch: str, batches: list[tuple[str, int | None, int]]
) -> tuple[int | None, int, dict[str, int], float | None]:
    """Accepted, buffered, lengths of `batches`, age of the oldest; None where the epoch has changed."""
    pipeline = connection().pipeline(transaction=True)
    pipeline.hmget(BOOKS, "epoch", "accepted")
    pipeline.llen(QUEUE)
    pipeline.lindex(QUEUE, 0)
    for name, _, done in batches:
        pipeline.llen(name)
        pipeline.lindex(name, done)
    (name_now, accepted), buffered, first, *rest = pipeline.execute()
    lengths = dict(zip((name for name, _, _ in batches), rest[0::2], strict=True))
    ages = [age for line in (first, *rest[1::2]) if (age := _age_s(line)) is not None]
    same = text(name_now) == epoch
    return (int(accepted or 0) if same else None), buffered, lengths, max(ages, default=None)


def _age_s(line: bytes | None) -> float | None:
    if line is None:
        return None
    try:
        state: State = state_from(line.decode().split("\t", 2)[2])
    except (ValueError, IndexError):
        return None
    return round((datetime.now(UTC) - state.accepted_at).total_seconds(), 3)


def _without_postgres(epoch: str) -> Books:
    accepted, buffered, _, oldest = _redis_half(epoch, [])
    return Books(accepted or 0, None, None, None, None, buffered, None, None, oldest, None)
