"""What the dashboard says of the pipeline, and up to when its figures tell everything."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings

from ..books import balance
from ..models import FlushBatch
from ..reading.detail import open_refusals_count
from ..system.reading import REJECTED_COUNTED_MAX

# A flush that ended this soon after a batch was stored is the one that stored it.
SAME_FLUSH = timedelta(seconds=1)


def status() -> dict[str, Any]:
    """The strip at the top: the books, the open rejected records, the flush. Raises redis.RedisError."""
    found = balance.read()
    return {
        "now": datetime.now(UTC),
        "books": found.as_dict(),
        "rejected_open": open_refusals_count(REJECTED_COUNTED_MAX) if found.postgres_answers else None,
        "interval_seconds": settings.FLUSH_INTERVAL_SECONDS,
    }


def as_of(last_flush: datetime | None) -> datetime:
    """Up to when everything accepted is stored: the moment at which the last flush took the queue."""
    if last_flush is None:
        return datetime.now(UTC)
    batch = FlushBatch.objects.filter(length__isnull=False, stored_at__isnull=False).order_by("-id").first()
    if batch is not None and batch.stored_at is not None and last_flush - batch.stored_at < SAME_FLUSH:
        return batch.reserved_at
    return last_flush
