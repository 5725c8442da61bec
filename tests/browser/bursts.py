"""Failures within seconds, posted as a client does, stored and judged."""

from datetime import UTC, datetime, timedelta

from django.contrib.auth.models import User

from tests.browser.dashboard import post_all
from transactions.storing.flush import flush


def post_burst(server: str, user: User, ids: str, count: int = 4) -> None:
    """So many failures within seconds, as a client posts them; then they are stored and judged."""
    post(server, burst_of(user, ids, count))


def burst_of(user: User, ids: str, count: int = 4) -> list[dict[str, object]]:
    begin = datetime.now(UTC) - timedelta(seconds=60)
    return [
        {
            "transaction_id": f"{ids}{n}",
            "user": user.pk,
            "amount": 120 + n,
            "status": "FAILED",
            "created_at": (begin + timedelta(seconds=n)).isoformat(),
        }
        for n in range(count)
    ]


def post(server: str, records: list[dict[str, object]]) -> None:
    """Stored and judged by one flush."""
    post_all(server, records)
    flush()
