"""What would be posted of a file: rows, money and reasons, before anything is."""

import csv
import gzip
import json
import os
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework.test import APIClient

from tests.importing.tables import EveryKey, Users, table
from tests.support.serving import ROOT
from transactions.importing.columns.proofs import ColumnError
from transactions.importing.forms import open_table
from transactions.importing.guess import guess
from transactions.importing.mapping import Mapping, MappingError
from transactions.importing.plan import Plan, Planned, RowSum, plan
from transactions.importing.table import Row, Table
from transactions.models import AMOUNT_MAX

HEADER = ("id", "customer", "amount", "status", "when")
STATED = Mapping(
    {
        "transaction_id": "id",
        "user": "customer",
        "amount": "amount",
        "status": "status",
        "created_at": "when",
    },
    ids="column",
    users="key",
    decimals=2,
    unit="whole",
    mark=".",
    dates="iso",
    timezone="UTC",
)
WHEN = "2026-01-31 12:00:00"
AT = "2026-01-31T12:00:00Z"


def made(*rows: Sequence[str], by: Mapping = STATED, users: Any = None) -> Plan:
    return plan(table(HEADER, *rows), by, users=users or EveryKey())


def records(found: Plan) -> list[dict[str, Any] | None]:
    return [each.record for each in found.planned()]


def refusal(*cells: str, by: Mapping = STATED) -> tuple[str, str]:
    found = made(cells, by=by)
    (planned,) = found.planned()
    assert planned.record is None
    assert (found.summary.rows, found.summary.records, found.summary.refusals.total()) == (1, 0, 1)
    return planned.code, planned.reason


# --- What a row becomes -------------------------------------------------------------------------


def test_a_row_becomes_a_record_as_the_api_takes_it() -> None:
    found = made(("a-1", "7.0", "$1,250.50", "Completed", WHEN))
    assert list(found.planned()) == [
        Planned(
            line=2,
            cells=dict(zip(HEADER, ("a-1", "7.0", "$1,250.50", "Completed", WHEN), strict=True)),
            record={
                "transaction_id": "a-1",
                "user": 7,
                "amount": 125050,
                "status": "SUCCESS",
                "created_at": AT,
            },
            money=125050,
        )
    ]


def test_without_a_column_of_times_the_record_has_none() -> None:
    by = replace(STATED, columns={**STATED.columns, "created_at": ""}, dates="", timezone="")
    assert records(made(("a-1", "7", "1.00", "ok", "x"), by=by)) == [
        {"transaction_id": "a-1", "user": 7, "amount": 100, "status": "SUCCESS"}
    ]


def test_what_is_stated_for_empty_cells_is_taken_for_them_alone() -> None:
    by = replace(STATED, user="9", status="PENDING")
    found = records(made(("a-1", "", "1.00", "", WHEN), ("a-2", "7", "1.00", "ok", WHEN), by=by))
    assert [(each["user"], each["status"]) for each in found if each] == [(9, "PENDING"), (7, "SUCCESS")]


def test_an_id_may_be_made_of_several_columns() -> None:
    by = replace(STATED, id_parts=("status",))
    assert [
        each and each["transaction_id"] for each in records(made(("a", "7", "1", "ok", WHEN), by=by))
    ] == ["a-ok"]


def test_rows_of_words_that_are_skipped_are_passed_over() -> None:
    by = replace(STATED, skip={"status": ("Hold",)})
    found = made(("a-1", "7", "1.00", "Hold", WHEN), ("a-2", "7", "1.00", "ok", WHEN), by=by)
    assert [each.line for each in found.planned()] == [3]
    assert (found.summary.rows, found.summary.records, found.summary.passed_over) == (2, 1, 1)


