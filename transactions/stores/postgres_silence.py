"""A PostgreSQL that says nothing at all, though its connections stand: nobody waits for it for ever.

A slow statement is ended by the server's own time-outs, or is worth waiting for. A server that is frozen
keeps none, and its machine goes on confirming what it is sent, so that TCP finds nothing wrong. Therefore a
thread of the process looks who has waited for longer than any statement of a request takes, and cuts their
connections: they get an OperationalError. It asks the server nothing: whoever is not answered behind a
pooler may only have to wait for a session.
"""

import logging
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from .own_sessions import cut
from .postgres_commits import ConfirmedConnection, ConfirmedCursor

log = logging.getLogger(__name__)

# Seconds that one statement may take. The longest are deletions of accounts with many transactions.
WAIT_S_MAX = 300.0
# How often is looked, in seconds.
LOOK_S = 0.5


@dataclass(slots=True, eq=False)
class Wait:
    """One wait for PostgreSQL, since a moment of the monotonic clock."""

    connection: Any
    since: float


class Waits:
    """Who waits for PostgreSQL in this process. Safe for threads."""

    def __init__(self) -> None:
        self._waiting: set[Wait] = set()
        self._lock = threading.Lock()
        self._watch: threading.Thread | None = None

    @contextmanager
    def on(self, connection: Any) -> Iterator[None]:
        """Amid this block `connection` waits."""
        wait = Wait(connection, time.monotonic())
        with self._lock:
            if self._watch is None or not self._watch.is_alive():
                self._watch = threading.Thread(target=self._look, name="postgres-silence", daemon=True)
                self._watch.start()
            self._waiting.add(wait)
        try:
            yield
        finally:
            with self._lock:
                self._waiting.discard(wait)

    def cut_the_longest(self) -> None:
        """Cuts the connections of those who have waited for WAIT_S_MAX, each once."""
        until = time.monotonic() - WAIT_S_MAX
        # All of it under the lock: one that is done meanwhile would be cut for its next statement.
        with self._lock:
            over = [wait for wait in self._waiting if wait.since < until]
            for wait in over:
                cut(wait.connection)
                self._waiting.discard(wait)
        if over:
            log.error("PostgreSQL says nothing: %d connections that wait for it are cut", len(over))

    def _look(self) -> None:
        while True:
            time.sleep(LOOK_S)
            try:
                self.cut_the_longest()
            except Exception:
                log.exception("Who waits for PostgreSQL was not looked at, and is soon")


waits = Waits()


class WatchedConnection(ConfirmedConnection):
    """One whose ends of transactions are watched."""

    def commit(self) -> None:
        with waits.on(self):
            super().commit()

    def rollback(self) -> None:
        with waits.on(self):
            super().rollback()


class WatchedCursor(ConfirmedCursor):
    """One whose statements are watched. A server-side one asks at each fetch, and as it closes."""

    def execute(self, query: Any, vars: Any = None) -> None:
        with waits.on(self.connection):
            super().execute(query, vars)

    def executemany(self, query: Any, vars_list: Any) -> None:
        with waits.on(self.connection):
            super().executemany(query, vars_list)

    def fetchmany(self, size: int | None = None) -> list[tuple[Any, ...]]:
        with waits.on(self.connection):
            return super().fetchmany(size)

    def close(self) -> None:
        with waits.on(self.connection):
            super().close()


def watch(connection: BaseDatabaseWrapper) -> None:
    """Whoever waits on this connection of Django's is watched, once it connects anew."""
    factories = {"connection_factory": WatchedConnection, "cursor_factory": WatchedCursor}
    options = {**connection.settings_dict["OPTIONS"], **factories}
    # A copy: the settings' own is that of every other thread.
    connection.settings_dict = {**connection.settings_dict, "OPTIONS": options}


def watch_this_thread() -> None:
    """All of this thread's waits on connections of Django's are watched, from its beginning."""
    for alias in connections:
        watch(connections[alias])


def watched_threads(count: int, name: str) -> ThreadPoolExecutor:
    """So many threads that may ask PostgreSQL by Django's connections, whose waits all have an end."""
    return ThreadPoolExecutor(count, name, initializer=watch_this_thread)
