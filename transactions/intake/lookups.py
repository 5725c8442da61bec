"""What PostgreSQL knows of ids and users, asked from the hot path and never waited for long.

Asked on the event loop itself, by psycopg2's asynchronous connections: a thread would cost more than
the question, and wait for the interpreter's lock behind every request. Without an answer in time,
intake goes on from Redis alone and what PostgreSQL could have told is decided at the flush.
"""

import asyncio
import logging
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import psycopg2
from django.conf import settings
from psycopg2.extensions import POLL_OK, POLL_READ

from ..queue.records import escape, state_text
from ..stores.postgres_hosts import one_by_one
from ..stores.postgres_parameters import beginning, connection_parameters
from ..tables import TRANSACTIONS, USER_KEY, USERS

log = logging.getLogger(__name__)

# Connections that are kept for the next question.
KEPT_MAX = 2
# After a look-up failed, how long intake does not even try.
PAUSE_S = 1.0
# How long a user once seen is taken to exist. One deleted since is refused at the flush.
USER_KNOWN_S = 60.0
USERS_MAX = 200_000

# Purpose: the stored state of each id of a group, for the second-POST rules. The ids come as one
# text: a thousand constants would take longer to read than to look up. No id holds a tab.
SELECT_STATES = f"""
    SELECT transaction_id, status, user_id, amount, created_at, accepted_at, settled_as_of
      FROM {TRANSACTIONS} WHERE transaction_id = ANY(string_to_array(%s, E'\\t'))
"""
# Purpose: which of these users exist.
SELECT_USERS = f"SELECT {USER_KEY} FROM {USERS} WHERE {USER_KEY} = ANY(%s)"


# One for each of three hosts, where there are so many: the name of one may take long to be looked up.
_connecting = ThreadPoolExecutor(3, thread_name_prefix="connecting")


class Lookups:
    """Connections to PostgreSQL for look-ups, and the users seen lately; one per process."""

    def __init__(self) -> None:
        self._kept: list[Any] = []
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
        connection: Any = None
        try:
            async with asyncio.timeout(settings.LOOKUP_TIMEOUT_MS / 1000):
                connection = self._kept.pop() if self._kept else await _connect()
                found = await self._states(connection, ids), await self._missing(connection, users)
        except (TimeoutError, psycopg2.Error) as error:
            self._paused_until = time.monotonic() + PAUSE_S
            log.warning("PostgreSQL did not answer a look-up (%s); intake goes on", type(error).__name__)
            if connection is not None:
                connection.close()
            self._close_kept()  # They lead to the same server.
            return None
        if len(self._kept) < KEPT_MAX:
            self._kept.append(connection)
        else:
            connection.close()
        return found

    async def _states(self, connection: Any, ids: list[str]) -> dict[str, str]:
        rows = await _fetch(connection, SELECT_STATES, "\t".join(ids))
        return {escape(id): state_text(*state) for id, *state in rows}

    async def _missing(self, connection: Any, users: set[int]) -> set[int]:
        if not users:
            return set()
        found = {row[0] for row in await _fetch(connection, SELECT_USERS, list(users))}
        self._remember(found)
        return users - found

    def _remember(self, users: set[int]) -> None:
        if len(self._users) > USERS_MAX:
            self._users.clear()
        until = time.monotonic() + USER_KNOWN_S
        self._users.update(dict.fromkeys(users, until))

    def forget(self) -> None:
        """Forgets the users and closes the connections, for a test that begins or a database that goes."""
        self._users.clear()
        self._paused_until = 0.0
        self._close_kept()

    def _close_kept(self) -> None:
        while self._kept:
            self._kept.pop().close()


async def _connect() -> Any:
    """A connection to the host that may be written to, of several whichever is the first to let us in.

    All of them are asked at once: one that is dead says nothing, and libpq would wait for it before the next.
    Raises psycopg2.Error.
    """
    first, *others = one_by_one(connection_parameters())
    if not others:
        return await _connect_to(first)
    attempts = [asyncio.ensure_future(_connect_to(host)) for host in (first, *others)]
    connection = None
    try:
        for attempt in asyncio.as_completed(attempts):
            try:
                connection = await attempt
                return connection
            except psycopg2.Error as error:
                refusal = error
        raise refusal
    finally:
        for attempt in attempts:
            attempt.cancel()
            attempt.add_done_callback(partial(_close_other, connection))


def _close_other(used: Any, attempt: "asyncio.Future[Any]") -> None:
    """Closes what an attempt has led to, unless it is used."""
    if not attempt.cancelled() and attempt.exception() is None and attempt.result() is not used:
        attempt.result().close()


async def _connect_to(parameters: dict[str, Any]) -> Any:
    # In a thread, since the name of a host is looked up before anything can be waited for; in one of
    # our own, since that may take long, and the loop's threads have other things to do.
    connect = partial(psycopg2.connect, async_=True, **parameters)
    connection = await asyncio.get_running_loop().run_in_executor(_connecting, connect)
    try:
        await _ready(connection)
        with connection.cursor() as cursor:
            # A thousand ids are a thousand steps in an index, never a reason to read the whole table.
            cursor.execute(beginning(statement_timeout=settings.LOOKUP_TIMEOUT_MS, enable_seqscan="off"))
            await _ready(connection)
    except BaseException:
        connection.close()
        raise
    return connection


async def _fetch(connection: Any, query: str, parameter: Any) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(query, (parameter,))
        await _ready(connection)
        return list(cursor.fetchall())


async def _ready(connection: Any) -> None:
    """Returns once the connection has done what it was asked for; see "Asynchronous support" in psycopg2's
    manual. Raises psycopg2.Error.
    """
    loop = asyncio.get_running_loop()
    while (state := connection.poll()) != POLL_OK:
        moved: asyncio.Future[None] = loop.create_future()
        reads = state == POLL_READ
        add, remove = (
            (loop.add_reader, loop.remove_reader) if reads else (loop.add_writer, loop.remove_writer)
        )
        number = connection.fileno()
        add(number, _note, moved)
        try:
            await moved
        finally:
            remove(number)


def _note(moved: "asyncio.Future[None]") -> None:
    if not moved.done():
        moved.set_result(None)


lookups = Lookups()
