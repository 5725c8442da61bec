"""The latest flushes, for the plot above their list."""

from typing import Any

from .models import FlushBatch

SHOWN_MAX = 200


def latest() -> list[dict[str, Any]]:
    """Up to SHOWN_MAX stored flushes, oldest first: when, how many records, in how many seconds.

    Raises django.db.Error.
    """
    rows = FlushBatch.objects.filter(length__isnull=False, stored_at__isnull=False).order_by("-id")
    found = list(rows.values_list("reserved_at", "stored_at", "length")[:SHOWN_MAX])
    return [
        {
            "at": reserved.isoformat(),
            "records": length,
            "seconds": round((stored - reserved).total_seconds(), 3),
        }
        for reserved, stored, length in reversed(found)
        if stored is not None
    ]
