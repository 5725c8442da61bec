"""The dashboard's numbers, each cheap over any number of rows.

A rollup has the sums of a quarter of an hour, and a period is summed from those. Of a quarter amid
which it begins or ends only the shorter part is read row by row, and added or taken off. Amounts are
strings: a browser's numbers end at 2^53.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings

from ..books import balance
from ..models import FlushBatch, RejectedRecord, Status
from ..stores.bounded_queries import query
from ..tables import TRANSACTIONS
from .periods import TimeSpan
from .sums import Sums, of_spans, oldest_pending

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

# Purpose: each minute's rows by status; by the index transaction_by_time.
COUNT_MINUTES = f"""
    SELECT date_bin('1 minute', created_at, %(since)s), status, count(*)
      FROM {TRANSACTIONS} WHERE created_at >= %(since)s AND created_at < %(until)s GROUP BY 1, 2
"""


class CountedMinutes(NamedTuple):
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
    held = of_spans([TimeSpan(*span) for span in spans])
    found = []
    for number, name in enumerate(TILES):
        since, _ = spans[2 * number]
        now, before = (_figures(held[2 * number + k], until - since) for k in (0, 1))
        oldest = oldest_pending(TimeSpan(since, until)) if now["pending"] else None
        found.append(
            {"name": name, "since": since, "now": {**now, "oldest_pending": oldest}, "before": before}
        )
    return found


def _figures(held: Sums, length: timedelta) -> dict[str, Any]:
    count, total = sum(each.rows for each in held.values()), sum(each.total for each in held.values())
    succeeded, failed, pending = (
        held[status].rows for status in (Status.SUCCESS, Status.FAILED, Status.PENDING)
    )
    return {
        "count": count,
        "per_second": round(count / length.total_seconds(), 3),
        "volume": str(total),
        "average": str(total // count) if count else None,
        "success_rate": succeeded / (succeeded + failed) if succeeded + failed else None,
        "pending": pending,
    }


def _minute(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


def count_hour(until: datetime) -> CountedMinutes:
    """Rows of each minute that `throughput` shows, every one of them read. Raises django.db.Error."""
    end = _minute(until) + MINUTE
    return _count_minutes(end - 2 * THROUGHPUT_MINUTES * MINUTE, end)


def throughput(until: datetime, counted: CountedMinutes) -> dict[str, Any]:
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


def _count_minutes(since: datetime, end: datetime) -> CountedMinutes:
    rows = query(COUNT_MINUTES, {"since": since, "until": end})
    return CountedMinutes(end, {(at, status): count for at, status, count in rows})
