"""Replaying a file through the API: what is stored, what is told, whom it makes."""

import csv
import io
import os
import subprocess
import sys
from collections import defaultdict
from datetime import datetime
from fractions import Fraction
from pathlib import Path

import httpx
import pytest
from django.contrib.auth.models import User
from django.db import connection as database

from tests.support.replayed import WHEN, replay, written
from tests.support.serving import ROOT, database_url
from transactions.books import balance
from transactions.client import users
from transactions.client.csv_file import COLUMNS, ReplayRow
from transactions.client.refusals import TOLD_MAX
from transactions.models import Transaction
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

SAMPLE = Path(__file__).with_name("oddities.csv")
REAL = Path(os.environ.get("REPLAY_FILE") or ROOT.parent / "shared/data/online_retail_invoices.csv")


@pytest.fixture
def url(transactional_db: None, private_url: str) -> str:
    return private_url


# --- A whole file -----------------------------------------------------------------------------


def told_by(file: Path) -> tuple[dict[str, dict[str, str]], list[tuple[int, str]]]:
    """From the file alone: the rows to be stored, by id, and the line and kind of each refusal."""
    stored: dict[str, dict[str, str]] = {}
    refused = []
    with file.open(newline="") as source:
        for line, row in enumerate(csv.DictReader(source), start=2):
            first = stored.setdefault(row["transaction_id"], row) if row["user"] else None
            if first is None:
                refused.append((line, "invalid"))
            elif {**first, "status": ""} != {**row, "status": ""}:
                refused.append((line, "conflict"))
            elif first["status"] == "PENDING":
                stored[row["transaction_id"]] = row
            elif row["status"] not in ("PENDING", first["status"]):
                refused.append((line, "conflict"))
    return stored, refused


def days_of(stored: dict[str, dict[str, str]]) -> dict[str, tuple[int, int]]:
    """The count and the total of each day, in UTC."""
    days: dict[str, list[int]] = defaultdict(list)
    for row in stored.values():
        days[row["created_at"][:10]].append(int(row["amount"]))
    return {day: (len(amounts), sum(amounts)) for day, amounts in days.items()}


def run_command(file: Path, url: str, *options: str) -> "subprocess.CompletedProcess[str]":
    """`manage.py replay` as it is typed, with its server found by PORT."""
    return subprocess.run(
        [sys.executable, "manage.py", "replay", str(file), *options],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database_url(), "PORT": url.rpartition(":")[2]},
        capture_output=True,
        text=True,
        timeout=500,
    )


@pytest.mark.parametrize("file", [SAMPLE, REAL], ids=["sample", "real"])
def test_a_file_is_stored_once_with_every_refusal_told_and_its_averages_right(
    file: Path, url: str, tmp_path: Path
) -> None:
    if not file.exists():
        pytest.skip(f"{file} is not there; REPLAY_FILE can name a file like it")
    stored, refused = told_by(file)
    kept = tmp_path / "refused.csv"

    result = run_command(file, url, "--create-users", "--errors", str(kept))
    flush()

    assert (result.returncode, result.stderr) == (1, "")
    assert f"{len(refused):,} refused" in result.stdout
    lines = file.read_text().splitlines()
    with kept.open(newline="") as source:
        rows = list(csv.DictReader(source))
    assert [(int(row["line"]), row["code"]) for row in rows] == refused
    assert [",".join(row[name] for name in COLUMNS) for row in rows] == [lines[at - 1] for at, _ in refused]
    assert all(row["reason"] for row in rows)

    found = Transaction.objects.values_list(*("user_id" if name == "user" else name for name in COLUMNS))
    expected = {
        (
            row["transaction_id"],
            int(row["user"]),
            int(row["amount"]),
            row["status"],
            datetime.fromisoformat(row["created_at"]),
        )
        for row in stored.values()
    }
    assert len(found) == len(expected)
    assert set(found) == expected
    assert balance.read().balanced is True

    answer = httpx.get(f"{url}/api/transactions/average/", timeout=60).json()
    days = days_of(stored)
    assert (answer["from"], answer["to"]) == (min(days), max(days))
    assert {day["day"]: (day["count"], day["total"]) for day in answer["data"]} == days
    averages = {day["day"]: day["average"] for day in answer["data"]}
    # Python's own round() of a fraction goes to the even one, too.
    assert averages == {day: round(Fraction(total, count)) for day, (count, total) in days.items()}


def test_a_file_replayed_again_adds_nothing(url: str) -> None:
    status, _ = replay(SAMPLE, url, "--create-users")
    flush()
    before = list(Transaction.objects.order_by("id").values())

    again, told = replay(SAMPLE, url, "--create-users")
    flush()

    assert (status, again) == (1, 1)
    assert " 0 accepted" in told
    assert list(Transaction.objects.order_by("id").values()) == before
    assert balance.read().balanced is True


def test_it_ends_with_0_when_every_row_is_accepted_or_a_replay(
    url: str, people: list[User], tmp_path: Path
) -> None:
    row = f"A,{people[0].pk},100,SUCCESS,{WHEN}"

    status, told = replay(written(tmp_path, row, row), url)

    assert status == 0
    assert "2 rows in" in told
    assert "1 accepted, 1 replayed, 0 refused" in told


