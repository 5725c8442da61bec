"""`manage.py import_file`: what it says, what it posts, and how it ends."""

import csv
import os
import pty
import re
import select
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from django.contrib.auth.models import User

from tests.support.imported import file_of, import_file
from tests.support.interrupting import interrupted
from tests.support.serving import ROOT, database_url
from transactions.books import balance
from transactions.models import Transaction
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

HEADER = "Payment no;Customer;Total;Result;Paid at"


@pytest.fixture
def url(transactional_db: None, private_url: str) -> str:
    return private_url


def stored() -> list[tuple[str, str, int, str, datetime]]:
    flush()
    found = Transaction.objects.order_by("transaction_id")
    return list(found.values_list("transaction_id", "user__username", "amount", "status", "created_at"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return file_of(
        tmp_path,
        HEADER,
        "P1;alice;1.234,50;Completed;31.01.2026 12:00",
        "P2;bob;-20,00;completed;01.02.2026 00:30",
        "P3;nobody;7,00;Declined;01.02.2026 08:00",
        "P4;alice;0,99;Pending;02.02.2026 08:00",
    )


STATED = ("--timezone", "Europe/Berlin", "--negative", "refund")


def test_a_dry_run_says_what_would_happen_and_posts_nothing(people: list[User], file: Path) -> None:
    status, told = import_file(file, *STATED, "--dry-run")

    assert status == 1
    for said in (
        "CSV, semicolons, UTF-8; taken to mean:",
        "  amount          Total",
        "4 rows: 3 to post, 0 the same once more, 1 refused",
        "1,222.49  in the file, with signs, whatever their status, 4 rows",
        "1,234.50  to post as SUCCESS, 1 row",
        "0.99  to post as PENDING, 1 row",
        "20.00  to post as SUCCESS, refunds, 1 row",
        "7.00  refused, with signs, whatever their status, 1 row",
        "        1  column “Customer”: no user has the name “nobody” (line 4)",
        f'line 2: {{"transaction_id": "P1", "user": {people[0].pk}, "status": "SUCCESS", "amount": 123450, '
        '"created_at": "2026-01-31T11:00:00Z"}',
        '"transaction_id": "refund-P2"',
    ):
        assert said in told, told
    assert stored() == []


def test_a_guess_is_never_taken_silently(people: list[User], file: Path) -> None:
    status, told = import_file(file, *STATED)

    assert status == 2
    assert "taken to mean" in told
    assert told.endswith("--save FILE writes one)")
    assert "give --yes to take it" in told
    assert stored() == []


def test_what_the_file_cannot_tell_is_named_with_the_options_that_do(people: list[User], file: Path) -> None:
    status, told = import_file(file, "--yes")
    assert status == 2
    assert "--negative refund or --negative failed or --negative refuse" in told
    assert "--timezone" in told


def test_what_common_words_for_a_status_are_taken_for_is_told(people: list[User], tmp_path: Path) -> None:
    words = ("authorized", "Voided", "voided", "SUCCESS", "paid")
    rows = [f"P{n};alice;1,50;{word};31.01.2026 12:00" for n, word in enumerate(words)]
    stated = (*STATED, "--status", "paid=PENDING", "--dry-run")
    status, told = import_file(file_of(tmp_path, HEADER, *rows), *stated)
    assert status == 0
    assert (
        "  - Words for a status, as usual: “authorized” is PENDING, “Voided” is FAILED. "
        "What differs is stated: --status WORD=STATUS."
    ) in told


def test_a_file_is_imported_and_summed_up_in_rows_and_money(people: list[User], file: Path, url: str) -> None:
    status, told = import_file(file, *STATED, "--yes", url=url)

    assert status == 1
    assert "3 accepted, 0 replayed, 1 refused" in told
    assert "1,234.50  accepted as SUCCESS, 1 row" in told
    assert "20.00  accepted as SUCCESS, refunds, 1 row" in told
    assert "0.99  accepted as PENDING, 1 row" in told
    assert "7.00  refused, with signs, whatever their status, 1 row" in told
    assert stored() == [
        ("P1", "alice", 123450, "SUCCESS", datetime(2026, 1, 31, 11, tzinfo=UTC)),
        ("P4", "alice", 99, "PENDING", datetime(2026, 2, 2, 7, tzinfo=UTC)),
        ("refund-P2", "bob", 2000, "SUCCESS", datetime(2026, 1, 31, 23, 30, tzinfo=UTC)),
    ]
    status, told = import_file(file, *STATED, "--yes", url=url)
    assert "0 accepted, 3 replayed, 1 refused" in told
    assert "nothing is new: every row that is not refused had been posted before" in told
    assert len(stored()) == 3
    assert balance.read().balanced is True


def test_missing_users_are_made_where_it_is_asked(people: list[User], file: Path, url: str) -> None:
    status, told = import_file(file, *STATED, "--yes", "--create-users", url=url)
    assert (status, "1 user made" in told) == (0, True)
    assert ("P3", "nobody", 700, "FAILED", datetime(2026, 2, 1, 7, tzinfo=UTC)) in stored()


def test_a_mapping_that_is_kept_needs_no_further_word(
    people: list[User], file: Path, url: str, tmp_path: Path
) -> None:
    kept = tmp_path / "shop.toml"
    status, _ = import_file(file, *STATED, "--dry-run", "--save", str(kept))
    assert status == 1

    status, told = import_file(file, "--mapping", str(kept), url=url)

    assert status == 1
    assert "3 accepted, 0 replayed, 1 refused" in told


def test_refused_rows_are_kept_and_go_in_once_corrected_with_nothing_twice(
    people: list[User], url: str, tmp_path: Path
) -> None:
    """A refund gets the id that it would have had; what was guarded is read as it was."""
    file = file_of(
        tmp_path,
        HEADER,
        "P1;alice;1,00;paid;31.01.2026 12:00",
        "P2;bobb;-20,55;paid;01.02.2026 00:30",
        "-P3;carol;5,10;weird;01.02.2026 08:00",
    )
    kept, mapping = tmp_path / "refused.csv", tmp_path / "shop.toml"
    status, _ = import_file(file, *STATED, "--yes", "--errors", str(kept), "--save", str(mapping), url=url)
    assert status == 1
    with kept.open(newline="") as source:
        header, *rows = csv.reader(source)
    assert [*header[:4], *header[5:]] == ["line", "code", "reason", "content_id", *HEADER.split(";")]
    assert header[4].startswith('kinds {"dates": "day first", "decimals": 2, ')
    assert [row[:2] for row in rows] == [["3", "unknown_user"], ["4", "invalid"]]
    assert [row[3:6] for row in rows] == [["", "", "P2"], ["", "", "'-P3"]]

    kept.write_text(kept.read_text().replace("bobb", "bob").replace("weird", "Failed"))
    status, told = import_file(kept, "--mapping", str(mapping), url=url)

    assert status == 0, told
    assert "2 accepted, 0 replayed, 0 refused" in told
    assert [(id, amount) for id, _, amount, _, _ in stored()] == [
        ("-P3", 510), ("P1", 100), ("refund-P2", 2055),
    ]  # fmt: skip
    status, told = import_file(kept, "--mapping", str(mapping), url=url)
    assert "0 accepted, 2 replayed" in told


def test_a_column_that_mixes_forms_is_refused_before_any_post(people: list[User], tmp_path: Path) -> None:
    file = file_of(
        tmp_path, HEADER, "P1;alice;1.234,50;paid;31.01.2026 12:00", "P2;bob;1,234.50;paid;01.02.2026 00:30"
    )
    status, told = import_file(file, *STATED, "--yes")
    assert status == 2
    assert "column “Total”" in told
    assert "line 2" in told
    assert "line 3" in told


def test_one_user_by_name_among_keys_is_refused_before_any_post(people: list[User], tmp_path: Path) -> None:
    rows = (f"P1;{people[0].pk};1.234,50;Completed;31.01.2026 12:00", "P2;;7,00;Completed;31.01.2026 12:00")
    status, told = import_file(
        file_of(tmp_path, HEADER, *rows), *STATED, "--set", "user=guest", "--yes", url="http://127.0.0.1:1"
    )
    assert status == 2
    assert "“guest” is no key of a user, and column “Customer” has keys" in told
    assert "--set users=name" in told


@pytest.mark.parametrize("option", ["--errors", "--save"])
def test_the_file_itself_is_never_written_over(option: str, file: Path) -> None:
    before = file.read_bytes()
    status, told = import_file(file, *STATED, "--yes", option, str(file))
    assert (status, file.read_bytes()) == (2, before)
    assert f"{file} is the file to read: {option} needs one of its own" in told


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--map", "amont=Total"), "--map amont=…: it is no field"),
        (("--map", "amount=Totl"), "the file has no column “Totl”"),
        (("--map", "amount"), "--map amount: say FIELD=COLUMN"),
        (("--mapping", "papal"), "no mapping is called “papal”"),
        (("--mapping", "missing.toml"), "missing.toml: No such file"),
        (("--decimals", "two"), "decimals: "),
        (("--decimal", ";"), '--decimal: it is "." or ","'),
        (("--decimal", "."), "the point is stated as the decimal mark"),
        (("--negative", "drop"), "negative: it is one of refund, failed, refuse"),
        (("--timezone", "Berlin"), "timezone: it is the name of a timezone"),
        (("--dates", "sometimes"), "dates: it is one of"),
        (("--dates", "month first"), "Paid at"),
        (("--status", "paid=GOOD"), "--status paid=…: it is one of PENDING, SUCCESS, FAILED"),
        (("--set", "colour"), "--set colour: say KEY=VALUE"),
        (("--set", "colour=red"), "--set colour=…: it is unknown"),
        (("--encoding", "utf-99"), "utf-99"),
        (("--errors", "/nowhere/refused.csv"), "/nowhere/refused.csv: No such file or directory"),
        (("--url", "nowhere"), "'nowhere' is no URL"),
    ],
)
def test_an_option_that_cannot_be_right_is_named(
    options: tuple[str, ...], said: str, people: list[User], file: Path
) -> None:
    status, told = import_file(file, *STATED, "--yes", *options)
    assert status == 2
    assert said in told.splitlines()[-1]


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    status, told = import_file(tmp_path / "missing.csv")
    assert (status, "missing.csv: no such file" in told) == (2, True)


