"""A Redis of three, used by everything that connects to Redis."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.test import override_settings

from dev import trio
from dev.servers import ServerError
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


def until(holds: Callable[[], object], what: str, seconds: float = 60.0) -> None:
    """Fails where something does not come to hold within so many seconds."""
    try:
        trio.until(holds, what, seconds)
    except ServerError as error:
        pytest.fail(str(error))