def test_refusals_are_told_line_by_line_and_summed_up_by_reason(
    url: str, people: list[User], tmp_path: Path
) -> None:
    key = people[0].pk
    file = written(
        tmp_path,
        f"A,{key},100,SUCCESS,{WHEN}",
        f"B,,100,SUCCESS,{WHEN}",
        f"C,{key},1.5,SUCCESS,{WHEN}",
        f"A,{key},200,SUCCESS,{WHEN}",
        f"D,88001,1,SUCCESS,{WHEN}",
        f"E,88002,1,SUCCESS,{WHEN}",
    )

    status, told = replay(file, url)

    assert status == 1
    lines = told.splitlines()
    assert lines[0] == "line 3: 'B' invalid: user: This field is required."
    assert lines[1].startswith("line 4: 'C' invalid: amount: ")
    assert lines[2].startswith("line 5: 'A' conflict: amount: ")
    assert lines[3] == "line 6: 'D' invalid: user: The user \"88001\" does not exist."
    assert lines[5].endswith("1 accepted, 0 replayed, 5 refused")
    assert '          2  invalid: user: The user "…" does not exist.' in lines[6:]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_a_bar_and_not_every_refusal(url: str, tmp_path: Path) -> None:
    out = Terminal()

    status, told = replay(written(tmp_path, *(f"A{n},,1,SUCCESS,{WHEN}" for n in range(50))), url, out=out)

    assert status == 1
    assert "[########################] 100%" in told
    assert told.count("\nline ") + told.startswith("line ") == TOLD_MAX
    assert f"… and {50 - TOLD_MAX} more: --errors FILE keeps every refusal" in told


# --- Users ------------------------------------------------------------------------------------


def test_missing_users_are_made_with_the_keys_of_the_file(
    url: str, people: list[User], tmp_path: Path
) -> None:
    file = written(
        tmp_path,
        f"A,50001,1,,{WHEN}",
        f"B,{people[0].pk},1,,{WHEN}",
        f"C,50002.0,1,,{WHEN}",
        f"D,x,1,,{WHEN}",
    )

    status, told = replay(file, url, "--create-users", "--batch", "2")

    assert (status, "2 users made" in told) == (1, True)
    made = {user.pk: user for user in User.objects.exclude(pk__in=[each.pk for each in people])}
    assert {key: user.username for key, user in made.items()} == {
        50001: "customer-50001",
        50002: "customer-50002",
    }
    assert not any(user.has_usable_password() for user in made.values())
    assert User.objects.get(pk=people[0].pk).username == "alice"
    # An earlier test may have moved the sequence further.
    assert User.objects.create_user("next").pk > 50002


def test_the_sequence_of_users_never_goes_backwards(people: list[User]) -> None:
    with database.cursor() as cursor:
        cursor.execute("SELECT setval(pg_get_serial_sequence('auth_user', 'id'), 90000)")

    assert users.make_missing({50001, people[0].pk}) == 1
    assert users.make_missing({50001}) == 0

    assert User.objects.create_user("next").pk == 90001


@pytest.mark.parametrize("text", ["", "0", "-1", "x", "1.5", "2000000001", "9" * 40, "1_000", " 7", "٣"])
def test_no_user_is_made_for_what_is_no_key(text: str) -> None:
    assert users.keys_in([text]) == set()


def test_a_key_is_read_however_a_table_wrote_it() -> None:
    assert users.keys_in(["7", "007", "8.0", "2000000000"]) == {7, 8, 2_000_000_000}


@pytest.mark.parametrize(
    ("cell", "key"), [("13085.0", "13085"), ("7.", "7"), ("7", "7"), ("7.5", "7.5"), ("x", "x"), ("", None)]
)
def test_a_key_with_a_point_is_made_whole_and_an_amount_never(cell: str, key: str | None) -> None:
    posted = ReplayRow(2, {"transaction_id": "A", "user": cell, "amount": "12.0"}).record()
    assert (posted.get("user"), posted["amount"]) == (key, "12.0")


def test_an_amount_with_a_point_is_refused_and_told(url: str, people: list[User], tmp_path: Path) -> None:
    status, told = replay(written(tmp_path, f"A,{people[0].pk}.0,12.0,SUCCESS,{WHEN}"), url)
    assert status == 1
    assert told.splitlines()[0].startswith("line 2: 'A' invalid: amount: Expected an integer")
    assert "without a decimal point" in told


def test_every_refusal_of_a_large_batch_is_told(url: str, people: list[User], tmp_path: Path) -> None:
    """Of one batch the API tells a hundred."""
    key, kept = people[0].pk, tmp_path / "refused.csv"
    rows = [f"A{n},{key},{'x' if n % 3 else n},SUCCESS,{WHEN}" for n in range(450)]

    status, told = replay(written(tmp_path, *rows, rows[0]), url, "--errors", str(kept))

    assert status == 1
    assert "150 accepted, 1 replayed, 300 refused" in told
    with kept.open(newline="") as source:
        assert [row["transaction_id"] for row in csv.DictReader(source)] == [
            f"A{n}" for n in range(450) if n % 3
        ]
