"""Puts records into the queue through the front door of `ingest`, without a web server."""

import asyncio
import secrets
from datetime import UTC, datetime

from transactions.intake.ingest import Intake
from transactions.intake.outcomes import Verdict
from transactions.queue.records import Record

# As many at once keep the next group full while one is under way.
AT_ONCE = 4000


def fill(count: int, users: range) -> None:
    """Accepts `count` new transactions. Raises RuntimeError where one was not new."""
    asyncio.run(_fill(count, users))


async def _fill(count: int, users: range) -> None:
    run, now, intake = secrets.token_hex(4), datetime.now(UTC), Intake()
    for start in range(0, count, AT_ONCE):
        records = [
            Record(f"{run}-{n:09}", users[n % len(users)], 10_000 + n % 80_000, "SUCCESS", now)
            for n in range(start, min(start + AT_ONCE, count))
        ]
        parts = (records[at : at + 1000] for at in range(0, len(records), 1000))
        for outcomes in await asyncio.gather(*(intake.submit(part, "bench", atomic=False) for part in parts)):
            if any(outcome.verdict is not Verdict.NEW for outcome in outcomes):
                raise RuntimeError("A new record was not taken for one.")
    await intake.close()
