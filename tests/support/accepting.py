"""What many tests begin with: records as posted, accepted, or pushed past the door."""

from collections.abc import Coroutine
from typing import Any

from asgiref.sync import async_to_sync
from django.contrib.auth.models import User

from transactions.intake import ingest
from transactions.intake.outcomes import Outcome
from transactions.live import feed
from transactions.queue.keys import BOOKS, QUEUE
from transactions.queue.records import Record
from transactions.stores.redis_connection import connection

NOW = "2026-01-31T12:00:00.000000Z"


def body(user: User, /, **more: Any) -> dict[str, Any]:
    """A record as a client posts it; `more` wins."""
    return {"transaction_id": "TRX123456", "user": user.pk, "amount": 1000, "status": "PENDING", **more}


def record(id: str, user: User, amount: int = 1000, status: str = "PENDING", **more: Any) -> Record:
    """A checked record."""
    return Record(id, user.pk, amount, status, more.get("created_at"))


def outcomes(*records: Record, atomic: bool = False) -> list[Outcome]:
    """What the door says of records."""
    return async_to_sync(ingest.accept)(list(records), "test", atomic=atomic)


def take(*records: Record, atomic: bool = False) -> list[str]:
    """The verdicts of the door, as letters."""
    return [str(outcome.verdict) for outcome in outcomes(*records, atomic=atomic)]


def queued(
    id: str,
    user: User | int,
    amount: int = 1000,
    status: str = "PENDING",
    created: str = "\\N",
    at: str = NOW,
) -> str:
    """A queued record, as intake would have left it while PostgreSQL was away."""
    key = user if isinstance(user, int) else user.pk
    return f"1\t{id}\t{status}\t{key}\t{amount}\t{created}\t{at}\ttest"


def push(*lines: str | bytes) -> None:
    """Puts lines into the queue and counts them as accepted, as the script does without look-ups."""
    pipeline = connection().pipeline()
    pipeline.rpush(QUEUE, *lines)
    pipeline.hsetnx(BOOKS, "epoch", "00000000-0000-4000-8000-000000000001")
    pipeline.hincrby(BOOKS, "accepted", len(lines))
    pipeline.execute()


def serve(work: Coroutine[Any, Any, Any]) -> Any:
    """Runs `work` on a loop with a lasting intake, as a server does."""

    async def main() -> Any:
        intake = ingest.serve_here()
        try:
            return await work
        finally:
            await intake.close()
            await feed.drain()

    return async_to_sync(main)()
