"""The pages of an upload speak as all pages do: of customers and money, in the viewer's zone and currency."""

from dataclasses import replace

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django import Settings

from tests.support.rule_pages import plain, text_of
from tests.support.uploads import (
    MEANT,
    as_form,
    at,
    checked,
    csv_of,
    imported,
    importer,
    payments,
    step,
    uploaded,
)
from transactions.importing.keys import DATES

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def ina(people: list[User]) -> Client:
    return importer()[0]


def test_a_preview_has_no_word_of_the_api(ina: Client, people: list[User], settings: Settings) -> None:
    settings.CURRENCY = "GBP"
    ina.cookies["timezone"] = "Europe/London"
    row = f"P1,{people[0].pk},1234.50,paid,2026-09-01T00:00:00"
    upload = checked(uploaded(csv_of([row])), replace(MEANT, timezone="Europe/London"))
    said = text_of(ina, at("change", upload.pk))
    planned = said.partition("The first rows as they would be posted")[2]
    assert "Line Id Customer Amount Status Time" in planned
    assert f"2 P1 {people[0].username} ({people[0].pk}) £1,234.50 Succeeded 2026-09-01 00:00:00" in planned
    for word in ("transaction_id", "created_at", "SUCCESS", "2026-08-31T23:00:00Z"):
        assert word not in said


def test_the_form_says_what_may_be_written_in_words(
    ina: Client, people: list[User], settings: Settings
) -> None:
    settings.CURRENCY = "GBP"
    upload = step(uploaded(payments(people[0], 1)))
    page = ina.get(at("change", upload.pk)).content.decode()
    said = text_of(ina, at("change", upload.pk))
    assert "GBP, and no other: rows in any other are refused." in said
    assert "%d.%m.%Y %H:%M reads 31.01.2026 23:59." in said
    for word in ("As iso", "ISO 8601", "Day 0", "As EUR"):
        assert word not in said
    assert all(f'value="{each}" label="' in page for each in DATES)


def test_reasons_are_the_same_before_an_import_and_at_its_end(ina: Client, people: list[User]) -> None:
    key = people[0].pk
    rows = [
        f"P{n},{key},{amount},paid,2026-03-14T12:00:00" for n, amount in enumerate(("1.00", "much", "more"))
    ]
    told = "column “amount”: “much” is no amount: write digits, with a decimal mark where there are decimals"
    said = text_of(ina, at("change", checked(uploaded(csv_of(rows))).pk))
    assert f"{told} (line 3, and 1 more with this or another value) 2" in said
    said = text_of(ina, at("change", imported(uploaded(csv_of(rows))).pk))
    assert f"{told} (line 3, and 1 more with this or another value) 2" in said
    assert "invalid:" not in said


def test_another_currency_and_refunds_are_told_apart(
    ina: Client, people: list[User], settings: Settings
) -> None:
    settings.CURRENCY = "GBP"
    key = people[0].pk
    amounts = ("£100.00", "£-20.00", "USD 719.36", "-£5.00")
    users = (key, key, key, 999_999)
    rows = [
        f"P{n},{user},{amount},paid,2026-03-14T12:00:00"
        for n, (user, amount) in enumerate(zip(users, amounts, strict=True))
    ]
    meant = replace(MEANT, negative="refund")
    before = text_of(ina, at("change", checked(uploaded(csv_of(rows)), meant).pk))
    after = text_of(ina, at("change", imported(uploaded(csv_of(rows), name="b.csv"), meant).pk))
    assert "Rows in the file 4 £75.00" in before
    for said in (before, after):
        assert "Refused 2 -£5.00 719.36 USD, another currency" in said
        assert "Refunds are transactions of their own and have no sign" in said


def test_one_customer_by_name_among_numbers_says_which_field_to_change(
    ina: Client, people: list[User]
) -> None:
    upload = step(uploaded(payments(people[0], 1)))
    form = {**as_form(), "map.user": "guest", "then": "check"}
    said = plain(ina.post(at("meaning", upload.pk), form).content.decode())
    assert "“One customer for all rows”: “guest” is no key of a user, and column “customer” has keys" in said
    assert "“The customer's column has”: names" in said
