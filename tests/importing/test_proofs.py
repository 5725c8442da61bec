"""What a whole file proves, what it cannot tell, its sums, and that a plan counts as the API does."""

import csv
import gzip
import json
import os
import random
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from tests.importing.planned import STATED, WHEN, made, records
from tests.importing.tables import EveryKey
from tests.support.serving import ROOT
from transactions.importing.columns.proofs import ColumnError
from transactions.importing.forms import open_table
from transactions.importing.guess import guess
from transactions.importing.mapping import Mapping, MappingError
from transactions.importing.plan import Plan, RowSum, plan

# --- Proofs and sums ----------------------------------------------------------------------------


def test_sums_are_of_the_file_of_the_records_and_of_what_is_left_out() -> None:
    found = made(
        ("a", "7", "5.00", "ok", WHEN),
        ("b", "7", "2.00", "failed", WHEN),
        ("b", "7", "2.00", "failed", WHEN),
        ("c", "", "4.00", "ok", WHEN),
        ("d", "7", "1.00", "pending", WHEN),
    ).summary
    assert found.in_file == RowSum(5, 1400)
    assert found.by_status == {"SUCCESS": RowSum(1, 500), "FAILED": RowSum(1, 200), "PENDING": RowSum(1, 100)}
    assert found.refused == RowSum(1, 400)
    assert (found.rows, found.records, found.replays) == (5, 3, 1)


def test_the_first_ten_records_are_shown() -> None:
    found = made(*((str(at), "7", "1.00", "ok", WHEN) for at in range(20)))
    assert [each.record and each.record["transaction_id"] for each in found.summary.first] == list(
        map(str, range(10))
    )


@pytest.mark.parametrize("stated", [STATED, replace(STATED, mark="", unit="", dates="", users="", ids="")])
def test_a_column_that_contradicts_itself_is_refused_before_anything_is_posted(stated: Mapping) -> None:
    with pytest.raises(ColumnError, match="“5,50”"):
        made(("a", "7", "5.50", "ok", WHEN), ("b", "7", "5,50", "ok", WHEN), by=stated)


def test_what_is_unstated_is_proved_by_the_whole_file() -> None:
    by = replace(STATED, mark="", unit="", dates="", users="", ids="")
    assert made(("a", "7", "5,50", "ok", WHEN), by=by).mapping == replace(STATED, mark=",")


@pytest.mark.parametrize(
    ("row", "unstated", "key"),
    [
        (("a", "7", "1.234", "ok", WHEN), {"mark": ""}, "mark"),
        (("a", "7", "12", "ok", WHEN), {"unit": ""}, "unit"),
        (("a", "7", "-1.50", "ok", WHEN), {"negative": ""}, "negative"),
        (("a", "7", "1.50", "ok", "01/02/2026"), {"dates": ""}, "dates"),
        (("a", "7", "1.50", "ok", WHEN), {"timezone": ""}, "timezone"),
        (("a", "7", "1.50", "ok", WHEN), {"columns": {"amount": "amount", "user": "customer"}}, "status"),
        (
            ("a", "7", "1.50", "ok", WHEN),
            {"columns": {"amount": "amount", "status": "status"}},
            "columns.user",
        ),
        (
            ("a", "7", "1.50", "ok", WHEN),
            {"columns": {"user": "customer", "status": "status"}},
            "columns.amount",
        ),
    ],
)
def test_what_the_file_cannot_tell_is_refused_before_anything_is_posted(
    row: tuple[str, ...], unstated: dict[str, Any], key: str
) -> None:
    by = replace(STATED, **{"ids": "", **unstated})
    with pytest.raises(ColumnError, match=f"State {key}") as refused:
        made(row, by=by)
    assert refused.value.key == key


def test_a_mapping_that_does_not_fit_is_refused() -> None:
    with pytest.raises(MappingError, match=r"columns\.amount: the file has no column “Sum”"):
        made(("a", "7", "1.50", "ok", WHEN), by=replace(STATED, ids="", columns={"amount": "Sum"}))


def test_an_empty_file_has_nothing_to_post() -> None:
    found = made()
    assert (found.summary.rows, list(found.planned())) == (0, [])


