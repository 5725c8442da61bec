"""A Redis of three, used by everything that connects to Redis."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.test import override_settings

from dev import trio
from transactions.stores.redis_connection import connection


@contextmanager
def in_use(three: trio.Trio) -> Iterator[None]:
    """Everything that connects to Redis in this block asks the sentinels of the three."""
    with override_settings(REDIS_URL=three.url):
        connection.cache_clear()
        try:
            yield
        finally:
            connection.cache_clear()
