"""What the lists of the admin site cost over a large table."""

import html
import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection as database
from django.test import Client

from tests.support.admin_pages import DAY, ROWS, change, insert_many, listed, page, store, url
from tests.support.list_plans import plans, rows_read
from tests.support.outages import transactions_locked
from tests.support.reading import statements_of
from transactions.models import Transaction
from transactions.stores import bounded_queries

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def many(root: Client, people: list[User]) -> list[User]:
    insert_many(people, ROWS)
    return people


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
