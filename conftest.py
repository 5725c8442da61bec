"""A small cast for every test: users, a client, empty stores."""

import gc
import inspect
from collections.abc import Generator, Iterator
from pathlib import Path

import httpx
import pytest
from channels.layers import channel_layers
from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import User
from django.db import DEFAULT_DB_ALIAS, Error, connections
from django.db import connection as database
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.test import TransactionTestCase, override_settings
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings
from rest_framework.test import APIClient

from dev.test_cluster import DATABASE
from dev.trio import Trio
from dev.waiting import wait_until
from tests.support.sentinels import in_use
from transaction_monitoring.celery import hear_celery
from transactions.intake.lookups import lookups
from transactions.stores import confirmation, lookout, postgres_hosts, standby_reads
from transactions.stores.redis_connection import connection

# How long an example takes says more of the machine, which runs several tests at once, than of the code.
hypothesis_settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
hypothesis_settings.load_profile("suite")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What is loaded stays: as in `asgi.py` the garbage collector walks through it neither now nor later."""
    gc.disable()
    collected = yield
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    gc.enable()
    return collected


@pytest.fixture(scope="session", autouse=True)
def patient_clients() -> None:
    """A request that names no time-out waits for a minute: httpx's five seconds tell of the machine."""
    default = inspect.signature(httpx.get).parameters["timeout"].default
    default.connect = default.read = default.write = default.pool = 60.0


@pytest.fixture(scope="session", autouse=True)
def certificates_read_once() -> None:
    """Each call of httpx reads all authorities of the world anew, for 20 ms, and nobody here asks them."""
    known = httpx.create_ssl_context()
    calls = (httpx.get, httpx.post, httpx.put, httpx.patch, httpx.delete, httpx.head, httpx.options)
    for call in (*calls, httpx.request, httpx.stream, httpx.Client.__init__, httpx.AsyncClient.__init__):
        defaults = inspect.unwrap(call).__kwdefaults__
        assert defaults is not None
        assert defaults["verify"] is True
        defaults["verify"] = known


@pytest.fixture(scope="session", autouse=True)
def ticks_are_heard() -> None:
    """Tests run tasks, and tell of ticks: they hear what a process of Celery's hears."""
    hear_celery()


@pytest.fixture(scope="session", autouse=True)
def plain_static_files(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Pages name their files as they are: nothing is collected and hashed for a test.

    What one collects is for its server alone: each client of this process would look at every file of it.
    """
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    plain = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}
    none = tmp_path_factory.mktemp("static")
    with override_settings(STORAGES={**settings.STORAGES, "staticfiles": plain}, STATIC_ROOT=str(none)):
        yield


# Purpose: no row is left but those of permissions, which any database has. Most tables are empty, and to look
# is quick; TRUNCATE makes new files for each, and permissions were all made again after it. In this role no
# trigger and no foreign key has a say.
EMPTY = """
    DO $$ DECLARE name text; BEGIN
        SET LOCAL session_replication_role = replica;
        FOREACH name IN ARRAY '{%s}'::text[] LOOP EXECUTE format('DELETE FROM %%I', name); END LOOP;
    END $$
"""
KEPT = {"django_content_type", "auth_permission"}


def _empty_database(test: TransactionTestCase) -> None:
    names = database.introspection.django_table_names(only_existing=True, include_views=False)
    with database.cursor() as cursor:
        cursor.execute(EMPTY % ",".join(sorted(set(names) - KEPT)))


# Each thread and each event loop has its own: that of a browser's loop is out of Django's reach at the end.
kept_sessions: set[BaseDatabaseWrapper] = set()


def _is_to_reconnect(test: TransactionTestCase) -> bool:
    """Whether the next test needs another session: it has this one as it was at its start, where that can be.

    A new one reads what tables there are again, which is most of what a short test costs PostgreSQL.
    """
    if database.connection is None or database.in_atomic_block or not database.get_autocommit():
        return True
    try:
        with database.cursor() as cursor:
            # What was set, prepared, locked, listened to, or made for a while.
            cursor.execute("DISCARD ALL")
        database.init_connection_state()
    except Error:
        return True
    database.run_on_commit.clear()
    kept_sessions.add(connections[DEFAULT_DB_ALIAS])
    connection_created.send(sender=type(database), connection=database)
    return False


@pytest.fixture(scope="session", autouse=True)
def emptied_by_deletion() -> Iterator[None]:
    """After a test that commits the database is emptied, in a few milliseconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(TransactionTestCase, "_fixture_teardown", _empty_database)
        patch.setattr(TransactionTestCase, "_should_reload_connections", _is_to_reconnect)
        yield


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None) -> Iterator[None]:
    """The suite's database, which is in the cluster from the start, and goes with it."""
    database.close()
    database.settings_dict["NAME"] = settings.DATABASES[DEFAULT_DB_ALIAS]["NAME"] = DATABASE
    yield
    for session in kept_sessions:
        session.close()


@pytest.fixture(autouse=True)
def empty_redis() -> Iterator[None]:
    """Redis is empty at the start of a test, and nothing is remembered of earlier users."""
    connection().flushdb()
    # A channel layer keeps locks of the loop on which somebody last received from it.
    channel_layers.backends.clear()
    yield
    lookups.forget()
    postgres_hosts.forget()
    standby_reads.forget()


@pytest.fixture(scope="session")
def trio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trio]:
    """A primary, two replicas and three sentinels, started for the first test that needs them."""
    three = Trio(tmp_path_factory.mktemp("trio"))
    try:
        three.start()
        yield three
    finally:
        three.stop()


@pytest.fixture
def three(trio: Trio) -> Iterator[Trio]:
    """The three, whole, empty, and asked for by everything that connects to Redis."""
    trio.until_whole()
    with in_use(trio):
        connection().flushdb()
        # Of a test before, a replica may have been missing a moment ago.
        wait_until(
            lambda: not confirmation.lacking() and lookout.counted.needed(2) == 2, 60, "both replicas count"
        )
        yield trio


@pytest.fixture
def people(transactional_db: None) -> list[User]:
    """Alice, Bob and Carol."""
    # At once, and as if they had always been there: the audit trail has nothing to tell of them. To make each
    # by itself took four times as long, before most tests.
    password = make_password(None)
    return User.objects.bulk_create(
        [User(username=name, password=password) for name in ("alice", "bob", "carol")]
    )


@pytest.fixture
def api() -> APIClient:
    """A client of the REST API, from loopback and without credentials."""
    return APIClient()
