"""How many transactions a span of time holds, and how much, by status: cheap over any number of rows.

A rollup has the sums of a quarter of an hour, and a span is summed from those. Of a quarter amid which it
begins or ends only the shorter part is read row by row, and added or taken off.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from ..models import Status
from ..stores.bounded_queries import query
from ..tables import ROLLUPS, TRANSACTIONS
from .periods import QUARTER, TimeSpan, floor

# Purpose: count and sum by status of whole quarters (from the rollups) and of stretches of rows (by
# the index transaction_by_time), many at once, so that all of them see the same rows.
SUM_PIECES = f"""
    SELECT piece.number, sums.status, sums.count, sums.total
      FROM unnest(%(numbers)s::int[], %(whole)s::boolean[],
                  %(since)s::timestamptz[], %(until)s::timestamptz[]) AS piece (number, whole, since, until),
           LATERAL (
           SELECT status, sum(count) AS count, sum(total) AS total FROM {ROLLUPS}
            WHERE piece.whole AND bucket >= piece.since AND bucket < piece.until GROUP BY status
            UNION ALL
           SELECT status, count(*), sum(amount) FROM {TRANSACTIONS}
            WHERE NOT piece.whole AND created_at >= piece.since AND created_at < piece.until GROUP BY status
           ) AS sums
"""
# Purpose: count and sum of each minute's rows by status; by the index transaction_by_time.
SUM_MINUTES = f"""
    SELECT date_bin('1 minute', created_at, %(since)s), status, count(*), sum(amount)
      FROM {TRANSACTIONS} WHERE created_at >= %(since)s AND created_at < %(until)s GROUP BY 1, 2
"""
# Purpose: the oldest pending row of a span: the quarters that hold one come from the rollups, and
# within a quarter the index transaction_by_time is walked to the first.
SELECT_OLDEST_PENDING = f"""
    SELECT first.created_at
      FROM (SELECT bucket FROM {ROLLUPS}
             WHERE status = 'PENDING' AND count > 0 AND bucket >= %(bucket)s AND bucket < %(until)s
             ORDER BY bucket LIMIT 3) AS quarter,
           LATERAL (SELECT created_at FROM {TRANSACTIONS}
                     WHERE created_at >= greatest(quarter.bucket, %(since)s)
                       AND created_at < least(quarter.bucket + interval '15 minutes', %(until)s)
                       AND status = 'PENDING'
                     ORDER BY created_at LIMIT 1) AS first
     ORDER BY 1 LIMIT 1
"""
# Purpose: how many of a span's rows were still pending at its end; by the index transaction_by_time.
COUNT_PENDING_THEN = f"""
    SELECT count(*) FROM {TRANSACTIONS}
     WHERE created_at >= %(since)s AND created_at < %(until)s
       AND (status = 'PENDING' OR settled_at >= %(until)s)
"""


class Sum(NamedTuple):
    """How many rows, and their amounts."""

    rows: int = 0
    total: int = 0


class Sums(dict[str, Sum]):
    """Sums by status; of a status that has no rows, none."""

    def __missing__(self, status: str) -> Sum:
        return Sum()

    @property
    def rows(self) -> int:
        return sum(each.rows for each in self.values())

    @property
    def settled(self) -> int:
        return self[Status.SUCCESS].rows + self[Status.FAILED].rows

    @property
    def failure_rate(self) -> float | None:
        """The share of the settled that failed; None where nothing has settled."""
        return self[Status.FAILED].rows / self.settled if self.settled else None


class _Piece(NamedTuple):
    """A stretch of time: `whole` quarters, summed from the rollups, or one that is summed from its rows."""

    whole: bool
    since: datetime
    until: datetime


def added(each: Iterable[Sums]) -> Sums:
    """All of them together."""
    return _signed((1, sums) for sums in each)


def of_spans(spans: list[TimeSpan]) -> list[Sums]:
    """What each span holds; all of them see the same rows. Raises django.db.Error."""
    wanted = [_pieces(*span) for span in spans]
    pieces = sorted({piece for signed in wanted for _, piece in signed})
    by_piece = {piece: Sums() for piece in pieces}
    rows = query(
        SUM_PIECES,
        {
            "numbers": list(range(len(pieces))),
            "whole": [piece.whole for piece in pieces],
            "since": [piece.since for piece in pieces],
            "until": [piece.until for piece in pieces],
        },
    )
    for number, status, count, total in rows:
        by_piece[pieces[number]][status] = Sum(int(count), int(total))
    return [_signed((sign, by_piece[piece]) for sign, piece in signed) for signed in wanted]


def of_minutes(span: TimeSpan) -> dict[datetime, Sums]:
    """What each minute of a span holds, every row of it read; the span begins with a whole minute."""
    found: dict[datetime, Sums] = defaultdict(Sums)
    for minute, status, count, total in query(SUM_MINUTES, span._asdict()):
        found[minute][status] = Sum(count, int(total))
    return found


def oldest_pending(span: TimeSpan) -> datetime | None:
    """When the oldest transaction of a span was created that is still pending. Raises django.db.Error."""
    rows = query(SELECT_OLDEST_PENDING, {**span._asdict(), "bucket": floor(span.since, QUARTER)})
    return rows[0][0] if rows else None


def pending_then(span: TimeSpan) -> int:
    """How many of a span were still pending when it ended, every row of it read. Raises django.db.Error."""
    ((count,),) = query(COUNT_PENDING_THEN, span._asdict())
    return int(count)


def _signed(signed: Iterable[tuple[int, Sums]]) -> Sums:
    found = Sums()
    for sign, sums in signed:
        for status, each in sums.items():
            held = found[status]
            found[status] = Sum(held.rows + sign * each.rows, held.total + sign * each.total)
    return found


def _pieces(since: datetime, until: datetime) -> list[tuple[int, _Piece]]:
    """The pieces that add up to a span, each with 1, or -1 where it is taken off."""
    if until - since < QUARTER:
        return [(1, _Piece(False, since, until))]
    whole = (1, _Piece(True, floor(since, QUARTER), floor(until, QUARTER)))
    return [whole, *_beginning(until, 1), *_beginning(since, -1)]


def _beginning(moment: datetime, sign: int) -> list[tuple[int, _Piece]]:
    """The part of its quarter before `moment`: by itself, or the whole quarter less what comes after."""
    start = floor(moment, QUARTER)
    if moment - start <= QUARTER / 2:
        return [(sign, _Piece(False, start, moment))]
    end = start + QUARTER
    return [(sign, _Piece(True, start, end)), (-sign, _Piece(False, moment, end))]
