"""A PostgreSQL session of the flush or another writer: its locks, its limits, and transactions on it."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self

import psycopg2

from .postgres_parameters import connection_parameters

# Advisory locks: of whoever moves records or opens books ("txfl" as a number), and of whoever prunes
# ("txpr").
FLUSH_LOCK = 0x7478666C
PRUNE_LOCK = 0x74787072

LIMITS_MS = {
    # Locks that somebody else holds for longer fail this flush; the next tick tries again.
    "lock_timeout": 5_000,
    "statement_timeout": 30_000,
    # What frees the advisory lock of a flusher that was stopped.
    "idle_in_transaction_session_timeout": 10_000,
    "idle_session_timeout": 30_000,
}
# A server that says nothing at all ends no wait on our side; this does, in seconds.
SILENCE_S = 60.0


class Session:
    """One connection for one piece of work: bounded in every wait, closed at the end, its lock with it.

    PostgreSQL shows it under `name`.
    """

    def __init__(self, name: str = "transactions flush") -> None:
        self._name = name
        self._connection: Any = None

    def __enter__(self) -> Self:
        parameters = connection_parameters(**LIMITS_MS, TimeZone="UTC", synchronous_commit="on")
        parameters["application_name"] = self._name
        self._connection = psycopg2.connect(**parameters)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            # The server frees the locks of a closed connection only a moment later.
            with suppress(psycopg2.Error), self.transaction() as cursor:
                cursor.execute("SELECT pg_advisory_unlock_all()")
        self._connection.close()

    def try_lock(self, lock: int) -> bool:
        """Takes an advisory lock for the life of the session; False where another holds it."""
        with self.transaction() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", (lock,))
            return bool(cursor.fetchone()[0])

    def lock(self, lock: int) -> None:
        """Waits for an advisory lock; psycopg2.errors.LockNotAvailable after the lock time-out."""
        with self.transaction() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", (lock,))

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """A cursor in a transaction that commits at the end of the block, or rolls back."""
        timer = threading.Timer(SILENCE_S, self._cut)
        timer.daemon = True
        timer.start()
        try:
            with self._connection.cursor() as cursor:
                yield cursor
            self._connection.commit()
        except BaseException:
            # A connection that is gone has nothing to roll back; what ended it is the error to tell of.
            with suppress(psycopg2.InterfaceError):
                self._connection.rollback()
            raise
        finally:
            timer.cancel()

    def _cut(self) -> None:
        with socket.socket(fileno=os.dup(self._connection.fileno())) as line:
            line.shutdown(socket.SHUT_RDWR)
