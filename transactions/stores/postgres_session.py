"""A PostgreSQL session of the flush or another writer: its locks, its limits, and transactions on it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Any, Self

import psycopg2

from .own_sessions import cut_after, insist_on_own_session
from .postgres_parameters import beginning, connection_parameters

# Advisory locks: of whoever moves records or opens books ("txfl" as a number), and of whoever prunes
# ("txpr").
FLUSH_LOCK = 0x7478666C
PRUNE_LOCK = 0x74787072

LIMITS_MS = {
    # A lock that somebody else holds for longer fails this flush; the next tick tries again.
    "lock_timeout": 5_000,
    "statement_timeout": 30_000,
    # These end the session of a flusher that was stopped (SIGSTOP, a frozen host), and free its lock.
    "idle_in_transaction_session_timeout": 10_000,
    "idle_session_timeout": 30_000,
}
# All of these are the server's own. For one that says nothing at all, as behind a broken network, this
# ends our wait: seconds after which a transaction's connection is cut.
SILENCE_S = 60.0
# Whether somebody has looked if sessions are ours alone.
_known_to_be_own = False


def limits_again(*names: str) -> str:
    """The statements that set time-outs of LIMITS_MS, changed for a part of a transaction, back to them.

    `SET … TO DEFAULT` would not: it means the server's default, for which a wait has no end.
    """
    return "; ".join(f"SET LOCAL {name} = {LIMITS_MS[name]}" for name in names)


class Session:
    """One connection for one piece of work: every wait has an end, and closing it frees its locks.

    PostgreSQL shows it as `name`, in pg_stat_activity.
    """

    def __init__(self, name: str = "transactions flush", silence_s: float = SILENCE_S) -> None:
        self._name, self._silence_s = name, silence_s
        self._connection: Any = None

    def __enter__(self) -> Self:
        self._connection = psycopg2.connect(**connection_parameters() | {"application_name": self._name})
        try:
            with self._alone() as cursor:
                cursor.execute(beginning(**LIMITS_MS, TimeZone="UTC", synchronous_commit="on"))
        except BaseException:
            self._connection.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            # Closing frees them too, but a moment later, and whoever comes next would find them taken.
            with suppress(psycopg2.Error), self.transaction() as cursor:
                cursor.execute("SELECT pg_advisory_unlock_all()")
        self._connection.close()

    def try_lock(self, lock: int) -> bool:
        """Takes an advisory lock for the life of the session; False where another holds it.

        Raises own_sessions.SessionsShared where a lock would be worth nothing.
        """
        self.insist_on_own()
        with self._alone() as cursor:
            cursor.execute("SELECT pg_try_advisory_lock(%s)", (lock,))
            return bool(cursor.fetchone()[0])

    def lock(self, lock: int) -> None:
        """Waits for an advisory lock; psycopg2.errors.LockNotAvailable after the lock time-out."""
        self.insist_on_own()
        with self._alone() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", (lock,))

    def cancel(self) -> None:
        """From another thread: whatever statement runs ends, with psycopg2.errors.QueryCanceled."""
        self._connection.cancel()

    def insist_on_own(self) -> None:
        """Raises own_sessions.SessionsShared where a pooler lends this session to others in between.

        Looks once a process: a pooler does not change its ways.
        """
        global _known_to_be_own
        if not _known_to_be_own:
            with self._alone():
                insist_on_own_session(self._connection)
            _known_to_be_own = True

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """A cursor in a transaction that commits at the end of the block, or rolls back.

        Raises postgres_commits.NotConfirmed where it is committed, and maybe on this machine alone.
        """
        with cut_after(self._silence_s, self._connection):
            try:
                with self._connection.cursor() as cursor:
                    yield cursor
                self._connection.commit()
            except BaseException:
                # A connection that is gone has nothing to roll back; what ended it is the error to tell of.
                with suppress(psycopg2.InterfaceError):
                    self._connection.rollback()
                raise

    @contextmanager
    def _alone(self) -> Iterator[Any]:
        """A cursor for single statements outside of transactions: each one way to the server and back."""
        with cut_after(self._silence_s, self._connection):
            self._connection.autocommit = True
            try:
                with self._connection.cursor() as cursor:
                    yield cursor
            finally:
                with suppress(psycopg2.InterfaceError):
                    self._connection.autocommit = False
