"""One chunk of queued records becomes rows, in one PostgreSQL transaction.

Nearly always all of it are new transactions of users that exist. So a chunk is first copied straight into the
table, whose keys refuse it as a whole where that is not so; the caller rolls back, and tries with care. Then
COPY puts the chunk into a temporary table of the session, and one INSERT stores what is new. Where it
stored fewer rows than there are records, a second statement finds out, for each record of the chunk, what it
is: stored, settles a pending transaction, a duplicate, or to be rejected, and why.
"""

import io
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from psycopg2.extras import execute_values

from ..queue.records import ABSENT as UNSTATED
from ..queue.records import COLUMNS, FIELDS, LINE, unescape
from ..rules.live import FlushRules
from ..stores.crash_points import crash_point
from ..tables import BATCHES, EPOCHS, REJECTED, TRANSACTIONS, USER_KEY, USERS

log = logging.getLogger(__name__)

# Bytes of a chunk that psycopg2 asks for at a time. For each it waits for the interpreter's lock, so its
# own 8 KiB would take many turns.
COPY_READ_BYTES = 2**20
# At the end of a row: the moment of acceptance, and an unstated time with a tab before it.
STAMP_BYTES = 27
ABSENT = UNSTATED.encode()
ABSENT_AND_STAMP = len(ABSENT) + 1 + STAMP_BYTES
# Ids of requests in one line of the log.
REQUEST_IDS_MAX = 100

# Purpose: where COPY puts a chunk. One table for a session, emptied at each commit: to make one for each
# chunk would leave as many dead rows in PostgreSQL's own tables.
# `place` is the order of the queue. The order in which rows lie in a table is not: PostgreSQL puts a
# short row into a gap of an earlier page.
CREATE_INCOMING = """
    CREATE TEMPORARY TABLE incoming (
        place bigint GENERATED ALWAYS AS IDENTITY,
        version smallint, transaction_id text COLLATE "C", status text, user_id bigint, amount bigint,
        created_at timestamptz, accepted_at timestamptz, request_id text
    ) ON COMMIT DELETE ROWS
"""
COPY_INCOMING = f"COPY incoming ({COLUMNS}) FROM STDIN"

# Purpose: claims the chunk, by moving `done` from its beginning to its end. Where `done` is not at its
# beginning another flusher has been here: no row is updated, and this flusher must write nothing.
CLAIM_CHUNK = f"""
    UPDATE {BATCHES} SET done = done + %(records)s WHERE id = %(batch)s AND done = %(offset)s
    RETURNING now()::text
"""

# Purpose: stores a chunk of new transactions, all or none: rows go to the table and to the log by the page,
# and nothing is looked for before it is inserted.
COPY_STRAIGHT = f"""
    COPY {TRANSACTIONS} (transaction_id, status, user_id, amount, created_at, accepted_at, stored_at)
    FROM STDIN
"""
# Purpose: looks for the users now, and locks them until COMMIT, so that none is deleted meanwhile. Looked for
# at COMMIT, one that is missing would undo what rules have found by then.
CHECK_USERS = "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED"

# Purpose: stores the new transactions of users that exist; of several records of one id the first in the
# queue. The users' rows are locked until COMMIT, so that none is deleted meanwhile. PostgreSQL checks
# the foreign key only at COMMIT, which would then fail as a whole without telling which record it was.
INSERT_NEW = f"""
    INSERT INTO {TRANSACTIONS}
           (transaction_id, user_id, status, created_at, amount, accepted_at, stored_at)
    SELECT i.transaction_id, i.user_id, i.status, coalesce(i.created_at, i.accepted_at), i.amount,
           i.accepted_at, now()
      FROM incoming i
      JOIN (SELECT {USER_KEY} AS id FROM {USERS}
             WHERE {USER_KEY} IN (SELECT user_id FROM incoming) FOR KEY SHARE) payer
        ON payer.id = i.user_id
     ORDER BY i.place
        ON CONFLICT (transaction_id) DO NOTHING
"""

