"""Servers that are somewhere where nobody answers."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connections
from django.test import override_settings

from transactions.queue import connection


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
