"""Refused rows that are corrected, and files whose mapping is: each row keeps its id and its cells."""

import csv
import json
from datetime import datetime
from pathlib import Path

import openpyxl
import pytest
from django.contrib.auth.models import User

from tests.support.imported import file_of, import_file
from transactions.models import Transaction
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

NAMES = ("--set", "users=name", "--yes")
HEADER = "Customer,Total,State,When"
NO_IDS = ("--map", "transaction_id=", "--timezone", "UTC", "--yes")


@pytest.fixture
def url(transactional_db: None, private_url: str) -> str:
    return private_url


def stored() -> list[tuple[str, int, str]]:
    flush()
    return list(Transaction.objects.order_by("id").values_list("transaction_id", "amount", "status"))


def amounts() -> list[int]:
    return sorted(amount for _, amount, _ in stored())


def rows_of(file: Path) -> list[dict[str, str]]:
    return [*csv.DictReader(file.read_text().splitlines())]


def replaced(file: Path, before: str, after: str) -> Path:
    text = file.read_text()
    assert before in text
    file.write_text(text.replace(before, after))
    return file


def test_a_corrected_row_that_equals_one_that_is_in_is_a_transaction_of_its_own(
    people: list[User], url: str, tmp_path: Path
) -> None:
    row = "alice,1.50,{},2026-01-31 12:00"
    file = file_of(tmp_path, HEADER, *map(row.format, ("paid", "paid", "pd")))
    kept = tmp_path / "refused.csv"
    assert import_file(file, *NO_IDS, "--errors", str(kept), url=url)[0] == 1

    status, told = import_file(replaced(kept, ",pd,", ",paid,"), *NO_IDS, url=url)

    assert "1 accepted, 0 replayed, 0 refused" in told, told
    assert (status, amounts(), len({*stored()})) == (0, [150, 150, 150], 3)
    status, told = import_file(kept, *NO_IDS, url=url)
    assert "0 accepted, 1 replayed, 0 refused" in told


def test_a_row_that_is_refused_twice_keeps_its_id(people: list[User], url: str, tmp_path: Path) -> None:
    """Also as a refund, which has the id with a word in front."""
    stated = (*NO_IDS, "--negative", "refund")
    file = file_of(tmp_path, HEADER, *["bobb,-2.00,pd,2026-01-31 12:00"] * 2)
    first, second, third = (tmp_path / f"{n}.csv" for n in ("first", "second", "third"))
    import_file(
        file, *stated, "--status", "pd=SUCCESS", "--set", "users=name", "--errors", str(first), url=url
    )
    import_file(
        replaced(first, ",pd,", ",x,"), *stated, "--set", "users=name", "--errors", str(second), url=url
    )
    ids = [row["content_id"] for row in rows_of(first)]
    assert ids == [row["content_id"] for row in rows_of(second)]

    replaced(replaced(second, "bobb", "bob"), ",x,", ",paid,")
    status, told = import_file(second, *stated, "--errors", str(third), url=url)

    assert status == 0, told
    assert [id for id, _, _ in stored()] == [f"refund-{id}" for id in ids]


def test_another_mapping_of_the_same_file_finds_the_same_ids(
    people: list[User], url: str, tmp_path: Path
) -> None:
    """What was read wrongly is a conflict then, and never a transaction that is there twice."""
    file = file_of(
        tmp_path,
        "Customer,Total,State,Day,Clock",
        "alice,1.50,paid,2026-01-31,10:30",
        "bob,2.50,paid,2026-01-31,11:30",
    )
    columns = "user=Customer,amount=Total,status=State,created_at=Day"
    assert import_file(file, *NO_IDS, "--map", f"{columns},time=", url=url)[0] == 0
    before = stored()
    assert len(before) == 2

    status, told = import_file(file, *NO_IDS, "--map", f"{columns},time=Clock", url=url)

    assert (status, "2 refused" in told) == (1, True), told
    assert stored() == before
    assert stored() == before


def test_what_is_pending_in_one_export_and_completed_in_the_next_is_one_transaction(
    people: list[User], url: str, tmp_path: Path
) -> None:
    """By a column that is mapped as the status, and one that is called so."""
    lines = ("alice,1.50,{},2026-01-31 12:00,{}", "bob,2.50,{},2026-01-31 12:00,{}")
    first, second = (
        file_of(tmp_path, f"{HEADER},Progress", *(each.format(*said) for each in lines), name=name)
        for name, said in (("may.csv", ("Hold", "pending")), ("june.csv", ("Done", "completed")))
    )
    columns = ("--map", "status=Progress", "--set", "users=name")
    assert import_file(first, *NO_IDS, *columns, url=url)[0] == 0
    assert {status for _, _, status in stored()} == {"PENDING"}

    status, told = import_file(second, *NO_IDS, *columns, url=url)

    assert (status, "2 accepted, 0 replayed, 0 refused" in told) == (0, True), told
    assert [(amount, status) for _, amount, status in stored()] == [(150, "SUCCESS"), (250, "SUCCESS")]


