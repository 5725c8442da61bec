"""Connections made by hand: what the settings say of all holds for them too; and their limits."""

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from asgiref.sync import async_to_sync
from psycopg2.extensions import quote_ident
from pytest_django import Settings

from tests.support.serving import database_url
from transactions.stores import own_sessions, postgres_on_loop
from transactions.stores.postgres_session import LIMITS_MS, Session

pytestmark = pytest.mark.django_db(transaction=True)

# Purpose: what a connection runs with. Times in milliseconds.
SELECT_SETTINGS = "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)"


@pytest.fixture
def jit_by_default(transactional_db: None) -> Iterator[None]:
    """A database that compiles queries unless it is told otherwise, as PostgreSQL does by default."""
    with psycopg2.connect(database_url()) as owner, owner.cursor() as cursor:
        name = quote_ident(owner.info.dbname, cursor)
        cursor.execute(f"ALTER DATABASE {name} SET jit = on")
    owner.close()
    yield
    with psycopg2.connect(database_url()) as owner, owner.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {name} RESET jit")
    owner.close()


def of_a_session(*names: str) -> dict[str, str]:
    with Session() as session, session.transaction() as cursor:
        cursor.execute(SELECT_SETTINGS, (list(names),))
        return dict(cursor.fetchall())


def of_a_lookup(*names: str) -> dict[str, str]:
    async def ask() -> list[Any]:
        connection = await postgres_on_loop.connect()
        try:
            return await postgres_on_loop.fetch(connection, SELECT_SETTINGS, list(names))
        finally:
            connection.close()

    return dict(async_to_sync(ask)())


@pytest.mark.usefixtures("jit_by_default")
@pytest.mark.parametrize("read", [of_a_session, of_a_lookup])
def test_no_query_of_ours_is_compiled(read: Any) -> None:
    with psycopg2.connect(database_url()) as plain, plain.cursor() as cursor:
        cursor.execute("SHOW jit")
        assert cursor.fetchone() == ("on",), "the server would"
    plain.close()
    assert read("jit") == {"jit": "off"}


def test_each_wait_of_a_session_has_an_end() -> None:
    assert of_a_session(*LIMITS_MS) == {name: str(limit_ms) for name, limit_ms in LIMITS_MS.items()}
    assert of_a_session("TimeZone", "synchronous_commit", "application_name") == {
        "TimeZone": "UTC",
        "synchronous_commit": "on",
        "application_name": "transactions flush",
    }


def test_whoever_is_cut_as_its_work_ends_is_not_cut_any_more_once_it_is_over(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The number of a connection that is closed may be another one's, which would be cut in its place."""
    begun, cuts = threading.Event(), own_sessions.cut
    done: list[int] = []

    def slowly(connection: Any) -> None:
        begun.set()
        time.sleep(0.5)
        done.append(connection.fileno())
        cuts(connection)

    monkeypatch.setattr(own_sessions, "cut", slowly)
    with contextlib.closing(psycopg2.connect(database_url())) as connection:
        with own_sessions.cut_after(0.0, connection):
            assert begun.wait(60)
        assert len(done) == 1


def test_one_that_has_ended_is_not_cut() -> None:
    connection = psycopg2.connect(database_url())
    connection.close()
    own_sessions.cut(connection)


def test_a_lookup_ends_in_time_and_reads_no_table_from_end_to_end(settings: Settings) -> None:
    settings.LOOKUP_TIMEOUT_MS = 123
    assert of_a_lookup("statement_timeout", "enable_seqscan") == {
        "statement_timeout": "123",
        "enable_seqscan": "off",
    }