def test_a_file_without_a_row_is_imported_at_once(tmp_path: Path) -> None:
    assert import_file(file_of(tmp_path, HEADER)) == (
        0,
        "the file has no rows: there is nothing to import\n",
    )


def test_a_server_that_does_not_answer_ends_it_with_the_line(people: list[User], file: Path) -> None:
    status, told = import_file(file, *STATED, "--yes", "--patience", "0.01")
    assert status == 2
    assert "stopped at the row on line 2: gave up after 0.01 s" in told
    assert "0 accepted, 0 replayed" in told


def test_after_ctrl_c_the_same_again_goes_on_from_there(people: list[User], url: str, tmp_path: Path) -> None:
    rows = (f"P{number};alice;1,55;paid;31.01.2026 12:00" for number in range(3000))
    file = file_of(tmp_path, HEADER, *rows)

    status, told, error = interrupted(
        "import_file", str(file), *STATED, "--yes", "--url", url, "--rate", "400", "--batch", "100"
    )
    assert (status, error) == (130, "")
    done = len(stored())
    assert 0 < done < 3000
    # The batch that was under way may have been taken, and nobody heard of it.
    told_of = int(
        re.findall(r"([0-9,]+) accepted, 0 replayed, 0 refused$", told, re.MULTILINE)[0].replace(",", "")
    )
    assert told_of in (done, done - 100)
    assert f"{3000 - told_of:,} rows not reached, behind line " in told

    status, told = import_file(file, *STATED, "--yes", "--batch", "100", url=url)
    assert status == 0
    assert f"{3000 - done:,} accepted, {done:,} replayed" in told
    assert f"a run before had come to line {done + 1:,}: up to there nothing is new" in told
    assert len(stored()) == 3000


