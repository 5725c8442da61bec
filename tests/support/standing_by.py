"""A standby of the test session's PostgreSQL, several hosts in one URL, commits that no standby confirms."""

import contextlib
import os
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import psycopg2
from django.db import connections

from dev.servers import PrivatePostgres, _binary
from dev.waiting import wait_until
from tests.support.serving import database_url
from transaction_monitoring import database_settings
from transactions.intake.lookups import lookups
from transactions.stores import postgres_hosts

PATIENCE_S = 60.0
# Purpose: something to commit, and so to wait for: a record of the log, and no row of any table.
LEAVE_A_MARK = "SELECT pg_logical_emit_message(true, 'tests', '')"
Host = tuple[str, str]
CANCEL_WAITS = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"


def own_host() -> Host:
    """The test session's server: the directory of its socket, and its port."""
    (directory,) = parse_qs(urlsplit(os.environ["DATABASE_URL"]).query)["host"]
    return directory, "5432"


class Standby(PrivatePostgres):
    """A server that repeats what the test session's does, until it is promoted."""

    def _create_cluster(self) -> None:
        copy = [_binary("pg_basebackup"), "-D", str(self._cluster), "-h", own_host()[0], "-U", self.user]
        # With what it needs to follow from there on.
        self._run_to_end([*copy, "--write-recovery-conf", "--checkpoint=fast", "--no-sync"])

    @property
    def host(self) -> Host:
        return str(self.directory), "5432"

    def ask(self, sql: str) -> object:
        """The one value that the statement tells, in the database of the tests."""
        url = urlsplit(self.url)._replace(path=urlsplit(database_url()).path).geturl()
        with contextlib.closing(psycopg2.connect(url)) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return _one(cursor)

    def has_caught_up(self) -> None:
        """Returns once it has replayed all that the session's server has written by now."""
        with contextlib.closing(psycopg2.connect(database_url())) as primary, primary.cursor() as cursor:
            cursor.execute(LEAVE_A_MARK)
            primary.commit()
            cursor.execute("SELECT pg_current_wal_flush_lsn()")
            place = _one(cursor)
        has_it = f"SELECT pg_last_wal_replay_lsn() >= '{place}'"
        wait_until(lambda: self.ask(has_it), PATIENCE_S, "the standby has replayed it")

    def promote(self) -> None:
        """Returns once it takes writes."""
        assert self.ask("SELECT pg_promote()")


@contextlib.contextmanager
def standby() -> Iterator[Standby]:
    """One that follows, of the databases as they are by now."""
    with tempfile.TemporaryDirectory(prefix="standby-") as name:
        server = Standby(Path(name) / "s")
        server.start()
        try:
            yield server
        finally:
            server.stop()


def url_of(*hosts: Host, **parameters: object) -> str:
    """A DATABASE_URL of these hosts, sockets' directories among them, and the database of the tests."""
    told = {"host": ",".join(host for host, _ in hosts), "port": ",".join(port for _, port in hosts)}
    query = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in (told | parameters).items())
    return f"postgres://{PrivatePostgres.user}@/{connections['default'].settings_dict['NAME']}?{query}"


@contextlib.contextmanager
def connecting_to(*hosts: Host, **parameters: object) -> Iterator[None]:
    """Whatever connects to PostgreSQL in this block, in any thread, is told these hosts by DATABASE_URL."""
    database = connections["default"]
    there = dict(database.settings_dict)
    told = database_settings.configuration(url_of(*hosts, **parameters))
    lookups.forget()
    database.close()
    database.settings_dict.update({name: told[name] for name in ("HOST", "PORT", "USER", "OPTIONS")})
    try:
        yield
    finally:
        lookups.forget()
        postgres_hosts.forget()
        database.close()
        database.settings_dict.update(there)


class Confirming:
    """The test session's server, whose commits wait for a standby that there is not, or do not."""

    def __init__(self) -> None:
        self._connection = psycopg2.connect(database_url())
        self._connection.autocommit = True
        self._ask("SET synchronous_commit = off")

    def close(self) -> None:
        self.stop_waiting()
        self._connection.close()

    def wait_in_vain(self) -> None:
        """From now on every commit of others waits."""
        self._name("nobody")
        # Once such a wait is seen the server has heard of it.
        prober = threading.Thread(target=self._probe)
        prober.start()
        while prober.is_alive():
            self._ask(CANCEL_WAITS)
            prober.join(0.02)

    def wait_for_any(self) -> None:
        """From now on every commit of others waits until any standby has it."""
        self._name("*")

    def stop_waiting(self) -> None:
        """Returns once commits wait no more."""
        self._name("")
        with contextlib.closing(psycopg2.connect(database_url())) as probe, probe.cursor() as cursor:
            cancelled = True
            while cancelled:
                cursor.execute(LEAVE_A_MARK)
                probe.commit()
                cancelled = bool(probe.notices)
                probe.notices.clear()

    def _probe(self) -> None:
        """Commits until a wait is cancelled."""
        with contextlib.closing(psycopg2.connect(database_url())) as probe, probe.cursor() as cursor:
            while not probe.notices:
                cursor.execute(LEAVE_A_MARK)
                probe.commit()

    def _name(self, standbys: str) -> None:
        self._ask(f"ALTER SYSTEM SET synchronous_standby_names = '{standbys}'")
        self._ask("SELECT pg_reload_conf()")

    def _ask(self, sql: str) -> object:
        with self._connection.cursor() as cursor:
            cursor.execute(sql)
            found = cursor.fetchone() if cursor.description else None
            return found and found[0]


@contextlib.contextmanager
def confirming() -> Iterator[Confirming]:
    server = Confirming()
    try:
        yield server
    finally:
        server.close()


@contextlib.contextmanager
def waits_cancelled(server: Confirming) -> Iterator[None]:
    """In this block every wait for a standby is cancelled as it begins."""
    over = threading.Event()

    def cancel() -> None:
        with contextlib.closing(psycopg2.connect(database_url())) as own, own.cursor() as cursor:
            while not over.is_set():
                cursor.execute(CANCEL_WAITS)
                own.rollback()
                time.sleep(0.02)

    thread = threading.Thread(target=cancel)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _one(cursor: Any) -> object:
    return cursor.fetchone()[0]
