"""One file of transactions in many forms: each is the same records, and once stored the same daily averages.

With REPLAY_FILE of the environment all of that file, and each form of it is stored, which takes a quarter
of an hour; else the first rows of a file of real transactions, where there is one, and rows made up for the
purpose. The table at the end of the run says what became of each file.
"""

import os
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.contrib.auth.models import User

from tests.support.file_forms import FORMS, FileForm, rows_of
from tests.support.import_table import NOTED, plan_of, row_of
from tests.support.imported import import_file
from tests.support.serving import ROOT
from transactions.importing.plan import RowSum, Summary
from transactions.models import Transaction
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

GIVEN = os.environ.get("REPLAY_FILE")
REAL = Path(GIVEN or ROOT.parent / "shared/data/online_retail_invoices.csv")
# Rows of it, unless it was asked for.
FIRST = 3_000
# Forms that are stored: the last has all that the others have one by one.
STORED = FORMS if GIVEN else (FORMS[0], FORMS[-1])
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
    made = plan_of(file, *stated)
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


def test_each_form_is_stored_as_the_plain_file_is(
    plain: Path,
    url: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    record_property: Callable[[str, Any], None],
) -> None:
    which, rows, expected = request.node.callspec.params["plain"], rows_of(plain), None
    for form in STORED:
        file = written(form, plain, tmp_path)
        status, told = import_file(file, "--yes", "--create-users", *form.options, url=url)
        assert status == 1, told
        assert "nothing is new" not in told
        found = stored(url)
        expected = expected or found

        assert found == expected, form.name
        assert found[1]["data"]
        summary = plan_of(file, *form.options).summary
        assert summary.in_file == RowSum(len(rows), sum(int(row["amount"]) for row in rows))
        record_property(NOTED, row_of(f"{which}: {form.name}", summary, told))
        Transaction.objects.all().delete()
        flush()
