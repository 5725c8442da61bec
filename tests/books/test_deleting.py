"""Deleting everything, by the API: only where that is allowed, and to its end."""

import threading
import time
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection, transaction
from django.db.models import Model
from rest_framework.test import APIClient

from tests.support.accepting import body
from transactions.alerts.models import Alert, AlertEvent
from transactions.books import epochs
from transactions.models import Transaction
from transactions.notifications.models import Delivery, Message, Numbering
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


def test_whoever_uses_what_is_deleted_in_another_order_is_waited_for(people: list[User]) -> None:
    read: list[str] = []
    told: list[Exception] = []

    def delete() -> None:
        try:
            epochs.empty_everything()
        except Exception as error:
            told.append(error)
        finally:
            connection.close()

    orders: list[tuple[type[Model], type[Model]]] = [
        (Delivery, Message),
        (Message, Delivery),
        (Alert, AlertEvent),
        (Numbering, Message),
    ]
    for first, second in orders:
        with transaction.atomic():
            list(first._default_manager.select_for_update())
            deleting = threading.Thread(target=delete)
            deleting.start()
            time.sleep(0.3)
            list(second._default_manager.select_for_update())
            read.append(second.__name__)
        deleting.join()
    assert (told, len(read)) == ([], len(orders))
