"""The mappings that are shipped: each imports a made-up sample of its system, and the sums are the file's."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
from django.db.models import Count, Sum

from tests.support.import_table import NOTED, plan_of, row_of
from tests.support.imported import SAMPLES, import_file
from transactions.importing import mapping
from transactions.models import Transaction
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)


class Expected(NamedTuple):
    """What a sample comes to: the sums of what is stored, in the smallest unit, and what is told."""

    file: str
    # By status, the rows and their sum.
    sums: dict[str, tuple[int, int]]
    users: int
    # Rows, and the sum, of refunds.
    refunds: tuple[int, int] = (0, 0)
    refused: int = 0
    passed_over: int = 0
    options: tuple[str, ...] = ()


SAMPLED = {
    "stripe-balance": Expected(
        "stripe-balance.csv",
        {"SUCCESS": (4, 12000 + 4550 + 4550 + 125000)},
        users=1,
        refunds=(1, 4550),
        passed_over=2,
    ),
    "stripe-charges": Expected(
        "stripe-charges.csv",
        {"SUCCESS": (2, 1990 + 25000), "FAILED": (1, 98000), "PENDING": (1, 9800)},
        users=2,
        refused=1,
    ),
    "paypal": Expected(
        "paypal.csv",
        {"SUCCESS": (3, 124990 + 2000 + 2000), "PENDING": (1, 7550), "FAILED": (1, 31000)},
        users=4,
        refunds=(1, 2000),
        passed_over=2,
    ),
    "paypal-de": Expected(
        "paypal-de.csv",
        {"SUCCESS": (3, 124990 + 2000 + 500), "PENDING": (1, 7550), "FAILED": (1, 31000)},
        users=4,
        refunds=(1, 500),
        passed_over=2,
    ),
    "olist-payments": Expected(
        "olist-payments.csv", {"SUCCESS": (5, 9933 + 2439 + 6571 + 10780 + 0)}, users=1
    ),
    "paysim": Expected(
        "paysim.csv",
        {"SUCCESS": (5, 983964 + 186428 + 2 * 18100 + 22913394), "FAILED": (1, 495389308)},
        users=4,
    ),
    "camt": Expected(
        "camt.xml",
        {"SUCCESS": (2, 125000 + 5000), "PENDING": (1, 1999)},
        users=2,
        refunds=(1, 5000),
        refused=1,
        options=("--timezone", "Europe/Berlin"),
    ),
}


@pytest.fixture
def url(transactional_db: None, private_url: str) -> str:
    return private_url


def test_each_shipped_mapping_has_a_sample() -> None:
    assert mapping.shipped() == sorted(SAMPLED)


@pytest.mark.parametrize("name", SAMPLED)
def test_a_sample_is_imported_without_a_question_and_its_sums_are_right(
    name: str, url: str, record_property: Callable[[str, Any], None]
) -> None:
    expected = SAMPLED[name]
    file = SAMPLES / expected.file

    status, told = import_file(file, "--mapping", name, "--create-users", *expected.options, url=url)
    flush()

    assert (status, expected.refused) == (1 if expected.refused else 0, expected.refused), told
    found = Transaction.objects.values_list("status").annotate(Count("id"), Sum("amount"))
    assert {status: (rows, total) for status, rows, total in found} == expected.sums
    assert Transaction.objects.values("user").distinct().count() == expected.users
    refunds = Transaction.objects.filter(transaction_id__startswith="refund-")
    sums = refunds.aggregate(rows=Count("id"), total=Sum("amount", default=0))
    assert (sums["rows"], sums["total"]) == expected.refunds
    assert f"{expected.refused} refused" in told
    summary = plan_of(file, "--mapping", name, *expected.options).summary
    record_property(NOTED, row_of(f"sample: {name}", summary, told))

    status, told = import_file(file, "--mapping", name, *expected.options, url=url)
    assert re.search(r"(?<![0-9,])0 accepted", told), told
    status, told = import_file(file, "--mapping", name, *expected.options, "--dry-run")
    if expected.passed_over:
        assert f"{expected.passed_over} passed over" in told


def test_times_are_those_of_the_files_zone(url: str) -> None:
    import_file(SAMPLES / "paypal.csv", "--mapping", "paypal", "--create-users", url=url)
    import_file(SAMPLES / "paysim.csv", "--mapping", "paysim", "--create-users", url=url)
    flush()
    paid = Transaction.objects.get(transaction_id="MADEUP0000000001A")
    assert paid.created_at == datetime(2026, 1, 31, 9, 15, tzinfo=UTC)
    stolen = Transaction.objects.get(status="FAILED", amount=495389308)
    assert stolen.created_at == datetime(2017, 1, 2, 3, tzinfo=UTC)


@pytest.mark.parametrize("name", ["paypal", "paypal-de"])
def test_a_refund_is_of_the_customer_who_gets_it_back(name: str, url: str) -> None:
    import_file(SAMPLES / SAMPLED[name].file, "--mapping", name, "--create-users", url=url)
    flush()
    found = Transaction.objects.get(transaction_id__startswith="refund-")
    assert found.user.username == "ben@example.com"