# Purpose: what became of each record of a chunk in which INSERT_NEW left something over: its verdict, the
# row that it belongs to, and why it is rejected.
CREATE_JUDGED = """
    CREATE TEMPORARY TABLE judged (seq bigint, row_id bigint, verdict text, status text, as_of timestamptz,
                                   reason text) ON COMMIT DELETE ROWS
"""
# Step by step: `record` is the chunk in the order of the queue, numbered as in `readable`. `held` are the
# rows of its ids, locked, so that nobody changes them before COMMIT; `fresh` if INSERT_NEW made them just
# now. `matched` puts each record beside its row and says in what they differ; `own` is the record that
# a fresh row was made from. `settling` finds, for each id, the first record that settles a pending row.
# `final` has the status that the row will have by then, against which the other records are held, and
# `as_of`, the time that the record which settled it stated, where that is not the transaction's: `timed`
# holds the times of records against it that are in the same state.
# A record of a known user without a row is `overtaken`: the row or the user came or went meanwhile.
JUDGE = f"""
    INSERT INTO judged
    WITH record AS (
        SELECT row_number() OVER (ORDER BY i.place) - 1 AS seq, i.*,
               EXISTS (SELECT FROM {USERS} payer WHERE payer.{USER_KEY} = i.user_id) AS has_user
          FROM incoming i
    ), held AS MATERIALIZED (
        SELECT t.*, t.xmin = pg_current_xact_id()::xid AS fresh FROM {TRANSACTIONS} t
         WHERE t.transaction_id IN (SELECT transaction_id FROM incoming)
         ORDER BY t.id FOR NO KEY UPDATE
    ), matched AS (
        SELECT record.*, held.id AS row_id, held.status AS row_status, held.created_at AS row_created_at,
               held.settled_as_of AS row_as_of,
               record.user_id = held.user_id AND record.amount = held.amount AS same,
               concat_ws(', ', CASE WHEN record.user_id <> held.user_id THEN 'user' END,
                               CASE WHEN record.amount <> held.amount THEN 'amount' END) AS differs,
               held.fresh AND record.seq = min(record.seq) FILTER (WHERE has_user)
                   OVER (PARTITION BY record.transaction_id) AS own
          FROM record LEFT JOIN held USING (transaction_id)
    ), settling AS (
        SELECT *, min(seq) FILTER (WHERE same AND NOT own AND row_status = 'PENDING' AND status <> 'PENDING')
                      OVER (PARTITION BY transaction_id) AS settled_by,
               nullif(created_at, row_created_at) AS stated
          FROM matched
    ), final AS (
        SELECT *, coalesce(max(status) FILTER (WHERE seq = settled_by) OVER (PARTITION BY transaction_id),
                           row_status) AS final_status,
               coalesce(max(stated) FILTER (WHERE seq = settled_by) OVER (PARTITION BY transaction_id),
                        row_as_of) AS as_of,
               row_status <> 'PENDING' OR coalesce(seq > settled_by, false) AS has_settled
          FROM settling
    ), timed AS (
        SELECT *, CASE WHEN status = 'PENDING' THEN NOT has_settled AND stated IS NOT NULL
                       ELSE stated <> coalesce(as_of, row_created_at) END AS other_time
          FROM final
    )
    SELECT seq, row_id,
           CASE WHEN NOT has_user THEN 'rejected'
                WHEN row_id IS NULL THEN 'overtaken'
                WHEN own THEN 'stored'
                WHEN NOT same THEN 'rejected'
                WHEN seq = settled_by THEN 'settled'
                WHEN status NOT IN ('PENDING', final_status) OR other_time THEN 'rejected'
                ELSE 'duplicate' END,
           status, stated,
           CASE WHEN NOT has_user THEN 'user ' || user_id || ' does not exist'
                WHEN NOT same THEN 'differs from the stored transaction: ' || differs
                WHEN status NOT IN ('PENDING', final_status)
                    THEN 'the transaction has settled as ' || final_status
                ELSE 'differs from the stored transaction: created_at' END
      FROM timed
"""
SETTLE = f"""
    UPDATE {TRANSACTIONS} t
       SET status = judged.status, settled_at = now(), settled_as_of = judged.as_of
      FROM judged WHERE judged.verdict = 'settled' AND t.id = judged.row_id
"""
SELECT_SETTLED = "SELECT row_id FROM judged WHERE verdict = 'settled'"
COUNT_JUDGED = """
    SELECT count(*) FILTER (WHERE verdict = 'stored'), count(*) FILTER (WHERE verdict = 'settled'),
           count(*) FILTER (WHERE verdict = 'duplicate'), count(*) FILTER (WHERE verdict = 'overtaken')
      FROM judged
"""
SELECT_REJECTED = "SELECT seq, reason FROM judged WHERE verdict = 'rejected' ORDER BY seq"

