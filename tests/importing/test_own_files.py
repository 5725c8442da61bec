"""What the system itself writes goes in again."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from tests.importing.tables import EveryKey, table
from transactions.admin_site.exports import cell, header, in_currency
from transactions.importing.forms import open_table
from transactions.importing.guess import guess
from transactions.importing.mapping import Mapping
from transactions.importing.plan import Plan, plan
from transactions.importing.table import Number, Table
from transactions.spreadsheets import guarded, unguarded

EXPORT = (
    "transaction_id", "user_id", "amount", "status", "created_at", "accepted_at", "stored_at", "settled_at",
)  # fmt: skip
WHEN = datetime(2026, 1, 31, 12, tzinfo=UTC)


@given(st.text("'=+-@;\t\n\r a1−\"＝\u200b", max_size=12) | st.text(max_size=12))
def test_a_text_that_is_guarded_comes_back(text: str) -> None:
    assert unguarded(guarded(text)) == text


@pytest.mark.parametrize("text", ["-neg-1", "'-neg-1", "''x", "a;=b", "'a;'=b", "=1;'=2", "plain", "'"])
def test_texts_that_look_alike_are_guarded_otherwise(text: str) -> None:
    assert unguarded(guarded(text)) == text
    assert unguarded(guarded(f"'{text}")) == f"'{text}"


def exported(*ids: str) -> Table:
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    writer.writerow(header(EXPORT))
    for id in ids:
        row = (id, 7, 1250, "SUCCESS", WHEN, WHEN, WHEN, None)
        writer.writerow([cell(value) for value in in_currency(EXPORT, row)])
    return open_table(io.BytesIO(out.getvalue().encode()), "transactions.csv")


def planned(read: Table) -> Plan:
    found = guess(read, Mapping())
    assert found.open == ()
    return plan(read, found.mapping, users=EveryKey())


def test_the_admins_export_is_read_as_what_was_stored() -> None:
    ids = ["-neg-1", "'quoted", "=1+1", "a;=b", "plain"]
    made = planned(exported(*ids))
    assert [each.record for each in made.planned()] == [
        {
            "transaction_id": id,
            "user": 7,
            "amount": 1250,
            "status": "SUCCESS",
            "created_at": "2026-01-31T12:00:00Z",
        }
        for id in ids
    ]


def test_a_refused_row_of_the_export_keeps_the_cells_that_it_has_there() -> None:
    (each,) = planned(exported("'-neg")).planned()
    assert each.cells["transaction_id"] == "''-neg"


@pytest.mark.parametrize("currency", ["EUR", "JPY", "BHD"])
def test_amounts_of_the_export_come_back_from_the_unit_of_the_currency(
    settings: Settings, currency: str
) -> None:
    settings.CURRENCY = currency
    (record,) = (each.record for each in planned(exported("plain")).planned())
    assert record is not None
    assert record["amount"] == 1250


def test_an_export_of_another_currency_is_refused(settings: Settings) -> None:
    settings.CURRENCY = "EUR"
    read = exported("plain")
    settings.CURRENCY = "USD"
    (each,) = planned(read).planned()
    assert "the currency is “EUR”, and only USD is taken" in each.reason


def test_the_list_of_the_api_is_read_as_what_it_shows(settings: Settings) -> None:
    settings.CURRENCY = "EUR"
    columns = ["id", "transaction_id", "user", "amount", "status", "created_at"]
    row = [Number("1"), "a-1", Number("7"), Number("1250"), "PENDING", "2026-01-31T12:00:00.5Z"]
    (each,) = planned(replace(table(columns, row), form="a JSON list")).planned()
    assert each.record == {
        "transaction_id": "a-1",
        "user": 7,
        "amount": 1250,
        "status": "PENDING",
        "created_at": "2026-01-31T12:00:00.500000Z",
        "currency": "EUR",
    }


def test_a_foreign_file_with_the_lists_columns_is_not_taken_for_the_smallest_unit() -> None:
    columns = ["id", "transaction_id", "user", "amount", "status", "created_at"]
    rows = [[str(at), f"a-{at}", "7", f"{at}.00", "paid", "2026-01-31T12:00:00Z"] for at in (47, 12)]
    assert [each.record and each.record["amount"] for each in planned(table(columns, *rows)).planned()] == [
        4700,
        1200,
    ]


def test_columns_that_tell_of_a_refusal_are_passed_over() -> None:
    columns = ["line", "Reference", "Total", "Customer", "State", "When", "code", "reason"]
    row = ["17", "a-1", "12.50", "7", "Paid", "2026-01-31T12:00Z", "invalid", "user: no such user"]
    made = guess(table(columns, row), Mapping())
    assert made.mapping.columns == {
        "transaction_id": "Reference",
        "amount": "Total",
        "user": "Customer",
        "status": "State",
        "created_at": "When",
    }
    assert made.open == ()
