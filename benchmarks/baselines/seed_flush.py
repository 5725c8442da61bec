"""The seed's flush: everything off the list, an object for each, bulk_create."""

import json
import secrets
import time

from benchmarks.baselines import QUEUE
from benchmarks.baselines.copying import checkpoint
from benchmarks.baselines.models import NaiveTransaction
from transactions.stores.redis_connection import connection

# One statement for all would have PostgreSQL parse 100 MB of SQL.
BATCH_RECORDS = 1000


def fill(count: int, users: range) -> None:
    """Queues `count` new records as JSON."""
    run, redis = secrets.token_hex(4), connection()
    for start in range(0, count, 10_000):
        numbers = range(start, min(start + 10_000, count))
        records = (
            {
                "transaction_id": f"{run}-{n:09}",
                "user": users[n % len(users)],
                "amount": n,
                "status": "SUCCESS",
            }
            for n in numbers
        )
        redis.rpush(QUEUE, *map(json.dumps, records))


def flush() -> float:
    """Seconds that storing all that is queued takes."""
    checkpoint()
    redis = connection()
    began = time.perf_counter()
    queued = redis.lrange(QUEUE, 0, -1)
    objects = [
        NaiveTransaction(
            transaction_id=record["transaction_id"],
            user_id=record["user"],
            amount=record["amount"],
            status=record["status"],
        )
        for record in map(json.loads, queued)
    ]
    NaiveTransaction._default_manager.bulk_create(objects, batch_size=BATCH_RECORDS, ignore_conflicts=True)
    redis.ltrim(QUEUE, len(objects), -1)
    return time.perf_counter() - began
