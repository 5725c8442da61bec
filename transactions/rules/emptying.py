"""What is known of transactions goes with all of them; rules, versions and lists stay."""

import time
from typing import Any

from psycopg2.errors import QueryCanceled

from ..alerts.models import Alert, AlertEvent, Snooze
from ..notifications import numbering
from ..stores.postgres_session import limits_again
from .backtest import SESSION as BACKTEST_SESSION
from .models import Backtest, ClockCursor, Debt, Gate, Hit, UserState

# A backtest tells of transactions too.
TOLD = (Hit, Debt, UserState, Gate, ClockCursor, AlertEvent, Alert, Snooze, Backtest)
TABLES = ", ".join(model._meta.db_table for model in TOLD)
# Purpose: hits, what is owed, what is kept of users, how far the clock has come, alerts, backtests.
EMPTY = f"TRUNCATE {TABLES}"

# Milliseconds for which the tables are waited for, half of what passes before PostgreSQL looks for deadlocks;
# seconds of a pause in which others go on, and for all of it.
HOLD_MS_MAX, HOLD_PAUSE_S, HOLD_S_MAX = 500, 0.2, 20.0

# What PostgreSQL shows the session as that compares alerts with hits.
CHECK_SESSION = "transactions check"
# Purpose: backtests and checks under way end: their snapshots would hold this up for as long as they take.
END_SNAPSHOTS = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE application_name = ANY(%s) AND datname = current_database() AND usename = current_user
"""


def hold(cursor: Any, others: str) -> None:
    """Waits until nobody uses the tables that are to be emptied, `others` among them, and holds them all.

    Others hold some of them and wait for others, in orders of their own. So nobody is waited for for as
    long as PostgreSQL takes to look for a deadlock: what is held is let go of, and it is tried again.
    Raises psycopg2.errors.QueryCanceled after HOLD_S_MAX.
    """
    until = time.monotonic() + HOLD_S_MAX
    tables = f"{others}, {TABLES}, {numbering.TABLES}"
    while True:
        cursor.execute(f"SAVEPOINT emptying; SET LOCAL statement_timeout = {HOLD_MS_MAX}")
        try:
            cursor.execute(
                f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE; {limits_again('statement_timeout')}"
            )
            return
        except QueryCanceled:
            cursor.execute("ROLLBACK TO SAVEPOINT emptying")
            if time.monotonic() > until:
                raise
        time.sleep(HOLD_PAUSE_S)


def end_snapshots(cursor: Any) -> None:
    """Ends what reads all of history; before tables are emptied. Raises psycopg2.Error."""
    cursor.execute(END_SNAPSHOTS, ([BACKTEST_SESSION, CHECK_SESSION],))


def empty(cursor: Any) -> None:
    """Deletes all that came of transactions. By the one who stores. Raises psycopg2.Error."""
    cursor.execute(EMPTY)
    numbering.empty(cursor)
