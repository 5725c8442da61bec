"""How much of the database is read, and a user who has so much in it that it shows."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from transactions.dashboard import cached
from transactions.dashboard.condition import shared_condition
from transactions.models import Transaction
from transactions.tables import TRANSACTIONS

# A busy user has so many rows, one a minute from BEGIN on; their table and its indexes have some 500 pages.
ROWS = 20_000
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)

# Purpose: a row of each user, a minute after that of the one before.
INSERT = f"""
    INSERT INTO {TRANSACTIONS} (transaction_id, user_id, amount, status, created_at, accepted_at, stored_at)
    SELECT 'T' || (number - 1), user_id, 1, 'SUCCESS', moment, moment, now()
      FROM unnest(%s::int[]) WITH ORDINALITY AS each (user_id, number),
           LATERAL (SELECT %s::timestamptz + (number - 1) * interval '1 minute') AS at (moment)
     ORDER BY number
"""


def a_minute_each(*users: User) -> None:
    """A row of each of them, in this order, T0, T1 and so on: the first at BEGIN, the next a minute later."""
    with connection.cursor() as cursor:
        cursor.execute(INSERT, ([user.pk for user in users], BEGIN))


def tell_the_planner(table: str = Transaction._meta.db_table) -> None:
    """How much there is in a table, which it learns by itself after a while."""
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {table}")


def tell_the_planner_nothing(table: str = Transaction._meta.db_table) -> None:
    """The statistics of a table are those of one that was never analyzed, whichever tests came before."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_clear_relation_stats('public', %s)", [table])
        cursor.execute(
            "SELECT pg_clear_attribute_stats('public', %s, attname, false) FROM pg_attribute "
            "WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
            [table, table],
        )


def statements_of(ask: Callable[[], Any]) -> int:
    """How many statements it takes, but those of the system's chip, which is asked for now and then."""
    with patch.object(cached, "monotonic", return_value=0.0):
        shared_condition.get()
        with CaptureQueriesContext(connection) as asked:
            ask()
    return len(asked)


def pages_read(cursor: Any, statement: str, values: Any = None) -> int:
    """The pages of tables and indexes that PostgreSQL looks at while it executes the statement."""
    cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", values)
    ((plan,),) = cursor.fetchone()
    return int(plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"])


def pages_read_by(ask: Callable[[], Any]) -> int:
    """Those that it looks at for all that `ask` selects."""
    with CaptureQueriesContext(connection) as asked:
        ask()
    with connection.cursor() as cursor:
        selected = (each["sql"].strip() for each in asked.captured_queries)
        return sum(pages_read(cursor, sql) for sql in selected if sql.startswith(("SELECT", "WITH")))
