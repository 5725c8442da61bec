"""What takes too long is given up, whichever page or call it is: a 503 that says so, and no error of ours."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.contrib.auth.models import User
from django.test import Client
from rest_framework.test import APIClient

from tests.support.admin_pages import store
from tests.support.alerts import open_alert
from tests.support.outages import locked
from transactions.access.rights import Right
from transactions.access.tokens import create
from transactions.alerts.models import Alert
from transactions.notifications.models import Endpoint
from transactions.review import performance
from transactions.stores import bounded_queries

pytestmark = pytest.mark.django_db(transaction=True)

# By what is asked for, the table that it waits for.
PAGES = {
    "alerts/alert/": "alerts_alert",
    "alerts/alert/{alert}/change/": "rules_hit",
    "alerts/alert/snoozes/": "alerts_snooze",
    "rules/rule/performance/": "alerts_alert",
    "notifications/endpoint/": "notifications_endpoint",
    "notifications/endpoint/{endpoint}/change/": "notifications_delivery",
    "notifications/recipient/": "notifications_recipient",
    "audit/entry/": "audit_entry",
    "transactions/customer/{customer}/change/": "transactions_customernote",
    "transactions/transaction/{row}/change/": "transactions_transaction",
    "transactions/transaction/story/?transaction_id=T1": "transactions_transaction",
}
CALLS = {
    "alerts/": "alerts_alert",
    "alerts/counts/": "alerts_alert",
    "alerts/{alert}/": "alerts_alertevent",
    "snoozes/": "alerts_snooze",
    "rules/performance/": "alerts_alert",
    "events/": "notifications_message",
    "webhooks/": "notifications_endpoint",
    "webhooks/{endpoint}/": "notifications_endpoint",
    "webhooks/{endpoint}/deliveries/": "notifications_delivery",
    "audit/": "audit_entry",
}


@contextmanager
def too_slow(table: str) -> Iterator[None]:
    """Whatever needs the table takes too long in this block, for people of little patience."""
    with locked(table), pytest.MonkeyPatch.context() as impatient:
        impatient.setattr(bounded_queries, "STATEMENT_MS_MAX", 200)
        yield


@pytest.fixture
def there(root: Client, people: list[User]) -> dict[str, int]:
    """An alert and a webhook."""
    alert = open_alert(people[0])
    endpoint = Endpoint.objects.create(url="https://example.org/webhooks", secret="none")
    row = store(people[0], "T1")
    return {"alert": alert.pk, "endpoint": endpoint.pk, "customer": people[0].pk, "row": row.pk}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_that_takes_too_long_says_so(root: Client, there: dict[str, int], page: str) -> None:
    where = "/admin/" + page.format(**there)
    with too_slow(PAGES[page]):
        answer = root.get(where)
    assert answer.status_code == 503
    assert "longer than 0.2 seconds" in answer.content.decode()
    assert root.get(where).status_code == 200


def test_a_file_of_evidence_that_takes_too_long_says_where_else_to_ask(
    root: Client, there: dict[str, int]
) -> None:
    where = "/admin/alerts/alert/{alert}/transactions.csv".format(**there)
    with too_slow("rules_hit"):
        answer = root.get(where)
    assert (answer.status_code, answer["Content-Type"]) == (503, "text/plain; charset=utf-8")
    assert "Ask the API for the alert" in answer.content.decode()
    assert root.get(where).status_code == 200


@pytest.mark.usefixtures("there")
def test_performance_stands_without_overlaps_where_these_take_too_long(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = Alert.objects.get().rule
    monkeypatch.setattr(bounded_queries, "STATEMENT_MS_MAX", 1_000)
    monkeypatch.setattr(performance, "SELECT_OVERLAPS", "SELECT 1, NULL, pg_sleep(60)::text")
    found = performance.of_rules([rule], 30)[rule]
    assert (found.overlaps, found.all.alerts) == (None, 1)


@pytest.mark.parametrize("call", CALLS)
def test_a_call_that_takes_too_long_says_so(there: dict[str, int], call: str) -> None:
    token, _ = create("all", username="root", rights=frozenset(Right))
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    where = "/api/" + call.format(**there)
    assert api.get(where).status_code == 200
    with too_slow(CALLS[call]):
        answer = api.get(where)
    assert answer.status_code == 503
    assert answer.json() == {"detail": "This took too long and was given up. Ask for less, or try again."}
