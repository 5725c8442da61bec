"""The books: is everything that was accepted accounted for?

    accepted = stored + settled + duplicates + rejected + buffered + in flight

`accepted` is counted by the accepting script, `buffered` and `in_flight` are lengths of lists in Redis,
the rest are PostgreSQL's totals of the epoch, written with the rows themselves. No term is computed
from the others, so a record that somebody added or took past the system shows.

What was stored may leave the table again, and that is counted too, where it happens. Over all books

    rows of the table = stored − removed − pruned
"""

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.db import Error as DatabaseError
from django.db import connection as database

from ..queue.keys import BOOKS, QUEUE
from ..queue.records import read_line
from ..rules import figures
from ..stores import hash_numbers
from ..stores.redis_connection import reader
from ..tables import BATCHES, EPOCHS, REMOVALS, TRANSACTIONS
from .epochs import named as epoch_named

# How often the two stores are read, if a flush commits something between the reads each time.
READS_MAX = 20

# Purpose: how many rows the table has by all books, and what left it since they were last written up.
ROWS = f"""
    (SELECT coalesce(sum(stored - removed - pruned), 0) FROM {EPOCHS})::bigint
  - (SELECT coalesce(sum(removed + pruned), 0) FROM {REMOVALS})::bigint
"""
# Purpose: PostgreSQL's half, in one snapshot: the totals of Redis' epoch (0 where PostgreSQL does not know
# it yet), the batches that are not released, when a flush last ran to its end; and the table's rows.
SELECT_TOTALS = f"""
    SELECT coalesce(e.stored, 0), coalesce(e.settled, 0), coalesce(e.duplicates, 0), coalesce(e.rejected, 0),
           (SELECT coalesce(json_agg(json_build_array(b.name, b.length, b.done) ORDER BY b.id), '[]')
              FROM {BATCHES} b WHERE NOT b.released),
           e.flushed_at,
           coalesce(e.removed, 0) + (SELECT coalesce(sum(removed), 0) FROM {REMOVALS})::bigint,
           coalesce(e.pruned, 0) + (SELECT coalesce(sum(pruned), 0) FROM {REMOVALS})::bigint,
           {ROWS}
      FROM (SELECT 1) one LEFT JOIN {EPOCHS} e ON e.id = %s
"""
# Purpose: the rows of the table, one by one, beside how many it has by the books, as of one moment.
COUNT_ROWS = f"SELECT (SELECT count(*) FROM {TRANSACTIONS}), {ROWS}"


@dataclass(frozen=True, slots=True)
class Books:
    """The counts since the epoch began.

    What is not known is None. If PostgreSQL did not answer, `postgres_error` names its error, and all that
    it keeps is unknown. If it did, and something was committed each time between two readings, its totals
    and the last flush are known, but not what belongs to both stores: `in_flight` and the verdict.
    `removed` and `pruned` left the table since the epoch began; `rows` it has by the books of all epochs.
    """

    accepted: int
    stored: int | None
    settled: int | None
    duplicates: int | None
    rejected: int | None
    buffered: int
    in_flight: int | None
    balanced: bool | None
    removed: int | None
    pruned: int | None
    rows: int | None
    oldest_buffered_seconds: float | None
    last_flush: datetime | None
    postgres_error: str = ""

    @property
    def postgres_answers(self) -> bool:
        return not self.postgres_error

    def as_dict(self) -> dict[str, Any]:
        """The books as the API and `manage.py verify` show them."""
        shown = asdict(self)
        del shown["postgres_error"]
        return shown


class TableRows(NamedTuple):
    """What left the table since the epoch began, and how many rows it has, by the books of all epochs."""

    removed: int
    pruned: int
    rows: int


class RowCount(NamedTuple):
    """The rows that the table has, counted, and those that it has by the books."""

    counted: int
    by_books: int

    @property
    def holds(self) -> bool:
        return self.counted == self.by_books


class Totals(NamedTuple):
    """PostgreSQL's half. `batches` that are not released, each with its name, length and records done."""

    stored: int
    settled: int
    duplicates: int
    rejected: int
    batches: list[tuple[str, int | None, int]]
    last_flush: datetime | None
    table: TableRows

    def agrees_with(self, other: "Totals") -> bool:
        """Whether nothing was stored in between; what leaves the table meanwhile waits nowhere."""
        return self._replace(table=other.table) == other


