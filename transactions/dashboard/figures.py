"""The dashboard's numbers, each cheap over any number of rows.

A rollup has the sums of a quarter of an hour, and a period is summed from those. Of a quarter amid
which it begins or ends only the shorter part is read row by row, and added or taken off. Amounts are
strings: a browser's numbers end at 2^53.
"""

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings

from ..books import balance
from ..models import FlushBatch, RejectedRecord, Status
from ..stores.bounded_queries import query
from ..tables import ROLLUPS, TRANSACTIONS

BUCKET = timedelta(minutes=15)
MINUTE = timedelta(minutes=1)
TILES = {
    "1 m": timedelta(minutes=1),
    "15 m": timedelta(minutes=15),
    "1 h": timedelta(hours=1),
    "24 h": timedelta(hours=24),
}
THROUGHPUT_MINUTES = 30
# The newest minutes, counted anew every few seconds. The hour that `throughput` shows and compares,
# 1.8 million rows at 500 a second, is counted as a whole only once a minute.
RECOUNTED_MINUTES = 3
REJECTED_COUNTED_MAX = 10_000
# A flush that ended this soon after a batch was stored is the one that stored it.
SAME_FLUSH = timedelta(seconds=1)

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
# Purpose: the oldest pending row of a period: the quarters that hold one come from the rollups, and
# within a quarter the index transaction_by_time is walked to the first.
SELECT_OLDEST_PENDING = f"""
    SELECT first.created_at
      FROM (SELECT bucket FROM {ROLLUPS}
             WHERE status = 'PENDING' AND count > 0 AND bucket >= %(bucket)s AND bucket < %(until)s
             ORDER BY bucket LIMIT 3) AS quarter,
           LATERAL (SELECT created_at FROM {TRANSACTIONS}
                     WHERE created_at >= greatest(quarter.bucket, %(since)s)
                       AND created_at < quarter.bucket + interval '15 minutes' AND status = 'PENDING'
                     ORDER BY created_at LIMIT 1) AS first
     ORDER BY 1 LIMIT 1
"""
# Purpose: each minute's rows by status; by the index transaction_by_time.
COUNT_MINUTES = f"""
    SELECT date_bin('1 minute', created_at, %(since)s), status, count(*)
      FROM {TRANSACTIONS} WHERE created_at >= %(since)s AND created_at < %(until)s GROUP BY 1, 2
"""


class Piece(NamedTuple):
    """A stretch of time: `whole` quarters, summed from the rollups, or one that is summed from its rows."""

    whole: bool
    since: datetime
    until: datetime


class Sum(NamedTuple):
    """How many rows, and their amounts."""

    rows: int
    total: int


Sums = dict[str, Sum]


class Minutes(NamedTuple):
    """Rows of each minute and status, up to `end`."""

    end: datetime
    held: dict[tuple[datetime, str], int]


def status() -> dict[str, Any]:
    """The strip at the top: the books, the open rejected records, the flush. Raises redis.RedisError."""
    found = balance.read()
    return {
        "now": datetime.now(UTC),
        "books": found.as_dict(),
        "rejected_open": _rejected_open() if found.postgres_answers else None,
        "interval_seconds": settings.FLUSH_INTERVAL_SECONDS,
    }


def _rejected_open() -> int:
    return RejectedRecord.objects.filter(resolution="")[:REJECTED_COUNTED_MAX].count()


def as_of(last_flush: datetime | None) -> datetime:
    """Up to when everything accepted is stored: the moment at which the last flush took the queue."""
    if last_flush is None:
        return datetime.now(UTC)
    batch = FlushBatch.objects.filter(length__isnull=False, stored_at__isnull=False).order_by("-id").first()
    if batch is not None and batch.stored_at is not None and last_flush - batch.stored_at < SAME_FLUSH:
        return batch.reserved_at
    return last_flush


def tiles(until: datetime) -> list[dict[str, Any]]:
    """A tile for each period that ends at `until`, beside the period before. Raises django.db.Error."""
    spans = []
    for length in TILES.values():
        since = _minute(until - length) if length > MINUTE else until - length
        spans += [(since, until), (since - (until - since), since)]
    held = _sums(spans)
    found = []
    for number, name in enumerate(TILES):
        since, _ = spans[2 * number]
        now, before = (_figures(held[2 * number + k], until - since) for k in (0, 1))
        oldest = _oldest_pending(since, until) if now["pending"] else None
        found.append(
            {"name": name, "since": since, "now": {**now, "oldest_pending": oldest}, "before": before}
        )
    return found


