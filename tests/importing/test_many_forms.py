"""One file of transactions in many forms: each is the same records, and once stored the same daily averages.

With REPLAY_FILE of the environment all of that file, which takes some minutes; else the first rows of a file
of real transactions, where there is one, and rows made up for the purpose.
"""

import os
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.contrib.auth.models import User
from django.core.management import load_command_class

from tests.support.file_forms import FORMS, FileForm, rows_of
from tests.support.imported import import_file
from tests.support.serving import ROOT
from transactions.importing import options
from transactions.importing.forms import open_table
from transactions.importing.guess import guess
from transactions.importing.plan import Summary, plan
from transactions.importing.users import FileUsers
from transactions.models import Transaction
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

GIVEN = os.environ.get("REPLAY_FILE")
REAL = Path(GIVEN or ROOT.parent / "shared/data/online_retail_invoices.csv")
# Rows of it, unless it was asked for.
FIRST = 3_000
# A repeat, a conflict, an empty user, one that settles, winter and summer, amounts of millions.
MADE_UP = """transaction_id,user,amount,status,created_at
A1,70001,123450,SUCCESS,2026-01-05T10:00:00Z
A2,70002,99,FAILED,2026-01-05T23:30:00Z
A1,70001,123450,SUCCESS,2026-01-05T10:00:00Z
A2,70002,98,FAILED,2026-01-05T23:30:00Z
A3,,500,SUCCESS,2026-01-17T10:00:00Z
A4,70001,700,PENDING,2026-06-06T10:00:00Z
A4,70001,700,SUCCESS,2026-06-06T10:00:00Z
C5,70003,123456789,FAILED,2026-06-17T10:00:00Z
C6,70003,100,SUCCESS,2026-06-18T10:00:00Z
C7,70003,1050,SUCCESS,2026-06-18T10:01:00Z
"""

Records = list[dict[str, Any] | None]


@pytest.fixture(params=["made up", "real"])
def plain(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The file in its plain form."""
    file = tmp_path / "plain.csv"
    if request.param == "made up":
        file.write_text(MADE_UP)
    elif not REAL.exists():
        pytest.skip(f"{REAL} is not there; REPLAY_FILE can name a file like it")
    else:
        with REAL.open() as source:
            file.write_text("".join(source if GIVEN else islice(source, FIRST + 1)))
    return file


def written(form: FileForm, plain: Path, directory: Path) -> Path:
    file = directory / f"invoices.{form.ending}"
    form.write(file, rows_of(plain))
    return file


def planned(file: Path, *stated: str) -> tuple[Records, Summary]:
    """What would be posted of a file, row by row, and what is said of the whole."""
    parser = load_command_class("transactions", "import_file").create_parser("manage.py", "import_file")
    given = options.given(vars(parser.parse_args([str(file), *stated])))
    table = open_table(file, file.name)
    found = guess(table, given)
    assert found.open == ()
    made = plan(table, found.mapping, users=FileUsers(create=True, look_only=True))
    return [each.record for each in made.planned()], made.summary


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.name)
def test_each_form_is_the_same_records(
    form: FileForm, plain: Path, people: list[User], tmp_path: Path
) -> None:
    expected, summary = planned(plain)

    records, other = planned(written(form, plain, tmp_path), *form.options)

    assert len(records) == len(rows_of(plain))
    assert records == expected
    assert (other.records, other.replays, other.in_file) == (
        summary.records,
        summary.replays,
        summary.in_file,
    )
    assert (other.by_status, other.refused) == (summary.by_status, summary.refused)


@pytest.fixture
def url(transactional_db: None, private_url: str) -> str:
    return private_url


def stored(url: str) -> tuple[set[tuple[Any, ...]], Any]:
    """All rows, and the averages of all days."""
    flush()
    rows = Transaction.objects.values_list("transaction_id", "user", "amount", "status", "created_at")
    return {*rows}, httpx.get(f"{url}/api/transactions/average/", timeout=60).json()


def test_all_at_once_it_is_stored_as_the_plain_file_is(plain: Path, url: str, tmp_path: Path) -> None:
    status, told = import_file(plain, "--yes", "--create-users", url=url)
    assert status == 1, told
    expected = stored(url)
    assert expected[1]["data"]
    Transaction.objects.all().delete()
    flush()

    form = FORMS[-1]
    status, told = import_file(written(form, plain, tmp_path), "--yes", *form.options, url=url)

    assert status == 1, told
    assert "nothing is new" not in told
    assert stored(url) == expected
