"""Short questions to PostgreSQL from an event loop, never waited for long.

Asked on the loop itself, by psycopg2's asynchronous connections: a thread would cost more than the
question, and wait for the interpreter's lock behind every request.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import psycopg2
from django.conf import settings
from psycopg2.extensions import POLL_OK, POLL_READ

from .postgres_hosts import one_by_one
from .postgres_parameters import beginning, connection_parameters

log = logging.getLogger(__name__)

# After a question was not answered, how long nothing is asked.
PAUSE_S = 1.0
Returned = TypeVar("Returned")

# One for each of three hosts, where there are so many: the name of one may take long to be looked up.
_connecting = ThreadPoolExecutor(3, thread_name_prefix="connecting")


class Questions:
    """Connections of which at most `kept_max` are kept for the next question."""

    def __init__(self, kept_max: int) -> None:
        self._kept_max = kept_max
        self._kept: list[Any] = []
        self._paused_until = 0.0

    async def answer(self, questions: Callable[[Any], Awaitable[Returned]]) -> Returned | None:
        """What `questions`, which asks a connection by `fetch`, returns; None without an answer within
        LOOKUP_TIMEOUT_MS, and for PAUSE_S after that.
        """
        if time.monotonic() < self._paused_until:
            return None
        connection: Any = None
        try:
            async with asyncio.timeout(settings.LOOKUP_TIMEOUT_MS / 1000):
                connection = self._kept.pop() if self._kept else await connect()
                found = await questions(connection)
        except (TimeoutError, psycopg2.Error) as error:
            self._paused_until = time.monotonic() + PAUSE_S
            log.warning("PostgreSQL did not answer a look-up (%s); it is done without", type(error).__name__)
            if connection is not None:
                connection.close()
            self._close_kept()  # They lead to the same server.
            return None
        if len(self._kept) < self._kept_max:
            self._kept.append(connection)
        else:
            connection.close()
        return found

    def forget(self) -> None:
        """Closes the connections, for a test that begins or a database that goes."""
        self._paused_until = 0.0
        self._close_kept()

    def _close_kept(self) -> None:
        while self._kept:
            self._kept.pop().close()


async def connect() -> Any:
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


async def fetch(connection: Any, query: str, parameter: Any) -> list[Any]:
    """The rows of a query with one parameter. Raises psycopg2.Error."""
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