def test_equal_rows_of_one_file_are_two_and_those_of_two_files_are_one(
    people: list[User], url: str, tmp_path: Path
) -> None:
    coffee, tea = "alice,1.50,paid,2026-01-31", "alice,2.00,paid,2026-01-31"
    first = file_of(tmp_path, HEADER, coffee, coffee, tea, name="first.csv")
    second = file_of(tmp_path, HEADER, coffee, coffee, coffee, "bob,3.00,paid,2026-02-01", name="second.csv")

    _, told = import_file(first, *NO_IDS, url=url)
    assert "3 accepted" in told
    assert "1 row is equal to earlier ones of this file, but for the status" in told
    assert "in already" not in told
    _, told = import_file(second, *NO_IDS, url=url)

    assert "2 accepted, 2 replayed" in told
    assert "2 rows are equal to earlier ones of this file, but for the status" in told
    assert "2 rows in already, by a run before or as equal rows of another file" in told
    assert amounts() == [150, 150, 150, 200, 300]


def test_ids_are_made_of_the_columns_that_are_named_where_others_move(
    people: list[User], url: str, tmp_path: Path
) -> None:
    stated = ("--set", "ids=content", "--set", "id_parts=Customer,Total,When", "--set", "users=name", "--yes")
    header, line = "Customer,Total,State,When,Settled,Balance", "alice,1.50,{},2026-01-31T12:00Z,{},{}"
    first = file_of(tmp_path, header, line.format("pending", "", "9.00"))
    assert import_file(first, *stated, url=url)[0] == 0
    second = file_of(tmp_path, header, line.format("paid", "2026-02-01T08:00Z", "7.50"))
    status, told = import_file(second, *stated, url=url)
    assert (status, [status for _, _, status in stored()]) == (0, ["SUCCESS"]), told


def test_rows_of_too_few_or_too_many_cells_are_kept_as_they_stood(
    people: list[User], url: str, tmp_path: Path
) -> None:
    file = file_of(
        tmp_path,
        f"No,{HEADER},Note",
        "A,alice,1.50,paid,2026-01-31 12:00,x",
        "B,alice,2.50",
        "C,alice,1,234.50,paid,2026-01-31 12:00,hello",
    )
    columns = "transaction_id=No,user=Customer,amount=Total,status=State,created_at=When"
    stated = ("--map", columns, "--timezone", "UTC", "--set", "users=name", "--decimals", "2", "--yes")
    kept, again = tmp_path / "refused.csv", tmp_path / "again.csv"
    assert import_file(file, *stated, "--errors", str(kept), url=url)[0] == 1
    # As it is nothing of it goes in, and it is refused for the same.
    status, told = import_file(kept, *stated, "--errors", str(again), url=url)
    assert (status, "0 accepted, 0 replayed, 2 refused" in told) == (1, True), told
    first, second = (list(csv.reader(file.read_text().splitlines())) for file in (kept, again))
    assert [row[5:] for row in first] == [row[5:] for row in second]
    assert [row[5:] for row in first[1:]] == [
        ["B", "alice", "2.50"], ["C", "alice", "1", "234.50", "paid", "2026-01-31 12:00", "hello"],
    ]  # fmt: skip

    replaced(kept, "B,alice,2.50", "B,alice,2.50,paid,2026-01-31 12:00,")
    replaced(kept, "1,234.50,paid", "1234.50,paid")
    status, told = import_file(kept, *stated, url=url)

    assert status == 0, told
    assert stored() == [("A", 150, "SUCCESS"), ("B", 250, "SUCCESS"), ("C", 123450, "SUCCESS")]


def test_a_file_of_rows_that_fit_no_header_says_so_and_goes_in_once_they_do(
    people: list[User], url: str, tmp_path: Path
) -> None:
    alone = file_of(tmp_path, HEADER, "bob,2.50,paid", name="alone.csv")
    status, told = import_file(alone, *NO_IDS, url=url)
    assert status == 2
    assert "not one row fits the header" in told
    assert "line 2: column 'When' is missing" in told

    file = file_of(tmp_path, HEADER, "alice,1.50,paid,2026-01-31 12:00", "bob,2.50,paid")
    kept = tmp_path / "refused.csv"
    import_file(file, *NO_IDS, "--errors", str(kept), url=url)
    status, told = import_file(kept, *NO_IDS, url=url)
    assert status == 1
    assert "column 'When' is missing" in told

    status, told = import_file(replaced(kept, "2.50,paid", "2.50,paid,2026-01-31 13:00"), *NO_IDS, url=url)
    assert (status, amounts()) == (0, [150, 250]), told


