"""Servers that are somewhere where nobody answers, and a table that nobody gets at."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from django.db import connections
from django.test import override_settings

from tests.support.serving import database_url
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
    other = psycopg2.connect(database_url())
    try:
        other.cursor().execute("LOCK TABLE transactions_transaction IN ACCESS EXCLUSIVE MODE")
        yield
    finally:
        other.close()
