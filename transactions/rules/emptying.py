"""What is known of transactions goes with all of them; rules, versions and lists stay."""

from typing import Any

from ..alerts.models import Alert, AlertEvent, Snooze
from ..notifications import numbering
from .backtest import SESSION as BACKTEST_SESSION
from .models import Backtest, ClockCursor, Debt, Gate, Hit, UserState

# A backtest tells of transactions too.
TOLD = (Hit, Debt, UserState, Gate, ClockCursor, AlertEvent, Alert, Snooze, Backtest)
TABLES = ", ".join(model._meta.db_table for model in TOLD)
# Purpose: hits, what is owed, what is kept of users, how far the clock has come, alerts, backtests.
EMPTY = f"TRUNCATE {TABLES}"

# What PostgreSQL shows the session as that compares alerts with hits.
CHECK_SESSION = "transactions check"
# Purpose: backtests and checks under way end: their snapshots would hold this up for as long as they take.
END_SNAPSHOTS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE application_name = ANY(%s) AND datname = current_database() AND usename = current_user
"""


def end_snapshots(cursor: Any) -> None:
    """Ends what reads all of history; before tables are emptied. Raises psycopg2.Error."""
    cursor.execute(END_SNAPSHOTS, ([BACKTEST_SESSION, CHECK_SESSION],))


def empty(cursor: Any) -> None:
    """Deletes all that came of transactions. By the one who stores. Raises psycopg2.Error."""
    cursor.execute(EMPTY)
    numbering.empty(cursor)
