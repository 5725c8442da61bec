"""PgBouncer before PostgreSQL: with sessions of their own all works; with lent ones the start says so."""

import os
import subprocess
import sys

import psycopg2
import pytest
from django.contrib.auth.models import User
from django.core.checks import run_checks
from django.db import connection as database

from tests.stores.test_postgres_connections import of_a_lookup, of_a_session
from tests.support.accepting import record, take
from tests.support.pooling import needs_pgbouncer, pooled
from tests.support.serving import ROOT
from transactions.books import balance
from transactions.models import Transaction
from transactions.queue.keys import QUEUE
from transactions.stores import postgres_session
from transactions.stores.own_sessions import SessionsShared
from transactions.stores.postgres_session import FLUSH_LOCK, LIMITS_MS, Session
from transactions.stores.redis_connection import connection
from transactions.storing.flush import flush

pytestmark = [pytest.mark.django_db(transaction=True), needs_pgbouncer]

SHARED = {
    "transaction": {"pool_mode": "transaction"},
    "with one session": {"pool_mode": "transaction", "default_pool_size": "1"},
    "with a reset": {
        "pool_mode": "transaction",
        "server_reset_query": "DISCARD ALL",
        "server_reset_query_always": "1",
    },
    "in turns": {"pool_mode": "transaction", "server_round_robin": "1"},
    "without options": {"pool_mode": "transaction", "ignore_startup_parameters": "options"},
}


@pytest.fixture(autouse=True)
def not_known_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_session, "_known_to_be_own", False)


@pytest.mark.parametrize(
    "options", [{}, {"ignore_startup_parameters": "options"}, {"default_pool_size": "4"}]
)
def test_the_flush_stores_through_sessions_of_its_own(people: list[User], options: dict[str, str]) -> None:
    with pooled(pool_mode="session", **options):
        for round in range(3):  # The second and third meet sessions that were used before.
            ids = [f"T{round}-{number}" for number in range(50)]
            assert take(*(record(id, people[0], status="PENDING") for id in ids)) == ["N"] * 50
            flush()
            assert take(record(ids[0], people[0], status="SUCCESS"), record(ids[1], people[1])) == ["S", "C"]
            assert flush().settled == 1
        assert Transaction.objects.count() == 150
        assert balance.read().balanced is True
        assert run_checks(databases=["default"]) == []


def test_every_limit_is_in_force_through_it() -> None:
    with pooled(pool_mode="session"):
        for _ in range(2):
            assert of_a_session(*LIMITS_MS) == {name: str(limit_ms) for name, limit_ms in LIMITS_MS.items()}
            assert of_a_session("TimeZone", "synchronous_commit", "application_name", "jit") == {
                "TimeZone": "UTC",
                "synchronous_commit": "on",
                "application_name": "transactions flush",
                "jit": "off",
            }
            assert of_a_lookup("enable_seqscan", "jit") == {"enable_seqscan": "off", "jit": "off"}
        # And for nobody who is given the session after it.
        with database.cursor() as cursor:
            cursor.execute("SHOW idle_session_timeout")
            assert cursor.fetchone() == ("0",)


def test_its_lock_keeps_another_flusher_out(people: list[User]) -> None:
    with pooled(pool_mode="session"):
        take(record("T1", people[0]))
        with Session() as other:
            assert other.try_lock(FLUSH_LOCK)
            assert flush().busy
        assert flush().stored == 1


@pytest.mark.parametrize("kind", SHARED)
def test_with_sessions_that_are_lent_nothing_is_moved_and_it_is_said_why(
    people: list[User], kind: str
) -> None:
    take(record("T1", people[0]))
    with pooled(**SHARED[kind]):
        for _ in range(2):
            with pytest.raises(SessionsShared, match="set pool_mode = session"):
                flush()
        (error,) = run_checks(databases=["default"])
        assert (error.id, "pool_mode = session" in error.msg) == ("transactions.E002", True)
    assert connection().llen(QUEUE) == 1
    assert flush().stored == 1


def test_statement_pooling_is_refused_too(people: list[User]) -> None:
    with pooled(pool_mode="statement"), pytest.raises(psycopg2.Error):
        flush()


@pytest.mark.slow
def test_migrate_which_comes_first_says_it() -> None:
    with pooled(pool_mode="transaction") as url:
        ended = subprocess.run(
            [sys.executable, "manage.py", "migrate"],
            cwd=ROOT,
            env={**os.environ, "DATABASE_URL": url},
            capture_output=True,
            text=True,
        )
    assert ended.returncode != 0
    assert "transactions.E002" in ended.stderr
    assert "set pool_mode = session" in ended.stderr
    assert "Traceback" not in ended.stderr
