"""A PostgreSQL that is frozen, with its connections open: who waits is told, and what is slow goes on."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from django.conf import settings
from django.db import OperationalError, connections
from django.db import connection as database
from django.db.backends.base.base import BaseDatabaseWrapper

from tests.support.outages import postgres_frozen
from transactions.stores import own_sessions, postgres_silence

pytestmark = pytest.mark.django_db(transaction=True)

# Longer than a busy machine takes to find out.
FOUND_OUT_S = 60.0
# Who makes threads that ask PostgreSQL nothing, or by sessions that are bounded otherwise (backtests,
# look-ups); and Django's threads, each of which has itself watched as it begins.
ELSEWHERE = {
    "transactions/notifications/destinations.py",
    "transactions/rules/backtest_runs.py",
    "transactions/stores/postgres_on_loop.py",
    "transactions/stores/postgres_silence.py",
    "transactions/stores/sentinels.py",
    "transactions/storing/flush.py",
    "transaction_monitoring/serving/threads.py",
    "transaction_monitoring/serving/whole_bodies.py",
}


@pytest.fixture
def line() -> Iterator[BaseDatabaseWrapper]:
    """A connection that is watched."""
    copied: Any = connections["default"].copy()
    # It is used by another thread than it is made in.
    copied.inc_thread_sharing()
    postgres_silence.watch(copied)
    yield copied
    copied.close()


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_silence, "WAIT_S_MAX", 2.0)


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


@pytest.mark.usefixtures("impatient")
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


@pytest.mark.usefixtures("impatient")
def test_whoever_waits_for_the_next_rows_of_a_long_answer_is_told(
    line: BaseDatabaseWrapper, aside: ThreadPoolExecutor
) -> None:
    line.set_autocommit(False)
    backend = ask(line)
    cursor: Any = line.chunked_cursor()
    cursor.execute("SELECT generate_series(1, 1000)")
    assert cursor.fetchmany(2) == [(1,), (2,)]
    with postgres_frozen(backend):
        fails(aside.submit(cursor.fetchmany, 2))


def test_a_statement_that_is_slow_goes_on_though_nobody_can_connect_meanwhile(
    line: BaseDatabaseWrapper, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As behind a pooler that has no session to lend: whoever comes then waits for one."""
    looked, look = threading.Event(), postgres_silence.waits.cut_the_longest

    def looks() -> None:
        look()
        looked.set()

    ask(line)
    monkeypatch.setattr(postgres_silence.waits, "cut_the_longest", looks)
    monkeypatch.setattr(psycopg2, "connect", lambda **_: time.sleep(FOUND_OUT_S))
    for _ in range(10):
        looked.clear()
        assert ask(line, "SELECT 'told' FROM pg_sleep(2)") == "told"
        if looked.is_set():
            return
    pytest.fail("nobody looked who waits")


@pytest.mark.usefixtures("impatient")
def test_a_look_that_fails_is_not_the_last(
    line: BaseDatabaseWrapper, aside: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where a machine has no more memory or threads for a moment."""
    failed, cut = threading.Event(), own_sessions.cut

    def cuts(connection: Any) -> None:
        if not failed.is_set():
            failed.set()
            raise RuntimeError("can't start new thread")
        cut(connection)

    monkeypatch.setattr(postgres_silence, "cut", cuts)
    backend = aside.submit(ask, line).result()
    with postgres_frozen(backend):
        fails(aside.submit(ask, line))
    assert failed.is_set()


def test_the_error_of_a_connection_that_is_closed_amid_a_cursor_is_told_as_it_is(
    line: BaseDatabaseWrapper,
) -> None:
    with line.cursor() as one, line.cursor() as other:
        line.connection.close()
        for cursor in (one, other):
            with pytest.raises(psycopg2.InterfaceError, match="closed"):
                cursor.cursor.execute("SELECT 1")


def test_threads_that_are_watched_have_connections_that_are() -> None:
    def kinds() -> tuple[type, type]:
        with database.cursor() as cursor:
            made = type(cursor.connection), type(cursor.cursor)
        database.close()
        return made

    with postgres_silence.watched_threads(1, "test") as threads:
        made = threads.submit(kinds).result()
    assert made == (postgres_silence.WatchedConnection, postgres_silence.WatchedCursor)


def test_whoever_makes_threads_has_them_watched() -> None:
    root = Path(settings.BASE_DIR)
    makers = {
        str(path.relative_to(root))
        for room in ("transactions", "transaction_monitoring")
        for path in (root / room).rglob("*.py")
        if re.search(r"\bThreadPoolExecutor\(", path.read_text())
    }
    assert makers == ELSEWHERE
