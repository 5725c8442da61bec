"""What the lists of the admin site cost over a large table."""

import html
import json
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.db import transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.support.admin_pages import DAY, ROWS, change, insert_many, listed, page, store, url
from tests.support.outages import transactions_locked
from tests.support.reading import statements_of
from transactions.models import Transaction
from transactions.reading import narrowed
from transactions.stores import bounded_queries

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def many(root: Client, people: list[User]) -> list[User]:
    insert_many(people, ROWS)
    return people


def scans(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The nodes of a plan that read a table or an index."""
    if "Index Name" in plan or "Relation Name" in plan:
        yield plan
    for child in plan.get("Plans", []):
        yield from scans(child)


def plans(client: Client, query: str) -> list[tuple[str, dict[str, Any]]]:
    """The statements on transactions behind a page of the list, each as it was really carried out."""
    with CaptureQueriesContext(database) as queries:
        page(client, url("transaction", query))
    sent = [q["sql"] for q in queries if "transactions_transaction" in q["sql"]]
    statements = [sql for sql in sent if not sql.startswith("EXPLAIN")]
    assert statements
    found = []
    with transaction.atomic(), database.cursor() as cursor:
        # Workers read on for a moment after the limit is reached.
        cursor.execute("SET LOCAL max_parallel_workers_per_gather = 0")
        for sql in statements:
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}".replace("%", "%%"), [])
            (document,) = cursor.fetchone()
            found.append((sql, (json.loads(document) if isinstance(document, str) else document)[0]["Plan"]))
    return found


def rows_read(plan: dict[str, Any]) -> int:
    """The most rows that a scan of the plan has looked at."""
    return max(
        int(node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * int(node["Actual Loops"])
        for node in scans(plan)
    )


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


def test_the_list_of_a_user_among_many_reads_that_users_rows_alone(root: Client, many: list[User]) -> None:
    dave = User.objects.create_user("dave")
    for n in range(150):
        store(dave, id=f"D{n}", created_at=DAY + timedelta(minutes=n))
    with database.cursor() as cursor:
        cursor.execute("ANALYZE transactions_transaction")
    for query in ("?user=dave", f"?user={dave.pk}"):
        assert listed(root, query)[:2] == ["D149", "D148"]
        assert all(rows_read(plan) <= 150 for _, plan in plans(root, query))


def test_the_number_of_queries_does_not_grow_with_the_rows(root: Client, people: list[User]) -> None:
    def queries() -> int:
        return statements_of(lambda: page(root, url("transaction")))

    # More than a page: one that has everything is counted without a query.
    insert_many(people, 200)
    # What is kept for the pages that follow is asked for once.
    queries()
    few = queries()
    Transaction.objects.all().delete()
    insert_many(people, 1_000)
    assert queries() == few


def test_it_counts_no_further_than_it_shows_and_says_so(root: Client, many: list[User]) -> None:
    shown = page(root, url("transaction"))
    assert f"<strong>about {ROWS:,} transactions · succeeded about 1.25B</strong>" in shown
    assert "<strong>11 transactions · succeeded 504,944</strong>" in page(
        root, url("transaction", "?q=M4999")
    )
    assert "about 11" not in page(root, url("transaction", "?q=M4999"))
    assert re.search(
        "<strong>about [0-9,]+ transactions</strong>", page(root, url("transaction", "?amount_min=1"))
    )


def test_pages_follow_each_other_without_an_end(root: Client, many: list[User]) -> None:
    seen, path = [], url("transaction", "?order=smallest&amount_max=250")
    for _ in range(3):
        shown = page(root, path)
        cells = re.findall(r'<td class="field-transaction_id [^>]*>(.*?)</td>', shown, re.DOTALL)
        seen += [re.sub(r"<[^>]*>", "", cell) for cell in cells]
        link = re.search(r'rel="next" href="([^"]*)"', shown)
        path = html.unescape(link[1]) if link else ""
    assert seen == [f"M{n}" for n in range(1, 251)]
    assert path == ""


def test_the_order_can_be_turned_round(root: Client, many: list[User]) -> None:
    assert listed(root)[:2] == [f"M{ROWS}", f"M{ROWS - 1}"]
    assert listed(root, "?order=oldest")[:2] == ["M1", "M2"]
    store(many[0], "LARGE", amount=2**62)
    assert listed(root, "?order=largest")[:2] == ["LARGE", f"M{ROWS}"]
    assert listed(root, "?order=smallest")[:2] == ["M1", "M2"]


def test_a_page_of_a_transaction_does_not_load_every_user(root: Client, people: list[User]) -> None:
    row = store(people[0])
    assert "carol" not in page(root, change(row))
    assert "<select" not in page(root, change(row)).partition('id="content"')[2]


def test_a_list_that_takes_too_long_is_given_up_and_says_so(
    root: Client, people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    with transactions_locked(), monkeypatch.context() as impatient:
        impatient.setattr(bounded_queries, "STATEMENT_MS_MAX", 200)
        response = root.get(url("transaction"))
    assert response.status_code == 503
    assert "longer than 0.2 seconds" in response.content.decode()
    assert root.get(url("transaction")).status_code == 200
