"""Deleting everything, by the API: only where that is allowed, and to its end."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from tests.support.accepting import body
from transactions.books import epochs
from transactions.models import Transaction
from transactions.stores.postgres_session import Session
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

ADD = "/api/add-transaction/"


def test_everything_is_deleted_only_where_that_is_allowed(
    api: APIClient, people: list[User], settings: Any
) -> None:
    api.post(ADD, body(people[0]), format="json")
    flush()
    settings.ALLOW_DELETE_ALL = False
    assert api.delete("/api/delete-transactions/").status_code == 403
    settings.ALLOW_DELETE_ALL = True
    answer = api.delete("/api/delete-transactions/")
    assert answer.status_code == 200
    assert answer.json() == {"message": "Deleted all rows from transactions_transaction table"}
    assert not Transaction.objects.exists()


def test_a_session_that_postgresql_ends_amid_a_deletion_is_a_503(
    api: APIClient, people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(session: Session, epoch: str) -> None:
        with session.transaction() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    monkeypatch.setattr(epochs, "_finish_emptying", end)
    answer = api.delete("/api/delete-transactions/")
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