# --- Refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cells", "reason"),
    [
        (("", "7", "1.00", "ok", WHEN), "column “id”: the id is empty: write one"),
        (("x" * 101, "7", "1.00", "ok", WHEN), "is too long for an id: at most 100 characters"),
        (("a\x00b", "7", "1.00", "ok", WHEN), "column “id”: “a�b” is no id"),
        (("a", "", "1.00", "ok", WHEN), "column “customer”: the user is empty"),
        (("a", "ann", "1.00", "ok", WHEN), "column “customer”: “ann” is no key of a user"),
        (("a", "2147483648", "1.00", "ok", WHEN), "column “customer”: “2147483648” is no key of a user"),
        (("a", "0", "1.00", "ok", WHEN), "column “customer”: “0” is no key of a user"),
        (("a", "7", "", "ok", WHEN), "column “amount”: the amount is empty"),
        (("a", "7", "5²", "ok", WHEN), "column “amount”: “5²” is no amount"),
        (("a", "7", "1.005", "ok", WHEN), "column “amount”: “1.005” is finer than the smallest unit"),
        (("a", "7", str(AMOUNT_MAX), "ok", WHEN), "column “amount”: “9223372036854775807” is too large"),
        (("a", "7", "1.00", "", WHEN), "column “status”: the status is empty"),
        (("a", "7", "1.00", "Refunded", WHEN), "column “status”: “Refunded” is no known status"),
        (("a", "7", "1.00", "ok", ""), "column “when”: the time is empty"),
        (
            ("a", "7", "1.00", "ok", "soon"),
            "column “when”: “soon” is no date and time as in 2026-01-31 23:59:59",
        ),
        (("a", "7", "1.00", "ok", "1969-01-01"), "column “when”: “1969-01-01” is before"),
    ],
)
def test_a_cell_that_cannot_be_right_refuses_its_row_by_its_column(
    cells: tuple[str, ...], reason: str
) -> None:
    code, told = refusal(*cells)
    assert code == "invalid"
    assert reason in told


def test_everything_that_is_wrong_with_a_row_is_told() -> None:
    _, told = refusal("", "ann", "x", "Refunded", "soon")
    assert [part.partition(":")[0] for part in told.split("; ")] == [
        f"column “{name}”" for name in ("id", "customer", "status", "amount", "when")
    ]


def test_a_time_ahead_of_the_clock_is_refused() -> None:
    later = (timezone.now() + timedelta(days=2)).strftime("%Y-%m-%d %H:%M:%S")
    assert "is in the future" in refusal("a", "7", "1.00", "ok", later)[1]


def test_a_row_that_the_file_could_not_give_is_refused_as_malformed() -> None:
    broken = Table("CSV", HEADER, lambda: iter([Row(5, {"id": "a"}, "column customer is missing")]))
    found = plan(broken, STATED, users=EveryKey())
    assert [(each.line, each.code, each.reason, each.record) for each in found.planned()] == [
        (5, "malformed", "column customer is missing", None)
    ]


def test_refusals_are_counted_by_reason_without_what_differs() -> None:
    found = made(
        ("a", "7", "lots", "ok", WHEN), ("b", "7", "more", "ok", WHEN), ("c", "7", "1.00", "odd", WHEN)
    )
    assert [count for _, count in found.summary.refusals.most_common()] == [2, 1]
    assert all("lots" not in kind and "odd" not in kind for kind in found.summary.refusals)
    assert found.summary.unknown_statuses == {"odd": 1}


def test_reasons_and_unknown_words_have_an_end() -> None:
    found = made(*((str(at), "7", "1.00", f"odd {at}", WHEN) for at in range(200)))
    assert found.summary.refusals.total() == 200
    assert len(found.summary.unknown_statuses) == 50


def test_of_another_currency_than_the_stated_one_rows_are_refused() -> None:
    by = replace(STATED, currency="EUR")
    found = made(("a", "7", "€1.00", "ok", WHEN), ("b", "7", "2.00 USD", "ok", WHEN), by=by)
    assert [each.reason for each in found.planned()] == [
        "",
        "column “amount”: the currency is “USD”, and only EUR is taken",
    ]


def test_a_column_of_currencies_is_believed_whatever_it_says() -> None:
    by = replace(STATED, currency="EUR", columns={**STATED.columns, "currency": "id"}, ids="content")
    by.columns.pop("transaction_id")
    found = made(*((word, "7", "1.00", "ok", WHEN) for word in ("eur", "€", "US Dollar", "USD", "")), by=by)
    assert [bool(each.record) for each in found.planned()] == [True, True, False, False, True]


# --- Users --------------------------------------------------------------------------------------


def test_a_user_who_is_not_there_refuses_the_row() -> None:
    by = replace(STATED, users="name")
    rows = (("a", "ann", "1.00", "ok", WHEN), ("b", "bob", "2.00", "ok", WHEN))
    found = made(*rows, by=by, users=Users({"ann": 7}))
    assert [(each.code, each.reason) for each in found.planned()] == [
        ("", ""),
        ("unknown_user", "column “customer”: no user has the name “bob”"),
    ]
    assert (found.summary.records, found.summary.refused) == (1, RowSum(1, 200))


