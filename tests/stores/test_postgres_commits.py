"""A COMMIT whose wait for a standby was cancelled: success to PostgreSQL, a failure to whoever promises."""

from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from django.contrib.auth.models import Group, User
from django.db import OperationalError, connections, transaction
from django.db import connection as database

from tests.support.accepting import record, take
from tests.support.flushing import POINTS, balanced, rows
from tests.support.standing_by import Confirming, confirming, waits_cancelled
from transactions import checks
from transactions.queue.keys import BATCH, QUEUE
from transactions.stores import postgres_silence
from transactions.stores.postgres_commits import NotConfirmed
from transactions.stores.postgres_session import Session
from transactions.stores.redis_connection import connection
from transactions.storing import bulk_insert
from transactions.storing import flush as flushing
from transactions.storing.flush import FlushReport, flush

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def server(transactional_db: None) -> Iterator[Confirming]:
    with confirming() as server:
        yield server


@pytest.fixture
def cancelled(server: Confirming) -> Iterator[None]:
    """Commits wait for a standby, and every wait is cancelled."""
    server.wait_in_vain()
    with waits_cancelled(server):
        yield
        server.stop_waiting()


def flush_alone() -> FlushReport:
    """Flushes; the server frees the lock of a flush that failed only a moment later."""
    while (report := flush()).busy:
        pass
    return report


def in_redis() -> int:
    """Records that Redis holds, in the queue or a batch."""
    keys = [QUEUE, *connection().scan_iter(match=f"{BATCH}*")]
    return sum(connection().llen(key) for key in keys)


@pytest.mark.usefixtures("cancelled")
def test_a_session_s_transaction_fails_though_it_is_there() -> None:
    with pytest.raises(NotConfirmed), Session() as session, session.transaction() as cursor:
        cursor.execute("INSERT INTO auth_group (name) VALUES ('seen')")
    assert Group.objects.filter(name="seen").exists()


@pytest.mark.usefixtures("cancelled")
def test_django_s_transaction_fails_and_nothing_follows_its_commit() -> None:
    followed: list[str] = []

    def write() -> None:
        with transaction.atomic():
            Group.objects.create(name="seen")
            transaction.on_commit(lambda: followed.append("told"))

    with pytest.raises(OperationalError, match="wait for a standby was cancelled"):
        write()
    assert followed == []


@pytest.mark.usefixtures("cancelled")
@pytest.mark.parametrize("watched", [False, True])
def test_a_statement_that_commits_by_itself_fails(watched: bool) -> None:
    line: Any = connections["default"].copy()
    if watched:
        postgres_silence.watch(line)
    with pytest.raises(OperationalError, match="wait for a standby was cancelled"), line.cursor() as cursor:
        cursor.execute("INSERT INTO auth_group (name) VALUES ('seen')")
    with line.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM auth_group")
        assert cursor.fetchone() == (1,), "what is asked next does not fail once more"
    line.close()


@pytest.mark.parametrize("point", POINTS)
def test_redis_keeps_what_a_flush_stored_until_a_standby_has_it(
    people: list[User], server: Confirming, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    take(record("T1", people[0]))
    database.close()

    def wait_from_here(name: str) -> None:
        if name == f"flush.{point}":
            server.wait_in_vain()

    for module in (flushing, bulk_insert):
        monkeypatch.setattr(module, "crash_point", wait_from_here)
    confirmed_before = point in ("after_commit", "before_released")
    with waits_cancelled(server):
        for _ in range(2):
            with pytest.raises(psycopg2.Error):
                flush_alone()
            assert in_redis() == (0 if confirmed_before else 1)
            # A session that has temporary tables waits as it ends, too, and keeps its lock meanwhile.
            server.stop_waiting()
            server.wait_in_vain()
    monkeypatch.undo()
    server.stop_waiting()
    assert flush_alone().stored == (0 if point in POINTS[2:] else 1)
    assert [row[0] for row in rows()] == ["T1"]
    assert (in_redis(), balanced()) == (0, True)


def test_a_server_that_confirms_is_not_complained_of(people: list[User], server: Confirming) -> None:
    server.wait_in_vain()
    server.stop_waiting()
    take(record("T1", people[0]))
    assert flush().stored == 1


@pytest.mark.parametrize(
    ("language", "ids"),
    [
        ("de_DE.UTF-8", ["transactions.E003"]),
        ("C.UTF-8", []),
        ("C", []),
        ("en_GB.utf8", []),
        ("cs_CZ", ["transactions.E003"]),
    ],
)
def test_a_server_that_waits_must_tell_so_in_english(
    language: str, ids: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "SELECT_LANGUAGE", f"SELECT '{language}'")
    assert [error.id for error in checks.standbys_are_heard(None, ["default"])] == ids


def test_the_language_of_a_server_that_waits_for_nobody_does_not_matter() -> None:
    assert checks.standbys_are_heard(None, ["default"]) == []
