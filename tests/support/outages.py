"""Servers where nobody answers, a table that nobody gets at, and stores that are never at rest."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg2
import pytest
import redis
from django.db import connections
from django.test import override_settings

from tests.support.serving import database_url
from transactions.books import balance
from transactions.stores.redis_connection import connection, reader


@contextmanager
def redis_away() -> Iterator[None]:
    """Whoever connects to Redis in this block is refused."""
    with override_settings(REDIS_URL="redis://127.0.0.1:1/0"):
        connection.cache_clear()
        try:
            yield
        finally:
            connection.cache_clear()


class FrozenRedis:
    """A server that takes connections and says nothing."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.listener.setblocking(False)

    def asked(self) -> int:
        """How often somebody has connected to it: a client that had no answer connects anew."""
        taken = 0
        with suppress(BlockingIOError):
            while True:
                self.listener.accept()[0].close()
                taken += 1
        return taken


@contextmanager
def redis_frozen() -> Iterator[FrozenRedis]:
    """Whoever asks Redis in this block is let in, and waits in vain."""
    frozen = FrozenRedis()
    url = f"redis://127.0.0.1:{frozen.listener.getsockname()[1]}/0"
    with frozen.listener, override_settings(REDIS_URL=url):
        connection.cache_clear()
        try:
            yield frozen
        finally:
            connection.cache_clear()


@contextmanager
def postgres_away() -> Iterator[None]:
    """Whoever uses Django's connection to PostgreSQL in this block is refused."""
    database = connections["default"]
    there = {name: database.settings_dict[name] for name in ("HOST", "PORT")}
    database.close()
    database.settings_dict.update(HOST="127.0.0.1", PORT="1")
    try:
        yield
    finally:
        database.close()
        database.settings_dict.update(there)


@contextmanager
def postgres_frozen(backend: int) -> Iterator[None]:
    """The server behind that backend, by its process number, says nothing in this block, to nobody."""
    stat = Path(f"/proc/{backend}/stat").read_text()
    server = int(stat.rpartition(")")[2].split()[1])
    for process in (server, backend):
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in (server, backend):
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)


@contextmanager
def transactions_locked() -> Iterator[None]:
    """Whoever uses the table of transactions in this block waits."""
    with locked("transactions_transaction"):
        yield


@contextmanager
def locked(table: str) -> Iterator[None]:
    """Whoever uses the table in this block waits."""
    other = psycopg2.connect(database_url())
    try:
        other.cursor().execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        yield
    finally:
        other.close()


def until_somebody_waits(sessions: int = 1) -> None:
    """Returns once so many sessions wait for a lock of PostgreSQL."""
    for _ in range(2_000):
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.01), count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[1] >= sessions:
                return
    pytest.fail("nobody waits for a lock")


@contextmanager
def stores_moving_on() -> Iterator[None]:
    """Somebody commits to the books amid every reading of them in this block."""
    other = psycopg2.connect(database_url())
    other.autocommit = True

    def commit_first() -> "redis.Redis":
        with other.cursor() as cursor:
            cursor.execute("UPDATE transactions_epoch SET stored = stored + 1")
        return reader()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(balance, "reader", commit_first)
        try:
            yield
        finally:
            other.close()
