"""Reads from a standby: what goes there, what never does, and what is read where it cannot be."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import getclosurevars

import pytest
from django.contrib.auth.models import User
from django.db import connections, router
from django.db.backends.base.base import BaseDatabaseWrapper
from django.test import Client, override_settings
from rest_framework.test import APIClient

from dev.waiting import wait_until
from tests.support.accepting import outcomes, record, take
from tests.support.admin_pages import superuser
from tests.support.outages import FrozenRedis as Frozen
from tests.support.outages import postgres_frozen
from tests.support.standing_by import PATIENCE_S, Host, Standby, own_host, standby, url_of
from transaction_monitoring.database_settings import configuration
from transactions.models import Transaction
from transactions.stores import standby_reads
from transactions.stores.standby_reads import STANDBY, from_standby, reading
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/api/transactions/"
AVERAGES = "/api/transactions/average/"
PAGE = "/admin/transactions/transaction/"
BEHIND = "Read from a standby"


@pytest.fixture(scope="module")
def repeating(django_db_setup: None) -> Iterator[Standby]:
    """A standby, which the tests of this module only hold up."""
    with standby() as server:
        yield server


@pytest.fixture
def follower(people: list[User], repeating: Standby) -> Iterator[Standby]:
    """It, once it knows the three users and T1; it hears of nothing that comes after."""
    take(record("T1", people[0], status="SUCCESS"))
    assert flush().stored == 1
    repeating.has_caught_up()
    repeating.ask("SELECT pg_wal_replay_pause()::text")
    paused = lambda: repeating.ask("SELECT pg_get_wal_replay_pause_state()") == "paused"  # noqa: E731
    wait_until(paused, PATIENCE_S, "the standby replays nothing")
    yield repeating
    repeating.ask("SELECT pg_wal_replay_resume()::text")


@contextmanager
def reading_from(host: Host) -> Iterator[None]:
    """As with this host in DATABASE_READ_URL."""
    defaults = connections["default"].settings_dict
    told = {**defaults, **configuration(url_of(host), writes=False)}
    connections.databases[STANDBY] = told
    # Django's tests forbid connections that a test class did not name, and empty those that it did.
    connect = getclosurevars(BaseDatabaseWrapper.ensure_connection).nonlocals["real_ensure_connection"]
    routers = ["transactions.stores.standby_reads.StandbyRouter"]
    try:
        with pytest.MonkeyPatch.context() as patch, override_settings(DATABASE_ROUTERS=routers):
            patch.setattr(BaseDatabaseWrapper, "ensure_connection", connect)
            yield
    finally:
        connections[STANDBY].close()
        del connections[STANDBY], connections.databases[STANDBY]


def stored_since(people: list[User]) -> None:
    """T2 is stored, which the standby does not hear of."""
    take(record("T2", people[1], status="SUCCESS"))
    assert flush().stored == 1


def listed(api: APIClient, query: str = "") -> list[str]:
    answer = api.get(f"{LIST}{query}")
    assert answer.status_code == 200
    return sorted(row["transaction_id"] for row in answer.json()["results"])


def test_the_api_s_list_is_as_the_standby_has_it(
    api: APIClient, people: list[User], follower: Standby
) -> None:
    stored_since(people)
    assert listed(api) == ["T1", "T2"]
    with reading_from(follower.host):
        assert listed(api) == ["T1"]


def test_the_api_s_averages_are_as_the_standby_has_them(
    api: APIClient, people: list[User], follower: Standby
) -> None:
    stored_since(people)
    with reading_from(follower.host):
        (day,) = api.get(AVERAGES).json()["data"]
        assert day["count"] == 1
    (day,) = api.get(AVERAGES).json()["data"]
    assert day["count"] == 2


def ids_on(page: str) -> list[str]:
    """Of the rows that the page of the list shows, from the top."""
    return re.findall(r'aria-label="Choose (\w+)"', page)


def test_the_page_of_the_list_says_how_far_behind_it_is(
    client: Client, people: list[User], follower: Standby
) -> None:
    superuser(client)
    stored_since(people)
    here = client.get(PAGE).content.decode()
    assert BEHIND not in here
    assert ids_on(here) == ["T2", "T1"]
    with reading_from(follower.host):
        there = client.get(PAGE).content.decode()
        assert BEHIND in there
        assert "what was stored, settled or deleted since is not shown yet" in there
        assert ids_on(there) == ["T1"]
        waiting = client.get(f"{PAGE}?state=waiting").content.decode()
        assert BEHIND not in waiting


def test_a_transaction_by_its_id_is_found_however_far_the_standby_is_behind(
    api: APIClient, people: list[User], follower: Standby
) -> None:
    stored_since(people)
    with reading_from(follower.host):
        assert listed(api, "?transaction_id=T2") == ["T2"]
        assert api.get(f"{LIST}T2/").status_code == 200


def test_whoever_decides_or_writes_asks_the_primary(people: list[User], follower: Standby) -> None:
    with reading_from(follower.host):
        stored_since(people)
        (again,) = outcomes(record("T2", people[1], status="SUCCESS"))
        assert str(again.verdict) == "R"
        assert Transaction.objects.filter(transaction_id="T2").exists()
        row = from_standby(lambda: Transaction.objects.get(transaction_id="T1")).told
        assert row._state.db == STANDBY
        assert router.db_for_write(Transaction, instance=row) == "default"


def test_a_standby_that_refuses_or_is_silent_is_left_alone_and_the_primary_read(
    api: APIClient, people: list[User]
) -> None:
    take(record("T1", people[0], status="SUCCESS"))
    assert flush().stored == 1
    silent = Frozen()
    port = str(silent.listener.getsockname()[1])
    with silent.listener, reading_from(("127.0.0.1", port)):
        for _ in range(3):
            assert listed(api) == ["T1"]
        assert silent.asked() == 1
    standby_reads.forget()
    with reading_from(("127.0.0.1", "1")):
        assert listed(api) == ["T1"]


def test_one_that_falls_silent_amid_its_connections_is_cut(
    people: list[User], follower: Standby, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(standby_reads, "PROBE_S", 0.5)
    with reading_from(follower.host):
        assert from_standby(lambda: reading().alias).told == STANDBY
        line = connections[STANDBY].connection
        with postgres_frozen(line.info.backend_pid):
            read = from_standby(lambda: reading().alias)
        assert (read.told, read.behind_s) == ("default", None)


def test_one_that_is_too_far_behind_is_not_read(
    api: APIClient, people: list[User], follower: Standby, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored_since(people)
    monkeypatch.setattr(standby_reads, "BEHIND_S_MAX", 1.0)
    time.sleep(1.5)
    with reading_from(follower.host):
        assert listed(api) == ["T1", "T2"]


def test_a_primary_in_its_place_is_read_and_behind_nothing(client: Client, people: list[User]) -> None:
    """HAProxy leads there while no standby is left; the page is not to speak of one."""
    superuser(client)
    stored_since(people)
    with reading_from(own_host()):
        read = from_standby(lambda: reading().alias)
        assert (read.told, read.behind_s) == (STANDBY, None)
        page = client.get(PAGE).content.decode()
    assert "1 transaction" in page
    assert BEHIND not in page


def test_what_is_given_up_there_is_not_asked_again_here(people: list[User], follower: Standby) -> None:
    asked: list[str] = []

    def ask() -> None:
        asked.append(reading().alias)
        with standby_reads.reading().cursor() as cursor:
            cursor.execute("SET statement_timeout = 50; SELECT pg_sleep(5)")

    with reading_from(follower.host), pytest.raises(Exception, match="statement timeout"):
        from_standby(ask)
    assert asked == [STANDBY]


def test_without_a_standby_nothing_is_asked_of_one(people: list[User]) -> None:
    read = from_standby(lambda: reading().alias)
    assert (read.told, read.behind_s) == ("default", None)
