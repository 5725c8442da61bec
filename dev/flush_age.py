"""How long nobody has flushed, asked of PostgreSQL: what tells of a worker that went silent.

The process may live and answer `celery inspect ping`: Celery on Redis can stop consuming after a
reconnect, a child can hang, everything can be stopped.
"""

import psycopg2

# Purpose: seconds since a flush last ended, 0 while one is under way (its own time-outs end one
# that hangs), decades before the first. The session's name is that of
# transactions/stores/postgres_session.py.
SELECT_AGE = """
    SELECT CASE WHEN EXISTS (SELECT FROM pg_stat_activity
                              WHERE datname = current_database() AND application_name = 'transactions flush')
                THEN 0
                ELSE (SELECT extract(epoch FROM now() - coalesce(max(flushed_at), 'epoch'))
                        FROM transactions_epoch)
           END
"""


def flush_age_s(database_url: str) -> float | None:
    """Seconds without a flush; None where PostgreSQL cannot tell, which is no fault of the worker's."""
    try:
        connection = psycopg2.connect(database_url, connect_timeout=2, options="-c statement_timeout=2000")
    except psycopg2.Error:
        return None
    try:
        with connection.cursor() as cursor:
            cursor.execute(SELECT_AGE)
            (row,) = cursor.fetchall()
            return float(row[0])
    except psycopg2.Error:
        return None
    finally:
        connection.close()
