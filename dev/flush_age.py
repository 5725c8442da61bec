"""How long nobody has flushed, asked of PostgreSQL: what tells of a worker that went silent.

The process may live and answer `celery inspect ping`: Celery on Redis can stop consuming after a
reconnect, a child can hang, everything can be stopped.
"""

import math
from pathlib import Path

import psycopg2

# Purpose: the application's own question. It is read, not imported: the supervision knows nothing of the
# application, and no process is to be started every few seconds only to ask.
SELECT_AGE = Path(__file__).parents[1].joinpath("transactions", "storing", "flush_age.sql").read_text()


class Silence:
    """How long a worker has said nothing though it could: no flush, while both stores answered."""

    def __init__(self) -> None:
        self._excused_at = -math.inf

    def seconds(self, age_s: float | None, redis_answers: bool, now: float) -> float:
        """At a look at `now` (monotonic), which found this of `flush_age_s` and of Redis."""
        # Under way, or nobody can flush. What is under way may fail, and the last that ended was long ago.
        if not age_s or not redis_answers:
            self._excused_at = now
        return min(age_s or 0.0, now - self._excused_at)


def flush_age_s(database_url: str) -> float | None:
    """Seconds without a flush: 0 amid one, endless before the first.

    None where PostgreSQL cannot tell, which is no fault of the worker's.
    """
    try:
        connection = psycopg2.connect(database_url, connect_timeout=2)
    except psycopg2.Error:
        return None
    try:
        with connection.cursor() as cursor:
            # Not at the connection's start, where PgBouncer refuses it.
            cursor.execute("SET statement_timeout = 2000")
            cursor.execute(SELECT_AGE)
            ((age_s,),) = cursor.fetchall()
            return float(age_s)
    except psycopg2.Error:
        return None
    finally:
        connection.close()