def test_numbers_of_the_file_stay_numbers_beside_texts_of_another_form(
    people: list[User], url: str, tmp_path: Path
) -> None:
    written = (("A", "alice", 12.5), ("B", "alicia", "2,50"), ("C", "alicia", 1234.5), ("D", "alicia", -1.5))
    rows = (dict(zip(("No", "Customer", "Total"), each, strict=True)) for each in written)
    file = file_of(tmp_path, *map(json.dumps, rows), name="a.ndjson")
    stated = ("--map", "transaction_id=No", "--status", "SUCCESS", "--negative", "refund", "--yes")
    kept = tmp_path / "refused.csv"
    status, told = import_file(file, *stated, "--errors", str(kept), url=url)
    assert (status, "1 accepted, 0 replayed, 3 refused" in told) == (1, True), told

    status, told = import_file(replaced(kept, "alicia", "alice"), *stated, "--decimal", ",", url=url)

    assert status == 0, told
    assert amounts() == [150, 250, 1250, 123450]


def test_moments_of_the_file_stay_moments_beside_texts_of_another_form(
    people: list[User], url: str, tmp_path: Path
) -> None:
    book = openpyxl.Workbook()
    for row in (
        ["No", "Customer", "Total", "State", "When"],
        ["A", "alicia", 1.5, "paid", datetime(2026, 1, 5, 12, 30)],
        ["B", "alicia", 2.5, "paid", "31.01.2026 12:30"],
    ):
        book.active.append(row)
    file = tmp_path / "a.xlsx"
    book.save(file)
    stated = (
        "--map",
        "transaction_id=No",
        "--timezone",
        "UTC",
        "--dates",
        "day first",
        "--decimals",
        "2",
        *NAMES,
    )
    kept = tmp_path / "refused.csv"
    status, told = import_file(file, *stated, "--errors", str(kept), url=url)
    assert status == 1, told

    status, told = import_file(replaced(kept, "alicia", "alice"), *stated, url=url)

    assert status == 0, told
    flush()
    found = Transaction.objects.order_by("transaction_id").values_list("created_at", flat=True)
    assert [f"{moment:%d.%m.%Y %H:%M}" for moment in found] == ["05.01.2026 12:30", "31.01.2026 12:30"]


def test_a_line_that_is_no_json_is_kept_and_half_a_character_stops_nothing(
    people: list[User], url: str, tmp_path: Path
) -> None:
    good = '{"No": "A", "Customer": "alice", "Total": "1.50"}'
    file = file_of(
        tmp_path,
        good,
        '{"No": "B", "Customer": "alice", "Total": "2.50',
        '{"No": "C", "Customer": "\\ud83d", "Total": "3.50"}',
        good.replace("A", "D"),
        name="a.ndjson",
    )
    kept = tmp_path / "refused.csv"
    stated = ("--map", "transaction_id=No", "--status", "SUCCESS", "--yes")
    status, told = import_file(file, *stated, "--errors", str(kept), url=url)
    assert (status, "2 accepted, 0 replayed, 2 refused" in told) == (1, True), told
    text = kept.read_text(encoding="utf-8")
    assert '""No"": ""B"", ""Customer"": ""alice"", ""Total"": ""2.50' in text
    assert "\\ud83d" in text
    status, told = import_file(kept, *stated, url=url)
    assert "0 accepted, 0 replayed, 2 refused" in told, told


def test_a_dry_run_keeps_conflicts_within_the_file_too(people: list[User], tmp_path: Path) -> None:
    file = file_of(tmp_path, f"No,{HEADER}", *(f"A,alice,{n}.50,paid,2026-01-31 12:00" for n in (1, 2)))
    kept = tmp_path / "refused.csv"
    stated = ("--map", "transaction_id=No", "--set", "ids=column", "--timezone", "UTC", "--yes")
    status, told = import_file(file, *stated, "--dry-run", "--errors", str(kept))
    assert (status, "1 refused" in told) == (1, True), told
    assert [(row["line"], row["Total"], row["code"]) for row in rows_of(kept)] == [("3", "2.50", "conflict")]
