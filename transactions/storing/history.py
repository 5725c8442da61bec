"""The latest flushes: when one last ended, and what the admin's plot of them shows."""

from pathlib import Path
from typing import Any

from django.db import connection as database

from ..models import FlushBatch

SHOWN_MAX = 200

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