def test_users_are_made_when_rows_are_posted_and_not_when_they_are_planned() -> None:
    users = Users(create=True)
    found = made(
        ("a", "ann", "1.00", "ok", WHEN),
        ("b", "ann", "1.00", "ok", WHEN),
        by=replace(STATED, users="name"),
        users=users,
    )
    assert (found.summary.records, users.made) == (2, [])
    assert [each and each["user"] for each in records(found)] == [100, 100]
    assert users.made == ["ann"]


# --- Negative amounts ---------------------------------------------------------------------------


def test_a_refund_is_a_transaction_of_its_own() -> None:
    found = made(
        ("a", "7", "5.00", "ok", WHEN), ("a", "7", "-3.00", "ok", WHEN), by=replace(STATED, negative="refund")
    )
    assert [(each["transaction_id"], each["amount"], each["status"]) for each in records(found) if each] == [
        ("a", 500, "SUCCESS"),
        ("refund-a", 300, "SUCCESS"),
    ]
    assert [each.money for each in found.planned()] == [500, -300]
    assert (found.summary.in_file, found.summary.by_status["SUCCESS, refunds"]) == (
        RowSum(2, 200),
        RowSum(1, 300),
    )


def test_a_refund_whose_id_says_so_already_keeps_it() -> None:
    found = made(("refund-a", "7", "-3.00", "ok", WHEN), by=replace(STATED, negative="refund"))
    assert [each and each["transaction_id"] for each in records(found)] == ["refund-a"]


def test_a_negative_amount_may_be_a_transaction_that_failed() -> None:
    found = made(("a", "7", "(3.00)", "ok", WHEN), by=replace(STATED, negative="failed"))
    assert [(each["amount"], each["status"]) for each in records(found) if each] == [(300, "FAILED")]


def test_a_negative_amount_may_be_refused() -> None:
    assert (
        "“-3.00” is negative"
        in refusal("a", "7", "-3.00", "ok", WHEN, by=replace(STATED, negative="refuse"))[1]
    )


# --- Ids ----------------------------------------------------------------------------------------


def test_rows_of_one_id_are_replays_settlements_or_conflicts() -> None:
    found = made(
        ("a", "7", "5.00", "pending", WHEN),
        ("a", "7", "5.00", "ok", WHEN),
        ("a", "7", "5.00", "ok", WHEN),
        ("a", "7", "6.00", "ok", WHEN),
        ("a", "7", "5.00", "failed", WHEN),
        ("b", "7", "5.00", "ok", WHEN),
        ("b", "7", "5.00", "ok", "2026-01-31 13:00:00"),
    )
    summary = found.summary
    assert (summary.rows, summary.records, summary.replays, summary.refusals.total()) == (7, 3, 1, 3)
    assert all("there again" in kind for kind in summary.refusals)
    # The API finds conflicts once more, and with what it holds already.
    assert all(records(found))


def test_ids_of_content_are_the_same_at_every_run_and_tell_equal_rows_apart() -> None:
    by = replace(STATED, columns={**STATED.columns, "transaction_id": ""}, ids="content")
    rows = [("", "7", "5.00", "ok", WHEN), ("", "7", "5.00", "ok", WHEN), ("", "7", "5.01", "ok", WHEN)]
    once, again = (records(made(*rows, by=by)) for _ in range(2))
    assert once == again
    ids = [each["transaction_id"] for each in once if each]
    assert len(set(ids)) == 3
    assert all(id.startswith("row-") for id in ids)


def test_an_id_of_content_is_of_the_cells_and_not_of_how_they_are_read() -> None:
    by = replace(STATED, columns={**STATED.columns, "transaction_id": ""}, ids="content")
    row = ("", "7", "5", "ok", WHEN)
    cents = made(row, by=replace(by, unit="smallest"))
    whole = made(row, by=by)
    assert [each and each["amount"] for each in (*records(cents), *records(whole))] == [5, 500]
    assert len({each["transaction_id"] for each in (*records(cents), *records(whole)) if each}) == 1


def test_equal_rows_are_counted_and_those_of_a_file_with_ids_are_not() -> None:
    by = replace(STATED, columns={**STATED.columns, "transaction_id": ""}, ids="content")
    rows = [("", "7", "5.00", each, WHEN) for each in ("ok", "ok", "pending", "nobody knows")]
    assert (made(*rows, by=by).summary.equal, made(*rows, by=by).summary.records) == (2, 3)
    assert made(("a", "7", "5.00", "ok", WHEN), ("a", "7", "5.00", "ok", WHEN)).summary.equal == 0


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
