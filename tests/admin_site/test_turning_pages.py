"""Pages of lists that are as long as they like: on to the next, and back again."""

import html
import re
from datetime import UTC, datetime, timedelta
from itertools import chain
from urllib.parse import urljoin

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.support.admin_pages import DAY, insert_many, listed, page, store, url
from tests.support.alerts import open_alert
from transactions.alerts.models import Snooze
from transactions.models import Transaction

pytestmark = pytest.mark.django_db(transaction=True)

QUEUE = "/admin/alerts/alert/"
ORDERS = ("newest", "oldest", "largest", "smallest")


def of_one_moment(user: User) -> None:
    Transaction.objects.bulk_create(
        Transaction(transaction_id=f"S{n:03}", user=user, amount=1, created_at=DAY) for n in range(250)
    )


def link(shown: str, rel: str) -> str:
    """Where a button of that kind leads; "" where there is none."""
    found = re.search(rf'href="([^"]*)" rel="{rel}"|rel="{rel}" href="([^"]*)"', shown)
    return html.unescape(found[1] or found[2]) if found else ""


def turned(client: Client, path: str, row: str) -> tuple[list[list[str]], list[list[str]]]:
    """What `row` finds on each page after the first, and on each of those on the way back."""
    found: dict[str, list[list[str]]] = {"next": [], "prev": []}
    for rel, pages in found.items():
        shown = page(client, path)
        while on := link(shown, rel):
            path = urljoin(path, on)
            shown = page(client, path)
            pages.append(re.findall(row, shown))
    return found["next"], found["prev"]


OF_ALERT, OF_SNOOZE = r'data-alert="(\d+)"', r"because (\d+);"
OF_TRANSACTION = r'<td class="field-transaction_id [^>]*>.*?title="([^"]*)"'


@pytest.mark.parametrize("order", ORDERS)
def test_rows_of_one_moment_are_neither_repeated_nor_hidden_there_and_back(
    root: Client, people: list[User], order: str
) -> None:
    of_one_moment(people[0])
    insert_many(people, 3)
    path = url("transaction", f"?order={order}&from=2026-03-14&to=2026-03-14")
    there, back = turned(root, path, OF_TRANSACTION)
    first = listed(root, path.removeprefix(url("transaction")))
    assert [len(rows) for rows in (first, *there)] == [100, 100, 50]
    assert sorted(chain(first, *there)) == [f"S{n:03}" for n in range(250)]
    assert back == [there[0], first]


def test_the_first_page_that_somebody_comes_back_to_has_what_is_new(root: Client, people: list[User]) -> None:
    of_one_moment(people[0])
    second = page(root, link(page(root, url("transaction")), "next"))
    store(people[0], "NEW", created_at=DAY + timedelta(days=1))
    first = page(root, link(page(root, link(second, "prev")), "prev"))
    assert re.findall(OF_TRANSACTION, first) == listed(root)
    assert listed(root)[0] == "NEW"
    assert not link(first, "prev")


def test_a_place_of_two_pages_or_of_another_order_is_refused(root: Client, people: list[User]) -> None:
    of_one_moment(people[0])
    place = link(page(root, url("transaction")), "next").partition("cursor=")[2]
    for query, told in (
        (f"cursor={place}&before={place}", "leave one of the two out"),
        (f"before={place}&order=largest", "another order"),
        ("before=made-up", "No page of this list begins here"),
    ):
        answer = root.get(url("transaction", f"?{query}"))
        assert answer.status_code == 400
        assert told in answer.content.decode()


@pytest.mark.parametrize("query", ["", "?sort=due", "?sort=newest"])
def test_the_queue_of_alerts_is_gone_through_there_and_back(
    root: Client, people: list[User], query: str
) -> None:
    now = datetime.now(UTC)
    for n in range(120):
        open_alert(
            people[n % 3],
            rule=n,
            severity=("CRITICAL", "LOW", "HIGH")[n % 3],
            opened_at=now - timedelta(minutes=n // 2),
            due_at=now + timedelta(minutes=n // 3),
        )
    first = re.findall(OF_ALERT, page(root, QUEUE + query))
    there, back = turned(root, QUEUE + query, OF_ALERT)
    assert [len(rows) for rows in (first, *there)] == [50, 50, 20]
    assert len(set(chain(first, *there))) == 120
    assert back == [there[0], first]


def test_snoozes_are_gone_through_there_and_back(root: Client, people: list[User]) -> None:
    ends = datetime.now(UTC) + timedelta(days=1)
    Snooze.objects.bulk_create(
        Snooze(rule=n, user=people[0].pk, reason=f"because {n};", ends_at=ends + timedelta(hours=n // 2))
        for n in range(120)
    )
    first = re.findall(OF_SNOOZE, page(root, f"{QUEUE}snoozes/"))
    there, back = turned(root, f"{QUEUE}snoozes/", OF_SNOOZE)
    assert [len(rows) for rows in (first, *there)] == [50, 50, 20]
    assert back == [there[0], first]
