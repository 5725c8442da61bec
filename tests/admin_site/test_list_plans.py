"""How much of a large table a page of its list reads, and from which index."""

from collections.abc import Callable, Iterator

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.db import transaction
from django.test import Client
from pytest_django import DjangoDbBlocker

from tests.support.admin_pages import ROWS, insert_many, superuser
from tests.support.list_plans import plans, plans_of, rows_read
from transactions.models import Status
from transactions.reading import listing, narrowed

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def many(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[list[User]]:
    """Three people with a large table, which takes a second: pages only read it, each test in a savepoint."""
    with django_db_blocker.unblock(), transaction.atomic():
        people = [User.objects.create_user(name) for name in ("alice", "bob", "carol")]
        insert_many(people, ROWS)
        with database.cursor() as cursor:
            # Foreign keys are looked up once, and not at the end of each test.
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED")
        yield people
        transaction.set_rollback(True)


@pytest.fixture
def root(client: Client, many: list[User]) -> Client:
    """A client on the admin site who may do everything."""
    return superuser(client)


QUERIES: list[Callable[[list[User]], str]] = [
    lambda _: "",
    lambda _: "?order=oldest",
    lambda _: "?order=largest",
    lambda _: "?order=smallest&amount_min=20000",
    lambda _: "?status=SUCCESS",
    lambda _: "?from=2026-03-01&to=2026-03-31T12:00",
    lambda _: "?from=2026-03-14&to=2026-03-14",
    lambda _: "?amount_min=400&amount_max=500",
    lambda people: f"?user={people[1].pk}",
    lambda people: f"?user={people[1].pk}&from=2026-03-02",
]


@pytest.mark.parametrize("query", QUERIES)
def test_no_page_of_the_list_reads_the_whole_table(
    root: Client, many: list[User], query: Callable[[list[User]], str]
) -> None:
    asked = plans(root, query(many))
    # Beside the sums of spans, which read the rollups, and the rows of two quarters at the most.
    counting = [sql for sql, _ in asked if "count(*)" in sql.lower() and "transactions_rollup" not in sql]
    assert counting
    assert [sql for sql in counting if f"LIMIT {narrowed.COUNTED_MAX + 1})" not in sql] == []
    for sql, plan in asked:
        assert rows_read(plan) < ROWS, sql


@pytest.mark.parametrize("query", ["", "?order=oldest", "?from=2026-03-01&to=2026-03-31"])
def test_a_list_in_the_order_of_time_reads_no_more_than_it_can_show(
    root: Client, many: list[User], query: str
) -> None:
    for sql, plan in plans(root, query):
        assert rows_read(plan) <= narrowed.COUNTED_MAX + 1, sql


@pytest.mark.parametrize(
    ("query", "index"),
    [
        ("", "transaction_by_time"),
        ("?order=oldest", "transaction_by_time"),
        ("?status=SUCCESS", "transaction_by_time"),
        ("?from=2026-03-01", "transaction_by_time"),
        ("?order=largest", "transaction_by_amount"),
        ("?order=smallest&amount_min=9", "transaction_by_amount"),
    ],
)
def test_the_list_comes_from_the_index_on_time(
    root: Client, many: list[User], query: str, index: str
) -> None:
    (plan,) = [
        plan for sql, plan in plans(root, query) if sql.startswith('SELECT "transactions_transaction"."id"')
    ]
    assert plan["Node Type"] == "Limit"
    (scan,) = plan["Plans"]
    assert (scan["Node Type"], scan["Index Name"]) == ("Index Scan", index)
    assert scan["Actual Rows"] == 101


@pytest.fixture
def succeeded_since(many: list[User]) -> None:
    """All but the ten oldest and the ten newest of the table succeeded; of both, half are pending."""
    with database.cursor() as cursor:
        cursor.execute(
            """UPDATE transactions_transaction t
                  SET status = CASE WHEN least(n, back) > 10 THEN 'SUCCESS' WHEN n % 2 = 0 THEN 'PENDING'
                               ELSE 'FAILED' END
                 FROM (SELECT id, row_number() OVER (ORDER BY created_at, id) AS n,
                              row_number() OVER (ORDER BY created_at DESC, id DESC) AS back
                         FROM transactions_transaction) AS placed
                WHERE placed.id = t.id"""
        )
        cursor.execute("ANALYZE transactions_transaction")


@pytest.mark.parametrize("status", [Status.PENDING, Status.FAILED])
def test_a_status_that_is_rare_is_found_without_reading_what_succeeded(
    root: Client, succeeded_since: None, status: Status
) -> None:
    asked = plans_of(lambda: listing.page(listing.Wanted(status=status)))
    for order in ("newest", "oldest"):
        asked += plans(root, f"?status={status}&order={order}")
    assert {int(plan["Actual Rows"]) for sql, plan in asked if "LIMIT" in sql} == {10}
    assert max(rows_read(plan) for _, plan in asked) == 10
