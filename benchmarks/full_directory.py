"""Fills the data directory of a `make run` that has ended: rows are stored, and records wait to be.

python -m benchmarks.full_directory DATA_DIR ROWS RECORDS
"""

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import django

from dev.servers import PrivatePostgres, PrivateRedis


def main(directory: Path, rows: int, records: int) -> None:
    postgres, redis = PrivatePostgres(directory / "postgres"), PrivateRedis(directory / "redis")
    redis.start()
    postgres.start()
    os.environ |= {"DATABASE_URL": postgres.url, "REDIS_URL": redis.url, "DATA_DIR": str(directory)}
    django.setup()
    from benchmarks.history import FIRST_USER, USERS, fill_rows, queue

    try:
        if rows:
            fill_rows(range(FIRST_USER, FIRST_USER + USERS), rows)
        now = datetime.now(UTC)
        queue((FIRST_USER + n % USERS, now - timedelta(milliseconds=n)) for n in range(records))
    finally:
        redis.stop()
        postgres.stop()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
