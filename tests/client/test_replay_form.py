"""Files that a replay reads as they are meant, and files that it tells the fault of."""

import csv
from pathlib import Path

import pytest
from django.contrib.auth.models import User

from tests.support.replayed import HEADER, NOWHERE, WHEN, replay, written
from transactions.models import Transaction
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def url(transactional_db: None, private_url: str) -> str:
    return private_url


def raw_file(directory: Path, content: bytes) -> Path:
    file = directory / "transactions.csv"
    file.write_bytes(content)
    return file


def test_a_byte_order_mark_crlf_empty_lines_and_any_order_of_columns_are_let_pass(
    url: str, people: list[User], tmp_path: Path
) -> None:
    key = people[0].pk
    text = (
        f'amount,transaction_id,user,created_at,status\r\n\r\n100,"A,\u00fc",{key},{WHEN},SUCCESS\r\n'
        f"\r\n  \r\n200,B,{key}.0,,\r\n"
    )

    status, told = replay(raw_file(tmp_path, b"\xef\xbb\xbf" + text.encode()), url)
    flush()

    assert (status, told.count("\n")) == (0, 1), told
    found = Transaction.objects.order_by("transaction_id").values_list("transaction_id", "amount", "status")
    assert list(found) == [("A,\u00fc", 100, "SUCCESS"), ("B", 200, "PENDING")]


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        (b"", "line 1: the column 'transaction_id' is missing"),
        (b"transaction_id,user,amount,status\nA,1,1,SUCCESS\n", "line 1: the column 'created_at' is missing"),
        (
            b"\ntransaction_id,user,sum,status,created_at\n",
            "line 2, column 3: 'sum' belongs to no transaction",
        ),
        (
            b"transaction_id,user,amount,status,created_at,\n",
            "line 1, column 6: '' belongs to no transaction",
        ),
        (b"transaction_id,user,user,status,created_at\n", "line 1, column 3: 'user' is there a second time"),
        (
            b'transaction_id,user,amount,status,created_at\nA,1,1,,\n"B,1,1,,\nC,1,1,,\n',
            "line 3: unexpected end",
        ),
        (b'transaction_id,user,amount,status,created_at\nA,"1"1,1,,\n', "line 2: ',' expected after '\"'"),
    ],
)
def test_a_file_that_is_no_table_of_transactions_is_told_with_line_and_column(
    raw: bytes, told: str, tmp_path: Path
) -> None:
    status, said = replay(raw_file(tmp_path, raw), NOWHERE, "--patience", "0.01")

    assert status == 2
    assert told in said.splitlines()[-1]


def test_a_row_with_too_few_or_too_many_columns_or_stray_bytes_holds_up_no_other(
    url: str, people: list[User], tmp_path: Path
) -> None:
    key = people[0].pk
    lines = [
        HEADER,
        f"A,{key},1,SUCCESS,{WHEN}",
        f"B,{key},1",
        f"C,{key},1,SUCCESS,{WHEN},extra",
        f'"D\nD",{key},1,SUCCESS,{WHEN}',
        f"E\udcff,{key},1,SUCCESS,{WHEN}",
        f"F,{key},1,SUCCESS,{WHEN}",
    ]
    file = raw_file(tmp_path, "\n".join(lines).encode(errors="surrogateescape"))
    kept = tmp_path / "refused.csv"

    status, _ = replay(file, url, "--errors", str(kept))
    flush()

    assert status == 1
    with kept.open(newline="", errors="surrogateescape") as source:
        refused = [
            (row["line"], row["transaction_id"], row["code"], row["reason"]) for row in csv.DictReader(source)
        ]
    assert refused == [
        ("3", "B", "malformed", "column status is missing: 3 columns where 5 are expected"),
        ("4", "C", "malformed", "column 6 is too many: 'extra'"),
        ("5", "D\nD", "invalid", "transaction_id: Control characters are not allowed."),
        ("7", "E\udcff", "malformed", "column transaction_id is not UTF-8"),
    ]
    assert set(Transaction.objects.values_list("transaction_id", flat=True)) == {"A", "F"}


def test_the_errors_are_never_written_over_the_file_itself(tmp_path: Path) -> None:
    file = written(tmp_path, f"A,1,1,SUCCESS,{WHEN}")
    before = file.read_bytes()

    status, told = replay(file, NOWHERE, "--errors", str(file))

    assert (status, file.read_bytes()) == (2, before)
    assert "--errors needs one of its own" in told


@pytest.mark.parametrize("option", ["--errors", None])
def test_a_file_that_cannot_be_opened_is_told(option: str | None, tmp_path: Path) -> None:
    missing = tmp_path / "no" / "such"
    options = [option, str(missing)] if option else []

    status, told = replay(written(tmp_path) if option else missing, NOWHERE, *options)

    assert status == 2
    assert told == f"{missing}: No such file or directory"
