"""How many transactions a span of time holds, and how much, by status: cheap over any number of rows.

A rollup has the sums of a quarter of an hour, and a span is summed from those. Of a quarter amid which it
begins or ends only the shorter part is read row by row, and added or taken off. Rows older than KEPT may have
been pruned, which the rollups outlive: of such a quarter both parts are read, and where rows are missing its
sums are divided in proportion to time.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from fractions import Fraction
from typing import NamedTuple

from django.utils import timezone

from ..books.balance import ROWS
from ..models import Status
from ..stores.bounded_queries import query
from ..tables import EPOCHS, REMOVALS, ROLLUPS, TRANSACTIONS
from .spans import ALL_TIME, MINUTE, QUARTER, TimeSpan, floor

# Nothing younger is ever pruned.
KEPT = timedelta(days=3)

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
# Purpose: how many rows were ever pruned, by all books.
COUNT_PRUNED = f"""
    SELECT ((SELECT coalesce(sum(pruned), 0) FROM {EPOCHS})
          + (SELECT coalesce(sum(pruned), 0) FROM {REMOVALS}))::bigint
"""
# Purpose: the first quarter of which some settled rows are left, how many it had, and how many of them
# were pruned, if those that were pruned are the oldest. What was pruned before everything was deleted is
# not in the rollups either: they have so many more than the table.
SELECT_FIRST_KEPT = f"""
    WITH settled AS (
        SELECT bucket, sum(count) AS count, sum(sum(count)) OVER (ORDER BY bucket) AS sofar
          FROM {ROLLUPS} WHERE status <> 'PENDING' GROUP BY bucket
    ), gone AS (
        SELECT least(%(pruned)s, (SELECT coalesce(sum(count), 0) FROM {ROLLUPS}) - ({ROWS})) AS count
    )
    SELECT settled.bucket, settled.count::bigint, (gone.count - settled.sofar + settled.count)::bigint
      FROM settled, gone WHERE settled.sofar > gone.count ORDER BY settled.bucket LIMIT 1
