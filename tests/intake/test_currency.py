"""A record may state its currency: that of the deployment, and then nothing changes."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings
from rest_framework.test import APIClient

from tests.intake.ways import ADD, MANY, WAYS, Way, written
from transactions.intake import decoder
from transactions.openapi.components import currency_property
from transactions.queue.keys import QUEUE
from transactions.queue.records import Record
from transactions.stores.redis_connection import connection, text

pytestmark = pytest.mark.django_db(transaction=True)

NONE = (
    "No currency is set here (CURRENCY): amounts are numbers of its smallest unit, whatever it is. Leave "
    "this out."
)
OTHER = "Amounts here are in EUR, as it is spelled, and in nothing else."


def queued() -> list[list[str]]:
    return [text(line).split("\t")[:5] for line in connection().lrange(QUEUE, 0, -1)]


@pytest.mark.parametrize("path", [ADD, MANY])
def test_the_deployment_s_own_is_taken_and_changes_nothing(
    api: APIClient, people: list[User], settings: Settings, path: str
) -> None:
    settings.CURRENCY = "EUR"
    key = str(people[0].pk)
    for record in (written(people[0], currency="EUR"), written(people[0])):
        body = record if path == ADD else f"[{record}]"
        answer = api.generic("POST", path, body, content_type="application/json")
        assert answer.status_code == 200, answer.content
    # The second is the same again, and what is queued says nothing of a currency.
    assert queued() == [["1", "T1", "PENDING", key, "1000"]]


@pytest.mark.parametrize("format", ["multipart", None])
def test_a_form_may_state_it_too(
    api: APIClient, people: list[User], settings: Settings, format: str | None
) -> None:
    settings.CURRENCY = "BHD"
    record = {"transaction_id": "T1", "user": people[0].pk, "amount": 1, "currency": "BHD"}
    assert api.post(ADD, record, format=format).status_code == 200
    refused = api.post(ADD, {**record, "currency": "EUR"}, format=format)
    assert refused.status_code == 400
    assert refused.json() == {"currency": [OTHER.replace("EUR", "BHD")]}


@WAYS
@pytest.mark.parametrize("stated", ["USD", "eur", "EUR ", "", "€", 978, True, ["EUR"], {"EUR": 1}])
def test_another_one_is_refused_and_what_is_right_is_said(
    api: APIClient, people: list[User], settings: Settings, way: Way, stated: Any
) -> None:
    settings.CURRENCY = "EUR"
    assert way(api, written(people[0], currency=stated)) == {"currency": [OTHER]}
    assert not connection().exists(QUEUE)


@WAYS
@pytest.mark.parametrize("stated", ["EUR", "USD", "", 978])
def test_without_a_currency_none_can_be_stated(
    api: APIClient, people: list[User], way: Way, stated: Any
) -> None:
    assert way(api, written(people[0], currency=stated)) == {"currency": [NONE]}
    assert not connection().exists(QUEUE)


@WAYS
def test_null_is_no_currency(api: APIClient, people: list[User], settings: Settings, way: Way) -> None:
    settings.CURRENCY = "EUR"
    assert way(api, written(people[0], currency=None)) == {"currency": ["This field may not be null."]}


def test_it_is_read_at_the_first_look(settings: Settings) -> None:
    settings.CURRENCY = "EUR"
    body = b'{"transaction_id": "T1", "user": 1, "amount": 1000, "currency": "EUR"}'
    record = Record("T1", 1, 1000, "PENDING", None)
    assert decoder.record(body) == record
    assert decoder.records(b"[" + body + b"]") == [record]
    # Twice in one record, or another: the serializer has the word.
    assert decoder.record(body[:-1] + b', "currency": "EUR"}') is None
    assert decoder.record(body.replace(b"EUR", b"USD")) is None
    settings.CURRENCY = ""
    assert decoder.record(body) is None


def test_the_schema_has_it_where_there_is_one() -> None:
    assert currency_property("EUR")["currency"]["enum"] == ["EUR"]
    assert currency_property(None) == {}
