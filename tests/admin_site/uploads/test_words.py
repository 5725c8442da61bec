"""What the columns and sums of an upload are called, and in which unit its amounts are said to be."""

import re
from dataclasses import replace

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from tests.support.markup import markup
from tests.support.rule_pages import text_of
from tests.support.uploads import MEANT, at, checked, csv_of, importer, uploaded

pytestmark = pytest.mark.django_db(transaction=True)

IN_THE_SMALLEST = replace(MEANT, decimals=0, unit="smallest")


@pytest.fixture
def ina(people: list[User]) -> Client:
    return importer()[0]


def heads(client: Client, where: str) -> list[str]:
    shown = markup(client.get(where)).partition("The first rows as they would be posted")[2]
    return re.findall(r"<th[^>]*>([^<]*)</th>", shown.partition("</thead>")[0])


@pytest.mark.parametrize(("currency", "amount"), [("", "Amount (smallest unit)"), ("EUR", "Amount")])
def test_columns_are_called_as_on_other_pages_and_say_the_unit(
    ina: Client, people: list[User], settings: Settings, currency: str, amount: str
) -> None:
    settings.CURRENCY = currency
    upload = checked(uploaded(csv_of([f"P1,{people[0].pk},7.00,paid,2026-03-14T12:00:00"])))
    assert heads(ina, at("change", upload.pk)) == ["Line", "Id", "Customer", amount, "Status", "Time"]
    assert "Succeeded" in text_of(ina, at("change", upload.pk))


def test_a_sum_in_the_smallest_unit_says_so(ina: Client, people: list[User]) -> None:
    upload = checked(uploaded(csv_of([f"P1,{people[0].pk},700,paid,2026-03-14T12:00:00"])), IN_THE_SMALLEST)
    said = text_of(ina, at("change", upload.pk))
    assert "Rows in the file 1 700 (smallest unit)" in said
    assert "Succeeded 1 700 (smallest unit)" in said
