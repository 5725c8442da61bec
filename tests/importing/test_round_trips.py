"""What the system itself writes goes in again: nothing is new, and no id is another."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.contrib.auth.models import User
from django.http import StreamingHttpResponse
from django.test import Client
from django.urls import reverse

from tests.support.imported import file_of, import_file
from tests.support.replayed import HEADER, WHEN
from tests.support.serving import daphne
from transactions.books import balance
from transactions.models import Transaction
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

# Some are formulas to a spreadsheet, some only look as if they had been guarded, some are numbers to it.
IDS = ("-neg-1", "'-neg-1", "=1+1", "'x", "a;=b", "007", "1e5", "12.50", "Müller", "refund-9", "TRUE")


@pytest.fixture
def url(transactional_db: None, private_url: str) -> str:
    return private_url


@pytest.fixture
def before(url: str, people: list[User]) -> list[dict[str, Any]]:
    """What is stored: of several states, and one that settled at another time."""
    records = [
        {"transaction_id": id, "user": people[number % 3].pk, "amount": 2**53 + number, "created_at": WHEN}
        for number, id in enumerate(IDS)
    ]
    settled = [
        {**record, "status": ("SUCCESS", "FAILED")[number % 2], "created_at": "2026-01-31T12:00:00.123456Z"}
        for number, record in enumerate(records[2:])
    ]
    for batch in (records, settled):
        assert httpx.post(f"{url}/api/add-transactions/", json=batch).json()["invalid"] == 0
        flush()
    assert Transaction.objects.filter(status="PENDING").count() == 2
    return stored()


def stored() -> list[dict[str, Any]]:
    flush()
    return [{**row} for row in Transaction.objects.order_by("id").values()]


def is_all_known(before: list[dict[str, Any]], file: Path, url: str) -> None:
    status, told = import_file(file, "--yes", url=url)
    assert status == 0, told
    assert f" 0 accepted, {len(before)} replayed, 0 refused" in told
    assert "nothing is new: every row had been posted before" in told
    assert stored() == before
    assert balance.read().balanced is True


@pytest.mark.parametrize(
    ("zone", "currency"),
    [("UTC", ""), ("Asia/Kathmandu", ""), ("UTC", "EUR"), ("UTC", "JPY"), ("UTC", "BHD")],
)
def test_the_admins_export(
    zone: str,
    currency: str,
    before: list[dict[str, Any]],
    root: Client,
    tmp_path: Path,
    settings: Any,
) -> None:
    settings.CURRENCY = currency
    response = root.get(reverse("admin:transactions_transaction_export"), {"timezone": zone})
    assert isinstance(response, StreamingHttpResponse)
    file = tmp_path / "transactions.csv"
    file.write_bytes(response.getvalue())
    # Records state the currency, which a server without one refuses.
    with daphne(CURRENCY=currency) as of_currency:
        is_all_known(before, file, of_currency)


def test_the_list_of_the_api(before: list[dict[str, Any]], url: str, tmp_path: Path) -> None:
    file = tmp_path / "transactions.json"
    file.write_text(httpx.get(f"{url}/api/transactions/", params={"limit": 1000}).text)
    is_all_known(before, file, url)


def test_records_as_they_were_posted(before: list[dict[str, Any]], url: str, tmp_path: Path) -> None:
    shown = httpx.get(f"{url}/api/transactions/", params={"limit": 1000}).json()["results"]
    names = HEADER.split(",")
    file = file_of(
        tmp_path, *(json.dumps({name: row[name] for name in names}) for row in shown), name="a.ndjson"
    )
    is_all_known(before, file, url)


def test_the_refusals_of_replay_once_corrected(url: str, people: list[User], tmp_path: Path) -> None:
    """`replay --errors` writes the same columns, and amounts in the smallest unit."""
    key = people[0].pk
    file = file_of(
        tmp_path,
        f"line,{HEADER},code,reason",
        f"2,A,{key},100,SUCCESS,{WHEN},invalid,user: This field is required.",
        f"7,B,{key},250,FAILED,{WHEN},conflict,amount: Differs.",
    )
    status, told = import_file(file, "--yes", url=url)
    assert status == 0, told
    assert [row["amount"] for row in stored()] == [100, 250]
