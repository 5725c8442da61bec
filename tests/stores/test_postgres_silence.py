"""A PostgreSQL that is frozen, with its connections open: who waits is told, and what is slow goes on."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from django.db import OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from tests.support.outages import postgres_frozen
from transactions.stores import postgres_silence

pytestmark = pytest.mark.django_db(transaction=True)

# Longer than a busy machine takes to find out.
FOUND_OUT_S = 60.0


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Iterator[BaseDatabaseWrapper]:
    """A connection that is watched, by a process that is soon out of patience."""
    monkeypatch.setattr(postgres_silence, "PATIENCE_S", 0.5)
    monkeypatch.setattr(postgres_silence, "ASKED_S", 2)
    copied: Any = connections["default"].copy()
    # It is used by another thread than it is made in.
    copied.inc_thread_sharing()
    postgres_silence.watch(copied)
    yield copied
    copied.close()


@pytest.fixture
def aside() -> Iterator[ThreadPoolExecutor]:
    """A thread that may wait in vain."""
    with ThreadPoolExecutor(1) as thread:
        yield thread


def ask(line: BaseDatabaseWrapper, sql: str = "SELECT pg_backend_pid()") -> Any:
    with line.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]


def fails(waiting: "Future[Any]") -> None:
    assert isinstance(waiting.exception(FOUND_OUT_S), OperationalError)


@pytest.mark.parametrize("wait", [ask, lambda line: line.commit(), lambda line: line.rollback()])
def test_whoever_waits_for_a_server_that_is_frozen_is_told(
    line: BaseDatabaseWrapper, aside: ThreadPoolExecutor, wait: Callable[[BaseDatabaseWrapper], Any]
) -> None:
    backend = aside.submit(ask, line).result()
    aside.submit(line.set_autocommit, False).result()
    aside.submit(ask, line).result()
    with postgres_frozen(backend):
        fails(aside.submit(wait, line))
    line.close()
    assert ask(line) != backend


def test_a_statement_that_is_slow_goes_on(line: BaseDatabaseWrapper) -> None:
    assert ask(line, "SELECT 'told' FROM pg_sleep(2)") == "told"
