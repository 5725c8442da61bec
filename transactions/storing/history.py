"""The latest flushes: when one last ended, and what the admin's plot of them shows."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection as database

from ..models import FlushBatch

SHOWN_MAX = 200
# Flush intervals without a flush after which one is missing. The worker may well be there: Celery on Redis
# can stop consuming after a reconnect and still answer `inspect ping`.
INTERVALS_MISSED_MAX = 4
STARTED_AT = datetime.now(UTC)

# Purpose: how long nobody has flushed.
SELECT_AGE = Path(__file__).with_name("flush_age.sql").read_text()


def age_s() -> float:
    """Seconds without a flush: 0 while one is under way, endless before the first. Raises django.db.Error."""
    with database.cursor() as cursor:
        return ask_age_s(cursor)


def ask_age_s(cursor: Any) -> float:
    """The same over a cursor of the caller's, whose errors it raises."""
    cursor.execute(SELECT_AGE)
    age: float = cursor.fetchone()[0]
    return age


def is_missing(age_s: float) -> bool:
    """Whether it is too long that no flush has ended for `age_s` seconds, as `age_s()` tells."""
    return intervals_missed(age_s) > INTERVALS_MISSED_MAX


def intervals_missed(age_s: float) -> float:
    """For how many intervals of the flush something has not been seen for `age_s` seconds.

    After a stop the last sign of anything is old: no more are told than this process has been there for.
    """
    up_s = (datetime.now(UTC) - STARTED_AT).total_seconds()
    return min(up_s, age_s) / settings.FLUSH_INTERVAL_SECONDS


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