"""


class Sum(NamedTuple):
    """How many rows, and their amounts."""

    rows: int = 0
    total: int = 0


class StatusSums(dict[str, Sum]):
    """Sums by status; of a status that has no rows, none. Amounts of several are never added up."""

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


def added(each: Iterable[StatusSums]) -> StatusSums:
    """All of them together."""
    return _signed((1, sums) for sums in each)


def of_spans(spans: list[TimeSpan], now: datetime | None = None) -> list[StatusSums]:
    """What each span holds; all of them see the same rows. Raises django.db.Error.

    `now` is the end of the latest span where it is not given.
    """
    sure = (now or max(span.until for span in spans)) - KEPT
    wanted = [_parts(span, sure) for span in spans]
    pieces = sorted({piece for parts in wanted for _, part in parts for piece in part.pieces()})
    by_piece = {piece: StatusSums() for piece in pieces}
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
    return [_signed((sign, part.sums(by_piece)) for sign, part in parts) for parts in wanted]


def of_kept(spans: list[TimeSpan]) -> StatusSums:
    """About what is left of spans in the table, without what was pruned. Raises django.db.Error.

    Those that were pruned are taken to be the oldest that had settled: so retention goes about it.
    """
    if not spans:
        return StatusSums()
    now = timezone.now()
    kept = _kept_since() if min(spans).since < now - KEPT else ALL_TIME.since
    late = [TimeSpan(max(span.since, kept), span.until) for span in spans if span.until > kept]
    early = [TimeSpan(span.since, min(span.until, kept)) for span in spans if span.since < kept]
    held = of_spans([*late, *early], now)
    pending = (StatusSums({Status.PENDING: each[Status.PENDING]}) for each in held[len(late) :])
    return added([*held[: len(late)], *pending])


def _kept_since() -> datetime:
    """About when the oldest settled transaction happened that was not pruned."""
    ((pruned,),) = query(COUNT_PRUNED, {})
    if not pruned:
        return ALL_TIME.since
    rows = query(SELECT_FIRST_KEPT, {"pruned": pruned})
    if not rows:
        return ALL_TIME.until
    ((bucket, count, gone),) = rows
    since: datetime = bucket + QUARTER * max(gone, 0) / count
    return since


def of_minutes(span: TimeSpan) -> dict[datetime, StatusSums]:
    """What each minute of a span holds, every row of it read; the span begins with a whole minute."""
    found: dict[datetime, StatusSums] = defaultdict(StatusSums)
    for minute, status, count, total in query(SUM_MINUTES, span._asdict()):
        found[minute][status] = Sum(count, int(total))
    return found


def of_old_minutes(span: TimeSpan) -> tuple[dict[datetime, StatusSums], bool]:
    """The same of a span in whole quarters that may have been pruned, and whether it has not been.

    Of a quarter of which rows are missing each minute is a fifteenth.
    """
    found, complete = of_minutes(span), True
    starts = [span.since + n * QUARTER for n in range((span.until - span.since) // QUARTER)]
    quarters = of_spans([TimeSpan(start, start + QUARTER) for start in starts])
    for start, quarter in zip(starts, quarters, strict=True):
        minutes = [start + n * MINUTE for n in range(QUARTER // MINUTE)]
        if added(found[minute] for minute in minutes if minute in found).rows < quarter.rows:
            complete = False
            found.update((minute, _share(quarter, MINUTE)) for minute in minutes)
    return found, complete


def oldest_pending(span: TimeSpan) -> datetime | None:
    """When the oldest transaction of a span was created that is still pending. Raises django.db.Error."""
    rows = query(SELECT_OLDEST_PENDING, {**span._asdict(), "bucket": floor(span.since, QUARTER)})
    return rows[0][0] if rows else None


def pending_then(span: TimeSpan) -> int:
    """How many of a span were still pending when it ended, every row of it read. Raises django.db.Error."""
    ((count,),) = query(COUNT_PENDING_THEN, span._asdict())
    return int(count)


def _signed(signed: Iterable[tuple[int, StatusSums]]) -> StatusSums:
    found = StatusSums()
    for sign, sums in signed:
        for status, each in sums.items():
            held = found[status]
            found[status] = Sum(held.rows + sign * each.rows, held.total + sign * each.total)
    return found


class _Whole(NamedTuple):
    """A piece that is summed as it is."""

    piece: _Piece

    def pieces(self) -> list[_Piece]:
        return [self.piece]

    def sums(self, by_piece: dict[_Piece, StatusSums]) -> StatusSums:
        return by_piece[self.piece]


class _Beginning(NamedTuple):
    """The part before `moment` of an old quarter that begins at `start`, of which rows may be missing."""

    start: datetime
    moment: datetime

    def pieces(self) -> list[_Piece]:
        end = self.start + QUARTER
        rows = [_Piece(False, self.start, self.moment), _Piece(False, self.moment, end)]
        return [*rows, _Piece(True, self.start, end)]

    def sums(self, by_piece: dict[_Piece, StatusSums]) -> StatusSums:
        before, after, whole = (by_piece[piece] for piece in self.pieces())
        if before.rows + after.rows >= whole.rows:
            return before
        return _share(whole, self.moment - self.start)


def _share(quarter: StatusSums, length: timedelta) -> StatusSums:
    """As much of a quarter's sums as so long a part of it has in proportion."""
    share = Fraction(length // timedelta.resolution, QUARTER // timedelta.resolution)
    return StatusSums(
        {status: Sum(round(each.rows * share), round(each.total * share)) for status, each in quarter.items()}
    )


def _parts(span: TimeSpan, sure: datetime) -> list[tuple[int, _Whole | _Beginning]]:
    """The parts that add up to a span, each with 1, or -1 where it is taken off.

    Rows before `sure` may be gone.
    """
    since, until = span
    if since >= sure and until - since < QUARTER:
        return [(1, _Whole(_Piece(False, since, until)))]
    whole = (1, _Whole(_Piece(True, floor(since, QUARTER), floor(until, QUARTER))))
    return [whole, *_beginning(until, 1, sure), *_beginning(since, -1, sure)]


def _beginning(moment: datetime, sign: int, sure: datetime) -> list[tuple[int, _Whole | _Beginning]]:
    """The part of its quarter before `moment`: by itself, or the whole quarter less what comes after."""
    start = floor(moment, QUARTER)
    end = start + QUARTER
    if start < sure and moment > start:
        return [(sign, _Beginning(start, moment))]
    if moment - start <= QUARTER / 2:
        return [(sign, _Whole(_Piece(False, start, moment)))]
    return [(sign, _Whole(_Piece(True, start, end))), (-sign, _Whole(_Piece(False, moment, end)))]