def test_somebody_at_a_terminal_is_asked(people: list[User], file: Path, url: str) -> None:
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "import_file", str(file), "--url", url],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database_url()},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    said = answered(
        ours, {"negative: ": "refnd", "negative: \r": "refund", "timezone: ": "Europe/Berlin", "[y/N] ": "y"}
    )
    assert process.wait(60) == 1, said
    assert "taken to mean" in said
    assert "3 accepted, 0 replayed, 1 refused" in said


def answered(terminal: int, answers: dict[str, str]) -> str:
    """What a program says at a terminal, where each question is answered."""
    said, left = "", dict(answers)
    while select.select([terminal], [], [], 60)[0]:
        try:
            more = os.read(terminal, 65536)
        except OSError:
            break
        said += more.decode()
        for question in list(left):
            if said.endswith(question.rstrip("\r")):
                os.write(terminal, f"{left.pop(question)}\n".encode())
                break
    os.close(terminal)
    return said


def test_a_database_that_is_away_is_waited_for_and_told_in_one_line(tmp_path: Path) -> None:
    file = file_of(tmp_path, "id,customer,amount,status", "a,7,5.00,paid")
    away = {**os.environ, "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none"}
    command = [sys.executable, "manage.py", "import_file", str(file), "--dry-run", "--patience", "2"]
    ended = subprocess.run(command, cwd=ROOT, env=away, capture_output=True, text=True, timeout=120)
    assert ended.returncode == 2, ended.stderr
    assert "PostgreSQL does not answer" in ended.stdout
    assert "Connection refused Is the server running" in ended.stderr
    assert "\\n" not in ended.stderr + ended.stdout
