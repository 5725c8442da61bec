"""A PostgreSQL that says nothing at all, though its connections stand: whoever waits for it is told.

A slow statement is ended by the server's own time-outs, or is worth waiting for. A server that is frozen
keeps none, and its machine goes on confirming what it is sent, so that TCP finds nothing wrong. Therefore a
thread of the process looks who has waited for long, asks the server itself by a connection of its own, and
where that is not answered either cuts those that wait: they get an OperationalError.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg2.extensions
from django.db.backends.base.base import BaseDatabaseWrapper

from .own_sessions import cut
from .postgres_parameters import connection_parameters

log = logging.getLogger(__name__)

# Seconds after which somebody has waited for long, which readers' statements do not (see `bounded_queries`).
PATIENCE_S = 5.0
# Whole seconds for which the server is asked, as libpq counts them.
ASKED_S = 5
# How often is looked, in seconds.
LOOK_S = 0.5


class Waits:
    """Who waits for PostgreSQL in this process: each connection, and since when. Safe for threads."""

    def __init__(self) -> None:
        self._since: dict[Any, float] = {}
        self._lock = threading.Lock()
        self._watch: threading.Thread | None = None

    @contextmanager
    def on(self, line: Any) -> Iterator[None]:
        """Amid this block `line` waits."""
        with self._lock:
            self._since[line] = time.monotonic()
            if self._watch is None:
                self._watch = threading.Thread(target=self._look, name="postgres-silence", daemon=True)
                self._watch.start()
        try:
            yield
        finally:
            with self._lock:
                del self._since[line]

    def _look(self) -> None:
        while True:
            time.sleep(LOOK_S)
            if not (waiting := self._for_long()):
                continue
            if _is_silent():
                log.error("PostgreSQL says nothing: %d connections that wait for it are cut", len(waiting))
                self._cut(waiting)
            else:
                # What is slow is slow, and the server need not hear of it at once again.
                time.sleep(PATIENCE_S)

    def _for_long(self) -> dict[Any, float]:
        until = time.monotonic() - PATIENCE_S
        with self._lock:
            return {line: since for line, since in self._since.items() if since < until}

    def _cut(self, waiting: dict[Any, float]) -> None:
        """Those that wait still; under the lock, or one that is done would be cut for its next statement."""
        with self._lock:
            for line, since in waiting.items():
                if self._since.get(line) == since:
                    with suppress(psycopg2.Error, OSError):
                        cut(line)


waits = Waits()


class WatchedConnection(psycopg2.extensions.connection):
    """One whose ends of transactions are watched; Django's statements are by `_watched`."""

    def commit(self) -> None:
        with waits.on(self):
            super().commit()

    def rollback(self) -> None:
        with waits.on(self):
            super().rollback()


def watch(connection: BaseDatabaseWrapper) -> None:
    """Whoever waits on this connection of Django's from now on is watched. Before it has connected."""
    options = {**connection.settings_dict["OPTIONS"], "connection_factory": WatchedConnection}
    # A copy: the settings' own is that of every other thread.
    connection.settings_dict = {**connection.settings_dict, "OPTIONS": options}
    connection.execute_wrappers.append(_watched)


def _watched(execute: Callable[..., Any], sql: Any, parameters: Any, many: bool, context: Any) -> Any:
    with waits.on(context["connection"].connection):
        return execute(sql, parameters, many, context)


def _is_silent() -> bool:
    """Whether a connection of our own is not answered in ASKED_S. A refusal is an answer."""
    began = time.monotonic()
    try:
        line = psycopg2.connect(**connection_parameters() | {"connect_timeout": ASKED_S})
        # A pooler answers for a server behind it that does not.
        timer = threading.Timer(ASKED_S, cut, [line])
        timer.start()
        try:
            line.cursor().execute("SELECT 1")
        finally:
            timer.cancel()
            line.close()
    except psycopg2.Error:
        # libpq counts whole seconds, and may begin amid one.
        return time.monotonic() - began > ASKED_S - 1
    return False
