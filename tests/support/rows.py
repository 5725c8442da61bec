"""Rows of the table of transactions, put there past the pipeline."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import count

from django.contrib.auth.models import User

from transactions.models import Rollup, Transaction

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
QUARTER_US = 900_000_000

_numbers = count(1)

# Count and sum, by the microsecond at which a bucket begins (from year 1) and status.
Sums = dict[tuple[int, str], tuple[int, int]]


def row(
    user: User, moment: datetime = NOON, amount: int = 1000, status: str = "SUCCESS", id: str = ""
) -> Transaction:
    """A row that is not in the table yet."""
    return Transaction(
        transaction_id=id or f"row {next(_numbers)}",
        user=user,
        created_at=moment,
        amount=amount,
        status=status,
    )


def store(*rows: Transaction) -> list[Transaction]:
    """Puts rows into the table by one statement."""
    return Transaction.objects.bulk_create(rows)


def rolled_up() -> Sums:
    """The rollups."""
    return {(_microsecond(r.bucket), r.status): (r.count, int(r.total)) for r in Rollup.objects.all()}


def summed(rows: Iterable[Transaction] | None = None) -> Sums:
    """What the rollups of rows should be, by default those of the table."""
    sums: dict[tuple[int, str], tuple[int, int]] = defaultdict(lambda: (0, 0))
    for r in Transaction.objects.all() if rows is None else rows:
        microsecond = _microsecond(r.created_at)
        key = (microsecond - microsecond % QUARTER_US, r.status)
        number, total = sums[key]
        sums[key] = (number + 1, total + r.amount)
    return dict(sums)


def _microsecond(moment: datetime) -> int:
    since = moment - datetime.min.replace(tzinfo=UTC)
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
