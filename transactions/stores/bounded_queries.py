"""Statements of readers that are given up after a while, so that no page holds a connection for long."""

from typing import Any

from django.db import connection, transaction

# How long one statement may take; a figure without an answer says so.
FIGURE_MS_MAX = 5_000

# Purpose: bounds the statement that follows in the same transaction.
LIMIT_TIME = "SELECT set_config('statement_timeout', %s, true)"


def query(sql: str, parameters: dict[str, Any]) -> list[Any]:
    """The rows of one statement, given up after FIGURE_MS_MAX."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(LIMIT_TIME, [str(FIGURE_MS_MAX)])
        cursor.execute(sql, parameters)
        rows: list[Any] = cursor.fetchall()
    return rows