# --- A real file in another form ----------------------------------------------------------------

REAL = Path(os.environ.get("REPLAY_FILE") or ROOT.parent / "shared/data/online_retail_invoices.csv")


def rewritten(file: Path, to: Path) -> None:
    """The same with other names, decimal commas, local times without a zone, in UTF-16 and gzip."""
    berlin = ZoneInfo("Europe/Berlin")
    words = {"SUCCESS": "Paid", "FAILED": "Cancelled", "PENDING": "Open"}
    with (
        file.open(newline="") as source,
        gzip.open(to, "wt", encoding="utf-16", newline="", compresslevel=1) as out,
    ):
        writer = csv.writer(out, delimiter=";")
        writer.writerow(["Invoice", "Customer", "Total", "State", "When"])
        for row in csv.DictReader(source):
            whole, cents = divmod(int(row["amount"]), 100)
            local = datetime.fromisoformat(row["created_at"]).astimezone(berlin)
            amount = f"{whole:,}".replace(",", ".") + f",{cents:02}"
            when = f"{local:%d.%m.%Y %H:%M:%S}"
            writer.writerow([row["transaction_id"], row["user"], amount, words[row["status"]], when])


def as_posted(found: Plan) -> list[dict[str, Any] | None]:
    return [each.record for each in found.planned()]


@pytest.mark.slow
def test_a_real_file_in_another_form_has_the_same_rows_and_sums(tmp_path: Path) -> None:
    if not REAL.exists():
        pytest.skip(f"{REAL} is not there; REPLAY_FILE can name a file like it")
    other = tmp_path / "invoices.csv.gz"
    rewritten(REAL, other)
    plans = []
    for file, given in ((REAL, Mapping()), (other, Mapping(timezone="Europe/Berlin"))):
        read = open_table(file, file.name)
        found = guess(read, given)
        assert found.open == ()
        plans.append(plan(read, found.mapping, users=EveryKey()))
    ours, theirs = (made.summary for made in plans)
    assert plans[1].mapping.columns == {
        "transaction_id": "Invoice",
        "user": "Customer",
        "amount": "Total",
        "status": "State",
        "created_at": "When",
    }
    assert (theirs.rows, theirs.records, theirs.replays) == (ours.rows, ours.records, ours.replays)
    assert (theirs.in_file, theirs.by_status, theirs.refused) == (ours.in_file, ours.by_status, ours.refused)
    assert as_posted(plans[0]) == as_posted(plans[1])


# --- Beside the API -----------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", range(5))
def test_a_plan_counts_as_the_api_does(seed: int, api: APIClient, people: list[User]) -> None:
    """Of few ids many rows: new ones, replays, settlements, and conflicts of every kind."""
    chance = random.Random(seed)
    rows = [
        (
            f"id-{chance.randrange(20)}",
            str(chance.choice(people[:2]).pk),
            chance.choice(["1.00", "1.00", "2.00"]),
            chance.choice(["pending", "ok", "failed"]),
            chance.choice([WHEN, WHEN, "2026-01-31 13:00:00"]),
        )
        for _ in range(200)
    ]
    found = made(*rows)
    answer = api.post(
        "/api/add-transactions/", json.dumps(records(found)), content_type="application/json"
    ).json()
    summary = found.summary
    assert (summary.records, summary.replays, summary.refusals.total()) == (
        answer["accepted"],
        answer["duplicates"],
        answer["conflicts"],
    )


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "id", ["a", " ä-1", "x" * 100, "x" * 101, "\u200b", "a\u200b", "a\tb", "a\x85", "🏦", "​­", "´", "\u0301"]
)
def test_an_id_is_refused_where_the_api_refuses_it(id: str, api: APIClient, people: list[User]) -> None:
    record = {"transaction_id": id.strip(), "user": people[0].pk, "amount": 100, "status": "SUCCESS"}
    answer = api.post("/api/add-transaction/", json.dumps(record), content_type="application/json")
    found = made((id, str(people[0].pk), "1.00", "ok", WHEN))
    assert (found.summary.records == 1) == (answer.status_code == 200)
