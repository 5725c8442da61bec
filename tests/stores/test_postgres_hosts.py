"""Several hosts in DATABASE_URL: whoever connects reaches the primary, whichever others are dead."""

import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg2
import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User
from django.db import connection as database

from tests.support.accepting import record, take
from tests.support.flushing import rows
from tests.support.outages import FrozenRedis as Frozen
from tests.support.outages import postgres_frozen
from tests.support.standing_by import Host, Standby, connecting_to, own_host, standby
from transaction_monitoring.database_settings import configuration
from transactions.intake.lookups import lookups as asking
from transactions.stores import postgres_on_loop
from transactions.stores.postgres_parameters import connection_parameters
from transactions.stores.postgres_session import Session
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

IN_RECOVERY = "SELECT pg_is_in_recovery(), pg_backend_pid()"
# Longer than all hosts take to be given up by a machine that is busy, shorter than a host that is dead is
# waited for without a bound.
SOON_S = 30.0
Ask = Callable[[], tuple[bool, int]]


def by_django() -> tuple[bool, int]:
    database.close()
    with database.cursor() as cursor:
        cursor.execute(IN_RECOVERY)
        found: tuple[bool, int] = cursor.fetchone()
    return found


def by_a_session() -> tuple[bool, int]:
    with Session() as session, session.transaction() as cursor:
        cursor.execute(IN_RECOVERY)
        found: tuple[bool, int] = cursor.fetchone()
    return found


def by_a_lookup() -> tuple[bool, int]:
    async def ask() -> Any:
        connection = await postgres_on_loop.connect()
        try:
            return (await postgres_on_loop.fetch(connection, f"{IN_RECOVERY} WHERE %s", True))[0]
        finally:
            connection.close()

    found: tuple[bool, int] = async_to_sync(ask)()
    return found


WAYS = [by_django, by_a_session, by_a_lookup]


class Dead:
    """Hosts where nobody answers, each in its way."""

    def __init__(self, stack: contextlib.ExitStack) -> None:
        self.silent = Frozen()
        stack.enter_context(self.silent.listener)
        # Its queue of connections is full: like a machine that is gone, it answers nothing at all.
        gone = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            client = stack.enter_context(socket.socket())
            client.setblocking(False)
            client.connect_ex(gone.getsockname())
        self.hosts: dict[str, Host] = {
            "refuses": ("127.0.0.1", "1"),
            "is silent": ("127.0.0.1", str(self.silent.listener.getsockname()[1])),
            "is gone": ("127.0.0.1", str(gone.getsockname()[1])),
        }


@pytest.fixture
def dead() -> Iterator[Dead]:
    with contextlib.ExitStack() as stack:
        yield Dead(stack)


@pytest.fixture
def follower(transactional_db: None) -> Iterator[Standby]:
    with standby() as server:
        yield server


@pytest.mark.parametrize("ask", WAYS)
@pytest.mark.parametrize("kind", ["refuses", "is silent", "is gone"])
def test_a_dead_first_host_is_passed_over(dead: Dead, kind: str, ask: Ask) -> None:
    began = time.monotonic()
    with connecting_to(dead.hosts[kind], own_host()):
        assert ask()[0] is False
    assert time.monotonic() - began < SOON_S


@pytest.mark.parametrize("ask", [by_django, by_a_session])
def test_a_dead_host_is_waited_for_once_and_then_asked_last(dead: Dead, ask: Ask) -> None:
    with connecting_to(dead.hosts["is silent"], own_host()):
        for _ in range(3):
            ask()
        assert dead.silent.asked() == 1
        first = connection_parameters()
        assert (first["host"].split(",")[0], first["port"].split(",")[0]) == own_host()


@pytest.mark.parametrize("ask", WAYS)
def test_where_all_are_dead_it_is_an_error_as_ever(dead: Dead, ask: Ask) -> None:
    with connecting_to(dead.hosts["refuses"], ("127.0.0.1", "2")), pytest.raises(Exception, match="refused"):
        ask()


def test_look_ups_are_answered_though_the_first_host_is_dead(people: list[User], dead: Dead) -> None:
    take(record("T1", people[0], status="SUCCESS"))
    assert flush().stored == 1
    with connecting_to(dead.hosts["is gone"], dead.hosts["is silent"], own_host()):
        found = async_to_sync(asking.ask)(["T1"], {people[0].pk, -1})
    assert found is not None
    assert (list(found[0]), found[1]) == (["T1"], {-1})


@pytest.mark.parametrize("ask", WAYS)
def test_a_standby_that_is_named_first_is_passed_over(follower: Standby, ask: Ask) -> None:
    with connecting_to(follower.host, own_host()):
        assert ask()[0] is False
        assert ask()[0] is False


def test_a_flush_goes_on_with_the_standby_once_that_is_promoted(
    people: list[User], follower: Standby
) -> None:
    with connecting_to(own_host(), follower.host):
        take(record("T1", people[0]))
        assert flush().stored == 1
        take(record("T2", people[0]))
        (_, backend) = by_django()
        follower.has_caught_up()
        with postgres_frozen(backend):
            follower.promote()
            database.close()
            assert flush().stored == 1
            assert [row[0] for row in rows()] == ["T1", "T2"]
            assert by_a_lookup()[0] is False
            database.close()


@pytest.mark.parametrize(
    ("hosts", "host", "port", "seconds", "which"),
    [
        ("one:1,two:2", "one,two", "1,2", 3, "read-write"),
        ("one,two", "one,two", "", 3, "read-write"),
        ("[::1]:1,[::2]:2", "::1,::2", "1,2", 3, "read-write"),
        ("one:1", "one", "1", 5, None),
        ("", "", "", 5, None),
    ],
)
def test_what_django_is_told_of_hosts(
    hosts: str, host: str, port: str, seconds: int, which: str | None
) -> None:
    told = configuration(f"postgres://user:secret@{hosts}/d")
    assert (told["HOST"], str(told["PORT"] or "")) == (host, port)
    assert (told["OPTIONS"]["connect_timeout"], told["OPTIONS"].get("target_session_attrs")) == (
        seconds,
        which,
    )


def test_what_the_url_says_of_time_outs_goes_before_the_defaults() -> None:
    url = "postgres://u@one,two/d?connect_timeout=2&tcp_user_timeout=4000&keepalives_idle=3"
    assert configuration(url)["OPTIONS"] == {
        "connect_timeout": 2,
        "tcp_user_timeout": 4000,
        "keepalives_idle": 3,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "target_session_attrs": "read-write",
    }


def test_of_several_that_are_only_read_a_standby_is_preferred_and_none_waited_for_long() -> None:
    options = configuration("postgres://u@one,two/d", writes=False)["OPTIONS"]
    assert (options["target_session_attrs"], options["connect_timeout"]) == ("prefer-standby", 2)


def test_one_host_is_connected_to_as_ever() -> None:
    with connecting_to(own_host()):
        told = connection_parameters()
        assert by_a_session()[0] is False
        assert connection_parameters() == told
        assert "target_session_attrs" not in told


def test_addresses_that_are_named_beside_hosts_stay_as_they_stand() -> None:
    with connecting_to(("one", "1"), ("two", "2"), hostaddr="127.0.0.1,127.0.0.2"):
        with pytest.raises(psycopg2.OperationalError):
            by_a_session()
        assert connection_parameters()["host"] == "one,two"