def _figures(held: Sums, length: timedelta) -> dict[str, Any]:
    count, total = sum(each.rows for each in held.values()), sum(each.total for each in held.values())
    succeeded, failed, pending = (
        held.get(status, Sum(0, 0)).rows for status in (Status.SUCCESS, Status.FAILED, Status.PENDING)
    )
    return {
        "count": count,
        "per_second": round(count / length.total_seconds(), 3),
        "volume": str(total),
        "average": str(total // count) if count else None,
        "success_rate": succeeded / (succeeded + failed) if succeeded + failed else None,
        "pending": pending,
    }


def _sums(spans: list[tuple[datetime, datetime]]) -> list[Sums]:
    """What each span holds, by status."""
    wanted = [_pieces(since, until) for since, until in spans]
    pieces = sorted({piece for signed in wanted for _, piece in signed})
    by_piece: dict[Piece, Sums] = {piece: {} for piece in pieces}
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
    return [_added(signed, by_piece) for signed in wanted]


def _added(signed: list[tuple[int, Piece]], by_piece: dict[Piece, Sums]) -> Sums:
    counts: dict[str, int] = defaultdict(int)
    totals: dict[str, int] = defaultdict(int)
    for sign, piece in signed:
        for status, each in by_piece[piece].items():
            counts[status] += sign * each.rows
            totals[status] += sign * each.total
    return {status: Sum(counts[status], totals[status]) for status in counts}


def _pieces(since: datetime, until: datetime) -> list[tuple[int, Piece]]:
    """The pieces that add up to a span, each with 1, or -1 where it is taken off."""
    if until - since < BUCKET:
        return [(1, Piece(False, since, until))]
    whole = (1, Piece(True, _quarter(since), _quarter(until)))
    return [whole, *_beginning(until, 1), *_beginning(since, -1)]


def _beginning(moment: datetime, sign: int) -> list[tuple[int, Piece]]:
    """The part of its quarter before `moment`: by itself, or the whole quarter less what comes after."""
    start = _quarter(moment)
    if moment - start <= BUCKET / 2:
        return [(sign, Piece(False, start, moment))]
    end = start + BUCKET
    return [(sign, Piece(True, start, end)), (-sign, Piece(False, moment, end))]


def _quarter(moment: datetime) -> datetime:
    return moment.replace(minute=moment.minute // 15 * 15, second=0, microsecond=0)


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def _oldest_pending(since: datetime, until: datetime) -> datetime | None:
    bounds = {"bucket": _quarter(since), "since": since, "until": until}
    rows = query(SELECT_OLDEST_PENDING, bounds)
    return rows[0][0] if rows else None


def count_hour(until: datetime) -> Minutes:
    """Rows of each minute that `throughput` shows, every one of them read. Raises django.db.Error."""
    end = _minute(until) + MINUTE
    return _count_minutes(end - 2 * THROUGHPUT_MINUTES * MINUTE, end)


def throughput(until: datetime, counted: Minutes) -> dict[str, Any]:
    """Rows of each of the last THROUGHPUT_MINUTES minutes by status, and of the as many before.

    The minute that is under way is the last. `counted` is what `count_hour` found, a while ago: what has
    settled or come late since is missing there, so the newest minutes, in which most of it happens, and
    those that `counted` does not have, are read anew. Raises django.db.Error.
    """
    end = _minute(until) + MINUTE
    minutes = [end - MINUTE * k for k in range(2 * THROUGHPUT_MINUTES, 0, -1)]
    anew = max(minutes[0], min(end, counted.end) - RECOUNTED_MINUTES * MINUTE)
    held = {key: count for key, count in counted.held.items() if key[0] < anew}
    held.update(_count_minutes(anew, end).held)
    shown = minutes[THROUGHPUT_MINUTES:]
    before = minutes[:THROUGHPUT_MINUTES]
    return {
        "minutes": shown,
        "by_status": {status: [held.get((at, status), 0) for at in shown] for status in Status.values},
        "before": [sum(held.get((at, status), 0) for status in Status.values) for at in before],
    }


def _count_minutes(since: datetime, end: datetime) -> Minutes:
    rows = query(COUNT_MINUTES, {"since": since, "until": end})
    return Minutes(end, {(at, status): count for at, status, count in rows})
