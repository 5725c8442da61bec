"""The same rows come to the same money before an import and at its end, and each currency to its own."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from pytest_django import Settings

from tests.importing.tables import Users, table
from transactions.client.api import BatchAnswer
from transactions.importing import sums
from transactions.importing.mapping import Mapping as Meaning
from transactions.importing.plan import Plan, RowSum, plan
from transactions.importing.posting import ImportProgress, posted

WHEN = "2026-01-31 12:00:00"
HEADER = ("id", "customer", "currency", "amount", "status", "when")
MEANT = Meaning(
    {
        "transaction_id": "id",
        "user": "customer",
        "currency": "currency",
        "amount": "amount",
        "status": "status",
        "created_at": "when",
    },
    ids="column",
    users="name",
    decimals=2,
    unit="whole",
    mark=".",
    negative="refund",
    dates="iso",
    timezone="UTC",
)
ROWS = (
    ("1", "ann", "GBP", "1,000.00", "ok", WHEN),
    ("2", "ann", "GBP", "-20.00", "ok", WHEN),
    ("3", "bob", "GBP", "-500.00", "ok", WHEN),
    ("4", "bob", "GBP", "20.00", "ok", WHEN),
    ("5", "ann", "USD", "700.00", "ok", WHEN),
    ("6", "bob", "USD", "19.36", "ok", WHEN),
    ("7", "ann", "JPY", "-300", "ok", WHEN),
    ("8", "ann", "GBP", "5.00", "weird", WHEN),
    ("1", "ann", "GBP", "1,000.00", "ok", WHEN),
)


def accepts_all(records: Sequence[Mapping[str, Any]]) -> BatchAnswer:
    ids = {record["transaction_id"] for record in records}
    return BatchAnswer(len(ids), len(records) - len(ids), 0, 0, [])


def found_of(*rows: Sequence[str], by: Meaning = MEANT) -> Plan:
    return plan(table(HEADER, *rows), by, users=Users({"ann": 1}))


def end_of(found: Plan) -> ImportProgress:
    progress = ImportProgress()
    for batch in posted(found.planned(), accepts_all):
        progress.take(batch)
    return progress


def told_of(lines: Any, what: str) -> list[str]:
    return [" ".join(line.split()) for line in lines if what in line]


@pytest.mark.parametrize("negative", ["refund", "failed", "refuse"])
def test_what_is_refused_comes_to_the_same_before_and_after(settings: Settings, negative: str) -> None:
    settings.CURRENCY = "GBP"
    found = found_of(*ROWS, by=replace(MEANT, negative=negative))
    end = end_of(found)
    assert end.refused_money == found.summary.refused
    assert end.refused_others == found.summary.others
    assert found.summary.refused.sum == (-47500 if negative != "refuse" else -49500)
    before, after = list(sums.of_plan(found)), list(sums.of_end(end, found))
    for what in ("refused, with", "another currency"):
        assert told_of(before, what) == told_of(after, what) != []


def test_another_currency_is_in_no_sum_of_the_deployments(settings: Settings) -> None:
    settings.CURRENCY = "GBP"
    found = found_of(*ROWS)
    summary = found.summary
    assert summary.in_file == RowSum(6, 150500)
    assert summary.others == {"USD": RowSum(2, 71936), "JPY": RowSum(1, -300)}
    assert told_of(sums.of_plan(found), "another currency") == [
        "-300 JPY refused, in another currency, with signs, 1 row",
        "719.36 USD refused, in another currency, with signs, 2 rows",
    ]


def test_the_parts_of_a_file_come_to_what_is_in_it(settings: Settings) -> None:
    settings.CURRENCY = "GBP"
    summary = found_of(*ROWS).summary
    posted_sum = summary.by_status["SUCCESS"].sum - summary.by_status["SUCCESS, refunds"].sum
    assert summary.replayed == RowSum(1, 100000)
    assert posted_sum + summary.refused.sum + summary.replayed.sum == summary.in_file.sum


@pytest.mark.parametrize(
    ("currency", "cell", "said"),
    [("JPY", "719.36", "719.36 USD"), ("BHD", "719.36", "719.36 USD"), ("", "719.36", "719.36 USD")],
)
def test_another_currency_is_told_with_its_own_decimals(
    settings: Settings, currency: str, cell: str, said: str
) -> None:
    settings.CURRENCY = currency
    by = replace(MEANT, currency=currency or "JPY", decimals=None, unit="")
    own, other = ("1", "ann", by.currency, "5", "ok", WHEN), ("2", "ann", "USD", cell, "ok", WHEN)
    found = found_of(own, other, by=by)
    (told,) = told_of(sums.of_plan(found), "another currency")
    assert told.startswith(said)
    assert [reason for reason in found.summary.refusals if "the currency is" in reason]


def test_refunds_are_said_to_count_as_payments_do(settings: Settings) -> None:
    settings.CURRENCY = "GBP"
    found = found_of(*ROWS)
    for lines in (sums.of_plan(found), sums.of_end(end_of(found), found)):
        assert any("refunds are transactions of their own" in line for line in lines)
    without = found_of(ROWS[0])
    for lines in (sums.of_plan(without), sums.of_end(end_of(without), without)):
        assert not any("refunds" in line for line in lines)
