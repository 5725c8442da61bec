"""The outbox: messages are written in the transaction of what they tell, so that there is never one without
the other.

Of an alert at most one update waits: what changes meanwhile goes into the same row. Hits that join an alert
are told a minute later at the earliest, so a burst of them is a message a minute and not one a chunk.
"""

import json
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection

from .models import Message, MessageType

MESSAGE = Message._meta.db_table

# For so long hits that join an alert are put together before they are told.
TOGETHER = timedelta(seconds=60)
# Bytes of what a message tells; receivers are promised bodies of less than 20 kB.
DATA_BYTES_MAX = 19_000

# Purpose: messages, made by a SELECT of type, alert, severity, not_before and data that stands between these
# two. An update joins one that waits, and is told no later than either of them.
INSERT = f"INSERT INTO {MESSAGE} AS waiting (type, alert, severity, not_before, data)"
JOIN_WAITING = f"""
    ON CONFLICT (alert) WHERE type = '{MessageType.ALERT_UPDATED}' AND position IS NULL DO UPDATE
       SET data = excluded.data, severity = excluded.severity,
           not_before = least(waiting.not_before, excluded.not_before)
"""
# Purpose: what is told anyway by what is written in its place, or behind that once more.
DROP_UPDATE = f"""
    DELETE FROM {MESSAGE}
     WHERE type = '{MessageType.ALERT_UPDATED}' AND position IS NULL AND alert = ANY(%s)
"""
INSERT_ONE = f"INSERT INTO {MESSAGE} (type, severity, data) VALUES (%s, %s, %s)"


def write(type: MessageType, data: dict[str, Any], severity: str = "") -> None:
    """Writes a message into the transaction of Django's connection; `data` as JSON has it."""
    text = json.dumps(data, ensure_ascii=False)
    if len(text.encode()) > DATA_BYTES_MAX:
        raise ValueError(f"a message of {len(text):,} characters")
    with connection.cursor() as cursor:
        cursor.execute(INSERT_ONE, [type, severity, text])


def link(path: str) -> str:
    """The address of one of our pages, as people outside call it."""
    return f"{settings.SITE_URL}{path}"


def moment(at: datetime) -> str:
    """A moment of UTC as messages have it."""
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def moment_of(column: str) -> str:
    """The same as SQL, of a column."""
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
