"""How much of the database a statement reads, and a user who has so much that it shows."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from transactions.models import Transaction

# The busy user has so many rows, one a minute: their table and its indexes have some 500 pages.
ROWS = 20_000
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def busy(people: list[User]) -> User:
    """Has a row a minute from BEGIN on; nobody has told the planner so."""
    Transaction.objects.bulk_create(
        (a_row(people[0], number) for number in range(ROWS)),
        batch_size=5_000,
    )
    return people[0]


def a_row(user: User, number: int) -> Transaction:
    """The row of a minute after BEGIN, not stored yet."""
    then = BEGIN + timedelta(minutes=number)
    return Transaction(
        transaction_id=f"T{number}",
        user=user,
        amount=1,
        status="SUCCESS",
        created_at=then,
        accepted_at=then,
    )


def tell_the_planner(table: str = Transaction._meta.db_table) -> None:
    """What there is in a table, as it learns by itself after a while."""
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {table}")


def pages_read(ask: Callable[[], Any], table: str | None = None) -> int:
    """The pages of tables and indexes that PostgreSQL looks at for all that `ask` has it do.

    Of the statements that name `table` alone, where one is given.
    """
    pages = 0

    def explained(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal pages
        if table is None or table in sql:
            execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", params, many, context)
            ((plan,),) = context["cursor"].fetchone()
            pages += plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explained):
        ask()
    return pages