# Purpose: keeps what cannot be stored. `times` is how often: one more than at the last replay of this id.
INSERT_REJECTED = f"""
    INSERT INTO {REJECTED} (transaction_id, reason, raw, batch_id, times)
    SELECT v.transaction_id, v.reason, v.raw, v.batch_id::bigint,
           1 + coalesce((SELECT max(times) FROM {REJECTED} r WHERE r.transaction_id = v.transaction_id
                            AND v.transaction_id <> '' AND r.resolution = 'REPLAYED'), 0)
      FROM (VALUES %s) AS v (transaction_id, reason, raw, batch_id)
"""

# Purpose: counts the chunk in its batch and in the books, in the same transaction as the rows themselves.
COUNT_CHUNK = f"""
    WITH batch AS (
        UPDATE {BATCHES}
           SET chunks = chunks + 1, stored = stored + %(stored)s, settled = settled + %(settled)s,
               duplicates = duplicates + %(duplicates)s, rejected = rejected + %(rejected)s,
               stored_at = CASE WHEN done = length THEN now() END
         WHERE id = %(batch)s RETURNING epoch_id
    )
    UPDATE {EPOCHS} e
       SET stored = e.stored + %(stored)s, settled = e.settled + %(settled)s,
           duplicates = e.duplicates + %(duplicates)s, rejected = e.rejected + %(rejected)s
      FROM batch WHERE e.id = batch.epoch_id
"""


class Superseded(Exception):
    """Somebody else changed what this flush was writing; it must stop, and the next tick starts over."""


@dataclass(slots=True)
class Counts:
    """What became of records, each counted once."""

    stored: int = 0
    settled: int = 0
    duplicates: int = 0
    rejected: int = 0

    @property
    def total(self) -> int:
        return self.stored + self.settled + self.duplicates + self.rejected

    def add(self, other: "Counts") -> None:
        self.stored += other.stored
        self.settled += other.settled
        self.duplicates += other.duplicates
        self.rejected += other.rejected

    def __str__(self) -> str:
        return (
            f"{self.stored} stored, {self.settled} settled, "
            f"{self.duplicates} duplicates, {self.rejected} rejected"
        )


class Chunk:
    """Queued records `lines` of a `batch` (its primary key), the first of which is its record `offset`.

    `readable` are those that COPY can be given, and `rows` what they are in the table, but for `stored_at`.
    """

    def __init__(self, batch: int, offset: int, lines: Sequence[bytes]) -> None:
        self.batch, self.offset, self.lines = batch, offset, lines
        self.readable = list(filter(LINE.fullmatch, lines))
        self.rows = list(map(_row, self.readable))


def _row(line: bytes) -> bytes:
    """The fields of a readable line that are in the table too: all between the version and the request's id.

    Where no `created_at` is stated, the moment of acceptance stands in its place.
    """
    row = line[2 : line.rindex(b"\t")]
    if row[-ABSENT_AND_STAMP : -STAMP_BYTES - 1] != ABSENT:
        return row
    return row[:-ABSENT_AND_STAMP] + row[-STAMP_BYTES:] + row[-STAMP_BYTES - 1 :]


def prepare(cursor: Any) -> None:
    """Makes the session's temporary tables."""
    cursor.execute(CREATE_INCOMING)
    cursor.execute(CREATE_JUDGED)


