"""The latest flushes: when one last ended, and those of the plot above their list."""

from typing import Any

from django.db import connection as database

from ..models import FlushBatch
from ..stores.postgres_session import FLUSH_LOCK
from ..tables import EPOCHS

SHOWN_MAX = 200

# Purpose: seconds since a flush last ended, 0 while one is under way, which ends by its own time-outs
# where it hangs; NULL where none ever ended.
SELECT_AGE = f"""
    SELECT CASE WHEN EXISTS (SELECT FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                              WHERE d.datname = current_database() AND l.locktype = 'advisory'
                                AND l.objid = %s AND l.objsubid = 1 AND l.granted)
                THEN 0
                ELSE (SELECT extract(epoch FROM now() - max(flushed_at))::float FROM {EPOCHS})
           END
"""


def age_s() -> float | None:
    """Seconds without a flush: 0 while one is under way, None before the first. Raises django.db.Error."""
    with database.cursor() as cursor:
        cursor.execute(SELECT_AGE, [FLUSH_LOCK])
        age: float | None = cursor.fetchone()[0]
    return age


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
