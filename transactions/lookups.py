"""What PostgreSQL knows of ids and users, asked from the hot path and never waited for long.

Django's connections belong to threads and have no pool, so a few threads of our own keep one
connection each. Without an answer in time, intake goes on from Redis alone and what PostgreSQL
could have told is decided at the flush.
"""

import asyncio
import logging
import os
import socket
import threading
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg2
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connections

from .models import Transaction
from .queue import escape, stamp

log = logging.getLogger(__name__)

THREADS = 2
# After a look-up failed, how long intake does not even try.
PAUSE_S = 1.0
# How long a user once seen is taken to exist. One deleted since is refused at the flush.
USER_KNOWN_S = 60.0
USERS_MAX = 200_000

# Purpose: the stored state of each id of a group, for the second-POST rules.
SELECT_STATES = f"""
    SELECT transaction_id, status, user_id, amount, created_at, accepted_at
      FROM {Transaction._meta.db_table} WHERE transaction_id = ANY(%s)
"""
# Purpose: which of these users exist.
SELECT_USERS = f"SELECT {{pk}} FROM {get_user_model()._meta.db_table} WHERE {{pk}} = ANY(%s)"


class Lookups:
    """A bounded pool of connections to PostgreSQL for look-ups; one per process."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="lookup")
        self._local = threading.local()
        self._asking: set[Any] = set()
        self._open: list[Any] = []
        self._users: dict[int, float] = {}
        self._paused_until = 0.0

    def unknown_users(self, users: Iterable[int]) -> set[int]:
        """Those of `users` that nobody has seen lately."""
        now = time.monotonic()
        return {user for user in users if self._users.get(user, 0.0) < now}

    async def ask(self, ids: list[str], users: set[int]) -> tuple[dict[str, str], set[int]] | None:
        """States by escaped id and those of `users` that do not exist; None without an answer in time."""
        if time.monotonic() < self._paused_until:
            return None
        work = asyncio.get_running_loop().run_in_executor(self._pool, self._query, ids, users)
        try:
            return await asyncio.wait_for(work, settings.LOOKUP_TIMEOUT_MS / 1000)
        except (TimeoutError, psycopg2.Error) as error:
            self._paused_until = time.monotonic() + PAUSE_S
            self._cut()
            log.warning("PostgreSQL did not answer a look-up (%s); intake goes on", type(error).__name__)
            return None

    def _query(self, ids: list[str], users: set[int]) -> tuple[dict[str, str], set[int]]:
        connection = self._connection()
        self._asking.add(connection)
        try:
            with connection.cursor() as cursor:
                cursor.execute(SELECT_STATES, (ids,))
                states = {
                    escape(row[0]): f"{row[1]}\t{row[2]}\t{row[3]}\t{stamp(row[4])}\t{stamp(row[5])}\t"
                    for row in cursor.fetchall()
                }
                missing: set[int] = set()
                if users:
                    pk = get_user_model()._meta.pk.column
                    cursor.execute(SELECT_USERS.format(pk=pk), (list(users),))
                    found = {row[0] for row in cursor.fetchall()}
                    missing = users - found
                    self._remember(found)
            return states, missing
        except psycopg2.Error:
            connection.close()
            raise
        finally:
            self._asking.discard(connection)

    def _connection(self) -> Any:
        connection = getattr(self._local, "connection", None)
        if connection is None or connection.closed:
            parameters = connections["default"].get_connection_params()
            parameters.pop("cursor_factory", None)
            # A thousand ids are a thousand steps in an index, never a reason to read the whole table.
            limit = f"-c statement_timeout={settings.LOOKUP_TIMEOUT_MS}"
            parameters["options"] = f"{limit} -c enable_seqscan=off"
            parameters["connect_timeout"] = 2
            connection = psycopg2.connect(**parameters)
            connection.autocommit = True
            self._local.connection = connection
            self._open = [*(each for each in self._open if not each.closed), connection]
        return connection

    def _cut(self) -> None:
        """Frees threads whose server is silent: nothing else ends a blocked read."""
        for connection in list(self._asking):
            try:
                with socket.socket(fileno=os.dup(connection.fileno())) as line:
                    line.shutdown(socket.SHUT_RDWR)
            except (OSError, psycopg2.Error):
                continue

    def _remember(self, users: set[int]) -> None:
        if len(self._users) > USERS_MAX:
            self._users.clear()
        until = time.monotonic() + USER_KNOWN_S
        self._users.update(dict.fromkeys(users, until))

    def forget(self) -> None:
        """Forgets the users and closes the connections, for a test that begins or a database that goes."""
        self._users.clear()
        self._paused_until = 0.0
        self._pool.shutdown()
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="lookup")
        for connection in self._open:
            connection.close()
        self._open.clear()


lookups = Lookups()
