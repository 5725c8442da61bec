"""What the page of an alert reads of a busy user: what lies around the alert, however much came later."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection

from transactions.models import Transaction
from transactions.review import customer
from transactions.rules import evidence
from transactions.rules.models import Hit, Rule, Version

pytestmark = pytest.mark.django_db(transaction=True)

ROWS = 20_000
BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
# A minute a row; of the first hour ten rows are asked for. All of the table and its index are some 500 pages.
FIRST, LAST = BEGIN + timedelta(minutes=50), BEGIN + timedelta(minutes=59)
PAGES_MAX = 50


@pytest.fixture
def busy(people: list[User]) -> User:
    """Has a row a minute, nearly all of them after the alert."""
    Transaction.objects.bulk_create(
        (
            Transaction(
                transaction_id=f"T{number}",
                user=people[0],
                amount=1,
                status="SUCCESS",
                created_at=BEGIN + timedelta(minutes=number),
                accepted_at=BEGIN + timedelta(minutes=number),
            )
            for number in range(ROWS)
        ),
        batch_size=5_000,
    )
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {Transaction._meta.db_table}")
    return people[0]


def pages_read(ask: Callable[[], Any]) -> int:
    """Of the table and its indexes, by whatever `ask` has PostgreSQL do."""
    pages = 0

    def explained(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        nonlocal pages
        if Transaction._meta.db_table in sql:
            execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {sql}", params, many, context)
            ((plan,),) = context["cursor"].fetchone()
            pages += plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]
        return execute(sql, params, many, context)

    with connection.execute_wrapper(explained):
        ask()
    return pages


def test_the_line_of_amounts_reads_no_more_than_its_span(busy: User) -> None:
    found: list[Any] = []
    assert 0 < pages_read(lambda: found.extend(customer.amounts(busy.pk, FIRST, LAST))) < PAGES_MAX
    assert len(found) == 10


def test_what_a_hit_counts_is_found_in_its_window_alone(busy: User) -> None:
    rule = Rule.objects.create(name="Many", severity="LOW")
    version = Version.objects.create(
        rule=rule, number=1, kind="velocity_count", parameters={"count": 2, "window": "10m"}
    )
    row = Transaction.objects.get(transaction_id="T59")
    hit = Hit(version=version, user=busy.pk, transaction=row.pk, happened_at=LAST, figures={})
    found: list[Any] = []
    assert 0 < pages_read(lambda: found.extend(evidence.behind([hit]))) < PAGES_MAX
    assert len(found) == 10
