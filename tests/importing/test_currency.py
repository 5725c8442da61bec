"""Amounts of files against the currency of the deployment."""

from dataclasses import replace
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from pytest_django import Settings

from tests.importing.tables import table
from tests.importing.test_plan import HEADER, STATED, WHEN, made, refusal
from tests.support.imported import file_of, import_file
from tests.support.serving import daphne
from transactions.importing.guess import guess
from transactions.importing.mapping import MappingError
from transactions.importing.plan import RowSum


@pytest.mark.parametrize("cell", ["$12.00", "kr 12.00", "¥12.00", "12.00 Fr.", "CA$12.00", "12.00 USD"])
def test_a_sign_that_does_not_mean_the_currency_refuses_its_row(settings: Settings, cell: str) -> None:
    settings.CURRENCY = "EUR"
    code, reason = refusal("a", "7", cell, "ok", WHEN)
    said = cell.replace("12.00", "").strip()
    assert (code, reason) == (
        "invalid",
        f"column “amount”: the currency is “{said}”, and only EUR is taken",
    )


@pytest.mark.parametrize(
    ("currency", "cell"),
    [("USD", "$12.00"), ("USD", "US$12.00"), ("CAD", "$12.00"), ("CNY", "¥12.00"), ("SEK", "12.00 kr")],
)
def test_a_sign_of_several_currencies_is_taken_for_the_deployments(
    settings: Settings, currency: str, cell: str
) -> None:
    settings.CURRENCY = currency
    (planned,) = made(("a", "7", cell, "ok", WHEN)).planned()
    assert planned.money == 1200


def test_a_stated_currency_that_is_not_the_deployments_is_refused_at_once(settings: Settings) -> None:
    settings.CURRENCY = "EUR"
    by = replace(STATED, currency="USD")
    told = "currency: it is USD, and amounts here are in EUR (CURRENCY): state EUR, or none"
    with pytest.raises(MappingError) as refused:
        made(("a", "7", "1.00 USD", "ok", WHEN), by=by)
    assert str(refused.value) == told
    with pytest.raises(MappingError) as refused:
        guess(table(HEADER, ("a", "7", "1.00", "ok", WHEN)), by)
    assert str(refused.value) == told
    assert made(("a", "7", "1.00 EUR", "ok", WHEN), by=replace(by, currency="EUR")).summary.records == 1


def test_decimals_of_a_kept_mapping_are_the_files_and_records_are_in_the_currencys(
    settings: Settings,
) -> None:
    settings.CURRENCY = "JPY"
    found = made(("a", "7", "99.33", "ok", WHEN), ("b", "7", "99.00", "ok", WHEN))
    assert [each.record and each.record["amount"] for each in found.planned()] == [None, 99]
    assert (found.summary.in_file, found.summary.by_status) == (RowSum(1, 99), {"SUCCESS": RowSum(1, 99)})
    settings.CURRENCY = "BHD"
    (planned,) = made(("a", "7", "99.33", "ok", WHEN)).planned()
    assert planned.record is not None
    assert planned.record["amount"] == 99330


@pytest.mark.parametrize("code", ["EUR", "JPY"])
def test_each_record_states_the_currency_of_the_deployment(settings: Settings, code: str) -> None:
    settings.CURRENCY = code
    (planned,) = made(("a", "7", "5", "ok", WHEN)).planned()
    assert planned.record is not None
    assert planned.record["currency"] == code
    settings.CURRENCY = ""
    (planned,) = made(("a", "7", "5", "ok", WHEN)).planned()
    assert planned.record is not None
    assert "currency" not in planned.record


@pytest.mark.django_db(transaction=True)
def test_a_server_of_another_currency_refuses_each_record(
    settings: Settings, people: list[User], tmp_path: Path
) -> None:
    settings.CURRENCY = "EUR"
    file = file_of(tmp_path, "id,customer,amount,status", f"a,{people[0].pk},5.00,paid")
    with daphne(CURRENCY="USD") as url:
        status, told = import_file(file, "--yes", url=url)
    assert (status, "0 accepted, 0 replayed, 1 refused" in told) == (1, True), told
    assert "Amounts here are in USD" in told
