"""The limit of storing: a bare COPY, which judges nothing and counts nothing."""

import io
import secrets
import time
from typing import Any

import psycopg2

from transactions.stores.postgres_parameters import connection_parameters
from transactions.tables import TRANSACTIONS, USERS

PLAIN_TABLE = "baseline_plain"
BARE_TABLE = "baseline_bare"
COLUMNS = "transaction_id, user_id, status, created_at, amount, accepted_at, stored_at"

# Purpose: our table with its keys, primary, unique and foreign, and none of the further indexes,
# checks and triggers.
CREATE_PLAIN = f"""
    DROP TABLE IF EXISTS {PLAIN_TABLE};
    CREATE TABLE {PLAIN_TABLE} (LIKE {TRANSACTIONS} INCLUDING DEFAULTS INCLUDING IDENTITY);
    ALTER TABLE {PLAIN_TABLE} ADD PRIMARY KEY (id), ADD UNIQUE (transaction_id),
                              ADD FOREIGN KEY (user_id) REFERENCES {USERS} DEFERRABLE INITIALLY DEFERRED
"""
# Purpose: columns alone, which could not keep a transaction from being stored twice.
CREATE_BARE = f"""
    DROP TABLE IF EXISTS {BARE_TABLE};
    CREATE TABLE {BARE_TABLE} (LIKE {TRANSACTIONS} INCLUDING DEFAULTS INCLUDING IDENTITY)
"""
CREATE = {PLAIN_TABLE: CREATE_PLAIN, BARE_TABLE: CREATE_BARE}
COPY = f"COPY {{table}} ({COLUMNS}) FROM STDIN"
# Purpose: every contestant begins with the same amount of the log written out.
CHECKPOINT = "CHECKPOINT"


def lines(count: int, users: range) -> bytes:
    """`count` new rows as COPY reads them, of the users in turn, of this moment."""
    run, now = secrets.token_hex(4), time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    form = f"{run}-%09d\t%d\tSUCCESS\t{now}\t%d\t{now}\t{now}"
    first, many = users[0], len(users)
    return "\n".join(form % (at, first + at % many, 10_000 + at % 80_000) for at in range(count)).encode()


def connect() -> Any:
    """A connection of its own, as the flush has one."""
    return psycopg2.connect(**connection_parameters())


def checkpoint() -> None:
    connection = connect()
    connection.autocommit = True
    with connection.cursor() as cursor:
        cursor.execute(CHECKPOINT)
    connection.close()


def copy(table: str, rows: bytes) -> float:
    """Seconds that one COPY of `rows` and its COMMIT take."""
    connection = connect()
    with connection.cursor() as cursor:
        if table in CREATE:
            cursor.execute(CREATE[table])
            connection.commit()
        checkpoint()
        began = time.perf_counter()
        cursor.copy_expert(COPY.format(table=table), io.BytesIO(rows))
        connection.commit()
        took = time.perf_counter() - began
    connection.close()
    return took
