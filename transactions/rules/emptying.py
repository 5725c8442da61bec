"""What is known of transactions goes with all of them; rules, versions and lists stay."""

from typing import Any

from ..alerts.models import Alert, AlertEvent, Snooze
from .models import ClockCursor, Debt, Gate, Hit, UserState

EMPTIED = (Hit, Debt, UserState, Gate, ClockCursor, AlertEvent, Alert, Snooze)
TABLES = ", ".join(model._meta.db_table for model in EMPTIED)
# Purpose: hits, what is owed, what is kept of users, how far the clock has come, alerts.
EMPTY = f"TRUNCATE {TABLES}"


def empty(cursor: Any) -> None:
    """Deletes all that came of transactions. By the one who stores. Raises psycopg2.Error."""
    cursor.execute(EMPTY)