def store(
    cursor: Any,
    chunk: Chunk,
    *,
    straight: bool = False,
    poison: str = "",
    meanwhile: Callable[[], None] = lambda: None,
    rules: FlushRules | None = None,
) -> Counts:
    """Stores `chunk` in the cursor's open transaction; the caller commits.

    With `straight` only if all readable records are new, of users that exist, and IntegrityError else. With
    `poison` nothing is tried: every record is rejected for that reason. `meanwhile` is called just
    before PostgreSQL begins, for which this process only waits; `rules` judge what is stored. Raises
    Superseded, psycopg2.DataError or IntegrityError (something in the chunk cannot be stored: try with care,
    or less of it), other psycopg2.Error.
    """
    cursor.execute(CLAIM_CHUNK, {"batch": chunk.batch, "offset": chunk.offset, "records": len(chunk.lines)})
    if cursor.rowcount != 1:
        raise Superseded(f"Batch {chunk.batch} has moved on from {chunk.offset}.")
    (now,) = cursor.fetchone()
    counts = Counts()
    readable = [] if poison else chunk.readable
    rejected: list[tuple[bytes, str]] = []
    if len(readable) < len(chunk.lines):
        kept = set(readable)
        rejected = [(line, poison or "unreadable") for line in chunk.lines if line not in kept]
    if readable:
        meanwhile()
        if rules is not None:
            rules.begin(cursor)
        if straight:
            counts.stored = _insert_straight(cursor, chunk.rows, now)
        else:
            counts, judged = _insert_with_care(cursor, readable)
            rejected += judged
    if rejected:
        _keep_rejected(cursor, chunk.batch, rejected)
    counts.rejected = len(rejected)
    cursor.execute(COUNT_CHUNK, {"batch": chunk.batch, **asdict(counts)})
    if rules is not None and readable:
        rules.conclude(cursor, counts.stored, _settled(cursor) if counts.settled else [])
    if log.isEnabledFor(logging.DEBUG):
        for ids in _request_ids(chunk.lines):
            log.debug("Batch %s, from %s: of the requests %s", chunk.batch, chunk.offset, ids)
    return counts


def _insert_straight(cursor: Any, rows: Sequence[bytes], now: str) -> int:
    """How many rows were stored, by PostgreSQL's count. `now` is the moment of storing, as it writes it."""
    end = b"\t%b\n" % now.encode()
    _copy(cursor, COPY_STRAIGHT, end.join([*rows, b""]))
    stored = int(cursor.rowcount)
    crash_point("flush.amid_insert")
    cursor.execute(CHECK_USERS)
    return stored


def _insert_with_care(cursor: Any, lines: Sequence[bytes]) -> tuple[Counts, list[tuple[bytes, str]]]:
    """What became of readable lines, and those rejected, each with the reason."""
    _copy(cursor, COPY_INCOMING, b"\n".join(lines))
    crash_point("flush.amid_insert")
    cursor.execute(INSERT_NEW)
    if cursor.rowcount == len(lines):
        return Counts(stored=len(lines)), []
    return _judge(cursor, lines)


def _copy(cursor: Any, statement: str, text: bytes) -> None:
    cursor.copy_expert(statement, io.BytesIO(text), size=COPY_READ_BYTES)


def _request_ids(lines: Iterable[bytes]) -> list[str]:
    """The ids of the requests that brought the records, each once, in texts for a line of the log each."""
    found = dict.fromkeys(match["request_id"].decode() for line in lines if (match := FIELDS.fullmatch(line)))
    ids = list(found)
    return [" ".join(ids[at : at + REQUEST_IDS_MAX]) for at in range(0, len(ids), REQUEST_IDS_MAX)]


def _judge(cursor: Any, lines: Sequence[bytes]) -> tuple[Counts, list[tuple[bytes, str]]]:
    """What became of the records of a chunk, and those rejected, each with the reason."""
    cursor.execute(JUDGE)
    cursor.execute(COUNT_JUDGED)
    stored, settled, duplicates, overtaken = cursor.fetchone()
    if overtaken:
        raise Superseded("A row or a user came or went in the middle of a chunk.")
    if settled:
        cursor.execute(SETTLE)
    cursor.execute(SELECT_REJECTED)
    rejected = [(lines[seq], reason) for seq, reason in cursor.fetchall()]
    return Counts(stored, settled, duplicates, len(rejected)), rejected


def _settled(cursor: Any) -> list[int]:
    """The keys of the rows that this chunk has settled."""
    cursor.execute(SELECT_SETTLED)
    return [row[0] for row in cursor.fetchall()]


def _keep_rejected(cursor: Any, batch: int, rejected: Sequence[tuple[bytes, str]]) -> None:
    rows = []
    for line, reason in rejected:
        found = FIELDS.fullmatch(line)
        readable = unescape(found["transaction_id"].decode(errors="replace"))[:100] if found else ""
        rows.append((readable.replace("\0", ""), reason[:200], line, batch))
    execute_values(cursor, INSERT_REJECTED, rows, page_size=len(rows))
    for ids in _request_ids(line for line, _ in rejected) or ["(unreadable)"]:
        log.warning("Batch %s: %d records cannot be stored; of the requests %s", batch, len(rows), ids)
