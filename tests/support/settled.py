"""Many stored transactions at once, of which a certain share failed."""

from datetime import datetime, timedelta
from itertools import count

from django.contrib.auth.models import User

from transactions.models import Transaction

_numbers = count()


def settle(user: User, since: datetime, until: datetime, rows: int, failed: int, amount: int = 1000) -> None:
    """So many transactions of a user, evenly from `since` until before `until`; so many of them failed,
    evenly among the others."""
    step: timedelta = (until - since) / rows
    Transaction.objects.bulk_create(
        Transaction(
            transaction_id=f"S{next(_numbers)}",
            user=user,
            amount=amount,
            status="FAILED" if (n + 1) * failed // rows > n * failed // rows else "SUCCESS",
            created_at=since + n * step,
        )
        for n in range(rows)
    )
