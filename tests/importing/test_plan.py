"""What would be posted of a file: rows, money and reasons, before anything is."""

from dataclasses import replace

import pytest

from tests.importing.planned import AT, HEADER, STATED, WHEN, made, records
from transactions.importing.columns.proofs import ColumnError
from transactions.importing.plan import Planned

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


@pytest.mark.parametrize("users", ["key", ""])
def test_a_name_for_rows_that_name_nobody_is_refused_among_keys(users: str) -> None:
    by = replace(STATED, user="guest", users=users)
    with pytest.raises(
        ColumnError, match="user: “guest” is no key of a user, and column “customer” has keys"
    ):
        made(("a-1", "", "1.00", "ok", WHEN), ("a-2", "7", "1.00", "ok", WHEN), by=by)


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
