"""CSV files of the admin's lists."""

import csv
import io
from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.http import StreamingHttpResponse
from django.test import Client
from django.urls import reverse

from tests.support.admin_pages import DAY, insert_many, page, reject, staff, store, superuser, url
from transactions.admin_site import exports

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def root(people: list[User]) -> User:
    return User.objects.create_superuser("root")


def saved(user: User, model: str, query: str = "") -> list[list[str]]:
    """The lines of a list's CSV."""
    client = Client()
    client.force_login(user)
    response = client.get(reverse(f"admin:transactions_{model}_export") + query)
    assert response.status_code == 200
    assert response["Content-Disposition"].startswith("attachment; filename=")
    assert isinstance(response, StreamingHttpResponse)
    return list(csv.reader(io.StringIO(response.getvalue().decode())))


def ids(lines: list[list[str]]) -> list[str]:
    return [line[0] for line in lines[1:]]


def test_it_has_every_row_once_and_in_the_lists_order(
    root: User, people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "PORTION_ROWS", 7)
    insert_many(people, 100)
    # Many rows of one moment: a portion ends amid them.
    for n in range(30):
        store(people[0], f"S{n}", created_at=DAY)
    lines = saved(root, "transaction")
    assert lines[0][:5] == ["transaction_id", "user_id", "amount", "status", "created_at"]
    expected = [f"S{n}" for n in range(29, -1, -1)] + [f"M{n}" for n in range(100, 0, -1)]
    assert ids(lines) == expected
    assert ids(saved(root, "transaction", "?o=6")) == expected[::-1]


def test_it_is_filtered_as_the_list_is(root: User, people: list[User]) -> None:
    store(people[0], "A", status="FAILED")
    store(people[1], "B", status="FAILED", created_at=DAY + timedelta(seconds=1))
    store(people[1], "C")
    assert ids(saved(root, "transaction", "?status__exact=FAILED")) == ["B", "A"]
    assert ids(saved(root, "transaction", f"?user={people[1].pk}&q=C")) == ["C"]
    reject("x", id="OPEN")
    reject("x", id="GONE", resolution="DISCARDED")
    assert [line[1] for line in saved(root, "rejectedrecord")[1:]] == ["OPEN"]


def test_the_page_leads_to_the_csv_of_what_it_shows(client: Client, people: list[User]) -> None:
    superuser(client)
    shown = page(client, url("transaction", "?status__exact=FAILED&p=1"))
    assert reverse("admin:transactions_transaction_export") + "?status__exact=FAILED" in shown
    assert "export/" not in page(client, url("epoch"))


def test_only_who_may_view_the_list_may_save_it(client: Client, people: list[User]) -> None:
    path = reverse("admin:transactions_transaction_export")
    assert client.get(path).status_code == 302
    staff(client, "view_rejectedrecord")
    assert client.get(path).status_code == 403


def test_a_filter_that_makes_no_sense_is_refused(client: Client, people: list[User]) -> None:
    superuser(client)
    assert client.get(reverse("admin:transactions_transaction_export") + "?user=x").status_code == 400


@pytest.mark.parametrize(
    ("value", "shown"),
    [("=1+1", "'=1+1"), ("@x", "'@x"), ("-5", "'-5"), (-5, "-5"), ("a=b", "a=b"), (None, ""), ("", "")],
)
def test_no_text_is_a_formula_to_a_spreadsheet(value: object, shown: str) -> None:
    assert exports.cell(value) == shown


def test_moments_are_in_iso_8601_and_utc() -> None:
    assert exports.cell(DAY) == "2026-03-14T12:00:00+00:00"
