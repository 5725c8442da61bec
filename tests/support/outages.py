"""Servers where nobody answers, a table that nobody gets at, and stores that are never at rest."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
import pytest
import redis
from django.db import connections
from django.test import override_settings

from tests.support.serving import database_url
from transactions.books import balance
from transactions.stores.redis_connection import connection


@contextmanager
def redis_away() -> Iterator[None]:
    """Whoever connects to Redis in this block is refused."""
    with override_settings(REDIS_URL="redis://127.0.0.1:1/0"):
        connection.cache_clear()
        try:
            yield
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


def until_somebody_waits() -> None:
    """Returns once a session waits for a lock of PostgreSQL."""
    for _ in range(2_000):
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT pg_sleep(0.01), count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[1]:
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
        return connection()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(balance, "connection", commit_first)
        try:
            yield
        finally:
            other.close()