class Waiting(NamedTuple):
    """Redis' half: what belongs to `epoch`. `lengths` are those of batches, by name."""

    epoch: str
    accepted: int
    buffered: int
    lengths: dict[str, int]
    oldest_s: float | None


def read() -> Books:
    """The books as of one moment. Raises redis.RedisError.

    PostgreSQL, Redis, PostgreSQL: where both of its readings agree, nothing was committed between
    them and Redis' reading belongs to that state. Otherwise again, up to READS_MAX times.
    """
    for _ in range(READS_MAX):
        epoch = epoch_named(reader().hget(BOOKS, "epoch"))
        try:
            totals = _totals(epoch)
            waiting = _waiting(totals.batches)
            totals_after = _totals(epoch)
        except DatabaseError as error:
            return _without_postgres(_waiting([]), type(error).__name__)
        if totals_after.agrees_with(totals) and waiting.epoch == epoch:
            return _balance(totals, waiting)
    return replace(_balance(totals, waiting), in_flight=None, balanced=None)


def count_rows() -> RowCount:
    """Counts the table: a second or so for ten million rows, and holds nobody up. Raises django.db.Error."""
    with database.cursor() as cursor:
        cursor.execute(COUNT_ROWS)
        return RowCount(*cursor.fetchone())


def rules_as_dict() -> dict[str, Any] | None:
    """How the rules are, beside the books; None while PostgreSQL does not answer."""
    try:
        return figures.read().as_dict()
    except DatabaseError:
        return None


def _totals(epoch: str) -> Totals:
    with database.cursor() as cursor:
        cursor.execute(SELECT_TOTALS, [epoch or None])
        *totals, removed, pruned, rows = cursor.fetchone()
    return Totals._make([*totals, TableRows(removed, pruned, rows)])


def _waiting(batches: list[tuple[str, int | None, int]]) -> Waiting:
    pipeline = reader().pipeline(transaction=True)
    pipeline.hmget(BOOKS, "epoch", "accepted")
    pipeline.llen(QUEUE)
    pipeline.lindex(QUEUE, 0)
    for name, _, done in batches:
        pipeline.llen(name)
        pipeline.lindex(name, done)
    (epoch, accepted), buffered, first, *rest = pipeline.execute()
    lengths = dict(zip((name for name, _, _ in batches), rest[0::2], strict=True))
    ages = [age for line in (first, *rest[1::2]) if (age := _age_s(line)) is not None]
    counted = hash_numbers.whole(BOOKS, "accepted", accepted) or 0
    return Waiting(epoch_named(epoch), counted, buffered, lengths, max(ages, default=None))


def _age_s(line: bytes | None) -> float | None:
    """How long ago a queued record was accepted; None where there is none, or it cannot be read."""
    read = None if line is None else read_line(line)
    if read is None:
        return None
    _, state = read
    return round((datetime.now(UTC) - state.accepted_at).total_seconds(), 3)


def _balance(totals: Totals, waiting: Waiting) -> Books:
    in_flight = sum(
        # Of a batch that is stored whole nothing is in flight, whether or not Redis still holds it.
        0 if length is not None and done >= length else waiting.lengths[name] - done
        for name, length, done in totals.batches
    )
    accounted = totals.stored + totals.settled + totals.duplicates + totals.rejected
    return Books(
        accepted=waiting.accepted,
        stored=totals.stored,
        settled=totals.settled,
        duplicates=totals.duplicates,
        rejected=totals.rejected,
        buffered=waiting.buffered,
        in_flight=in_flight,
        balanced=waiting.accepted == accounted + waiting.buffered + in_flight,
        **totals.table._asdict(),
        oldest_buffered_seconds=waiting.oldest_s,
        last_flush=totals.last_flush,
    )


def _without_postgres(waiting: Waiting, error: str) -> Books:
    return Books(
        accepted=waiting.accepted,
        stored=None,
        settled=None,
        duplicates=None,
        rejected=None,
        buffered=waiting.buffered,
        in_flight=None,
        balanced=None,
        removed=None,
        pruned=None,
        rows=None,
        oldest_buffered_seconds=waiting.oldest_s,
        last_flush=None,
        postgres_error=error,
    )
