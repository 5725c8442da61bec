"""Whether a connection to PostgreSQL is a session of its own, or a pooler lends its session to others too.

PgBouncer with `pool_mode = transaction` runs each transaction on whichever session is free. An
advisory lock is then somebody's, a temporary table anybody's: two flushers would both hold the lock.
"""

import os
import socket
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg2

from .postgres_parameters import connection_parameters

# The setting that a session bears its mark in.
MARK = "transactions.mark"
# A pool that has no second session to lend keeps us waiting; then nobody can tell.
PATIENCE_S = 5.0

# Purpose: which session this is, and whose mark it bears.
SELECT_SESSION = f"SELECT pg_backend_pid(), current_setting('{MARK}', true)"


class SessionsShared(psycopg2.OperationalError):
    """PgBouncer lends sessions by transaction, where the flush needs advisory locks and temporary tables
    of its own: set pool_mode = session.
    """

    def __str__(self) -> str:
        return " ".join(str(self.__doc__).split())


def insist_on_own_session(first: Any) -> None:
    """Raises SessionsShared where the autocommitting connection `first` has no session to itself.

    Raises psycopg2.Error where it fails; where a second one does, nobody can tell.
    """
    with first.cursor() as cursor:
        cursor.execute("SELECT set_config(%s, %s, false), pg_backend_pid()", (MARK, uuid.uuid4().hex))
        mark, number = cursor.fetchone()
    try:
        second = psycopg2.connect(**connection_parameters())
    except psycopg2.OperationalError:
        return
    try:
        with cut_after(PATIENCE_S, second):
            # Its transaction keeps its session occupied: one that is lent is another one's meanwhile.
            seen = _session_of(second)
    except psycopg2.OperationalError:
        return
    else:
        if seen[0] == number or seen[1] == mark or _session_of(first) != (number, mark):
            raise SessionsShared
    finally:
        second.close()


def _session_of(connection: Any) -> tuple[int, str | None]:
    with connection.cursor() as cursor:
        cursor.execute(SELECT_SESSION)
        number, mark = cursor.fetchone()
    return number, mark


@contextmanager
def cut_after(seconds: float, connection: Any) -> Iterator[None]:
    """Cuts the connection where the block takes longer. After the block nobody does any more."""
    timer = threading.Timer(seconds, cut, [connection])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def cut(connection: Any) -> None:
    """Ends a connection from another thread; who waits for it gets an OperationalError.

    One that has ended is left alone. Not beside its closing: its number may be another's by then.
    """
    with suppress(psycopg2.Error, OSError), socket.socket(fileno=os.dup(connection.fileno())) as end:
        end.shutdown(socket.SHUT_RDWR)
