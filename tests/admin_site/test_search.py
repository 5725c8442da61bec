"""Searching and filtering on the admin site, with terms from anywhere."""

import html
import re
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.support.admin_pages import DAY, listed, page, reject, store, url

pytestmark = pytest.mark.django_db(transaction=True)


def test_search_finds_by_id_its_beginning_and_by_user(root: Client, people: list[User]) -> None:
    for n, (id, user) in enumerate([("INV-1", 0), ("INV-12", 1), ("alice-7", 1), ("X%_", 2), ("INV_1", 2)]):
        store(people[user], id=id, created_at=DAY + timedelta(minutes=n))
    assert listed(root, "?q=INV-1") == ["INV-12", "INV-1"]
    assert listed(root, "?q=INV-12") == ["INV-12"]
    assert listed(root, "?q=nv-1") == []
    assert listed(root, "?q=%25_") == []
    assert listed(root, "?q=X%25_") == ["X%_"]
    assert listed(root, "?q=alice") == ["alice-7", "INV-1"]
    assert listed(root, f"?q={people[2].pk}") == ["INV_1", "X%_"]
    assert listed(root, "?q=+INV-12+") == ["INV-12"]
    assert len(listed(root, "?q=")) == 5


@pytest.mark.parametrize(
    "term", ["%00", "9" * 30, "0" * 30 + "9" * 5000, "%E2%82%82", "%ED%A0%80", "a" * 5000, "'"]
)
def test_search_stands_any_term(root: Client, people: list[User], term: str) -> None:
    store(people[0])
    for model in ("transaction", "rejectedrecord"):
        assert root.get(url(model, f"?q={term}")).status_code == 200


def test_filters_narrow_by_status_and_date(root: Client, people: list[User]) -> None:
    store(people[0], id="OLD", status="FAILED", created_at=datetime(2011, 12, 31, 23, 59, tzinfo=UTC))
    store(people[0], id="NEW", created_at=datetime.now(UTC))
    assert listed(root, "?status__exact=FAILED") == ["OLD"]
    assert listed(root, "?created_at__year=2011") == ["OLD"]
    assert listed(root, "?created_at__year=2011&created_at__month=12&created_at__day=31") == ["OLD"]
    assert listed(root, "?created_at__year=2011&created_at__month=11") == []
    today = re.findall(r'href="(\?created_at__gte[^"]*)" title="Today"', page(root, url("transaction")))[0]
    assert listed(root, today.replace("&amp;", "&")) == ["NEW"]


def test_the_dates_lead_from_years_to_days_that_have_rows(root: Client, people: list[User]) -> None:
    for n, day in enumerate(["2010-12-01", "2011-01-31", "2011-01-31", "2011-02-01", "2011-02-03"]):
        store(people[0], id=f"T{n}", created_at=datetime.fromisoformat(f"{day}T12:00Z"))

    def offered(query: str) -> list[str]:
        links = page(root, url("transaction", query)).partition('class="toplinks ')[2].partition("</ul>")[0]
        titles = re.findall(r"<a [^>]*>(?:\s*<span.*?</span>)?([^<>]+)</a>", links)
        return [html.unescape(title).strip() for title in titles]

    assert offered("") == ["2010", "2011"]
    assert offered("?created_at__year=2011") == ["All dates", "January 2011", "February 2011"]
    february = "?created_at__year=2011&created_at__month=2"
    assert offered(february) == ["2011", "February 1", "February 3"]
    assert offered(f"{february}&created_at__day=3") == ["February 2011"]
    assert offered("?created_at__year=1999") == []


@pytest.mark.parametrize(
    "query",
    [
        "created_at__year=9999", "created_at__year=9999&created_at__month=12", "created_at__year=x",
        "created_at__month=1", "created_at__year=2026&created_at__day=1", "created_at__year=0",
        "created_at__year=2026&created_at__month=13", "created_at__gte=x", "status__exact=NONE", "user=x",
        f"user={'9' * 30}", "user=-1", "p=0", "p=x", "p=99999", "o=99", "o=x.-y", "all=", "_facets=True",
    ],
)  # fmt: skip
def test_a_list_stands_any_parameter(root: Client, people: list[User], query: str) -> None:
    store(people[0])
    response = root.get(url("transaction", f"?{query}"), follow=True)
    assert response.status_code == 200
    assert "paginator" in response.content.decode()


@pytest.mark.parametrize(
    "query",
    ["transaction_id__regex=(a%2B)%2B", "user__password__startswith=p", "amount__gte=1", "stored_at=1"],
)
def test_a_list_takes_no_filter_that_it_does_not_offer(root: Client, people: list[User], query: str) -> None:
    assert root.get(url("transaction", f"?{query}")).status_code == 400


def test_rejected_records_are_the_open_ones_unless_asked_otherwise(root: Client) -> None:
    reject("x", id="OPEN")
    reject("x", id="GONE", resolution="DISCARDED")
    reject("x", id="BACK", resolution="REPLAYED")
    assert listed(root, "", "rejectedrecord") == ["OPEN"]
    assert listed(root, "?resolution=REPLAYED", "rejectedrecord") == ["BACK"]
    assert listed(root, "?resolution=all", "rejectedrecord") == ["BACK", "GONE", "OPEN"]
    assert listed(root, "?resolution=all&q=GO", "rejectedrecord") == ["GONE"]
