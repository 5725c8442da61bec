"""Backup and restore of both stores, as docs/operations.md says, and what the books say after it."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import redis

from dev.servers import PrivatePostgres, PrivateRedis, _binary
from tests.support.serving import ROOT

pytestmark = pytest.mark.slow

SET_UP = "import django, json, sys; django.setup()\n"
MAKE_PAYER = f"{SET_UP}from django.contrib.auth.models import User; User.objects.create_user('payer')"
FLUSH = f"{SET_UP}from transactions.storing.flush import flush; flush()"
ACCEPT = f"""{SET_UP}
from django.contrib.auth.models import User
from tests.support.accepting import record, take
payer = User.objects.get(username="payer")
print(json.dumps(take(*(record(id, payer) for id in json.loads(sys.argv[1])))))
"""


class Site:
    """Both stores in a directory of their own, and commands that use them."""

    def __init__(self, directory: Path) -> None:
        self.redis = PrivateRedis(directory / "redis")
        self.postgres = PrivatePostgres(directory / "postgres")
        self.directory = directory

    def start(self) -> None:
        self.redis.start()
        self.postgres.start()

    def destroy(self) -> None:
        self.redis.kill()
        self.postgres.stop()
        shutil.rmtree(self.directory)

    def run(self, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
        theirs = {"DATABASE_URL": self.postgres.url, "REDIS_URL": self.redis.url, **environment}
        django = {"DJANGO_SETTINGS_MODULE": "transaction_monitoring.settings"}
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env={**os.environ, **django, **theirs},
            capture_output=True,
            text=True,
        )

    def accept(self, *ids: str) -> list[str]:
        """What the door says of a record for each id, as letters."""
        done = self.run("-c", ACCEPT, json.dumps(ids))
        verdicts: list[str] = json.loads(done.stdout.splitlines()[-1])
        return verdicts

    def flush(self, **environment: str) -> int:
        return self.run("-c", FLUSH, **environment).returncode

    def verify(self) -> tuple[int, dict[str, Any], str]:
        """Exit status, books and alarms of `manage.py verify`."""
        done = self.run("manage.py", "verify", "--json")
        return done.returncode, json.loads(done.stdout), done.stderr

    def stored(self) -> list[str]:
        connection = psycopg2.connect(self.postgres.url)
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT transaction_id FROM transactions_transaction ORDER BY id")
            found = [id for (id,) in cursor.fetchall()]
        connection.close()
        return found

    def back_up_redis(self, to: Path) -> None:
        with redis.Redis.from_url(self.redis.url) as client:
            client.config_set("auto-aof-rewrite-percentage", 0)
            while client.info("persistence")["aof_rewrite_in_progress"]:
                time.sleep(0.05)
            shutil.copytree(self.redis.directory / "appendonlydir", to / "appendonlydir")
            client.config_set("auto-aof-rewrite-percentage", 100)

    def back_up_postgres(self, to: Path) -> None:
        file = str(to / "transactions.dump")
        subprocess.run([_binary("pg_dump"), "-Fc", "-f", file, "-d", self.postgres.url], check=True)

    def restore(self, backup: Path) -> None:
        """Into empty stores, and starts both."""
        self.redis.prepare()
        shutil.copytree(backup / "appendonlydir", self.redis.directory / "appendonlydir")
        self.start()
        restore = [_binary("pg_restore"), "--exit-on-error", "--no-owner", "-d", self.postgres.url]
        subprocess.run([*restore, str(backup / "transactions.dump")], check=True)


@pytest.fixture
def short() -> Iterator[Path]:
    """A directory whose name leaves room for a socket's."""
    with tempfile.TemporaryDirectory(prefix="backup-") as name:
        yield Path(name)


@pytest.fixture
def backup(short: Path) -> Path:
    (short / "backup").mkdir()
    return short / "backup"


@contextlib.contextmanager
def started(directory: Path) -> Iterator[Site]:
    made = Site(directory)
    made.start()
    try:
        yield made
    finally:
        made.redis.stop()
        made.postgres.stop()


@pytest.fixture(scope="module")
def stocked() -> Iterator[Path]:
    """The directory of a migrated one with a payer, five transactions stored and five that wait."""
    with tempfile.TemporaryDirectory(prefix="backup-") as name:
        with started(Path(name) / "site") as made:
            assert made.run("manage.py", "migrate", "-v0").returncode == 0
            assert made.run("-c", MAKE_PAYER).returncode == 0
            assert made.accept(*numbered("stored")) == ["N"] * 5
            assert made.flush() == 0
            assert made.accept(*numbered("waiting")) == ["N"] * 5
        yield made.directory


@pytest.fixture
def site(stocked: Path, short: Path) -> Iterator[Site]:
    """A copy of it."""
    subprocess.run(["cp", "-a", str(stocked), str(short / "site")], check=True)
    with started(short / "site") as made:
        yield made


@pytest.fixture
def new(short: Path) -> Iterator[Site]:
    """Where things are restored to."""
    made = Site(short / "new")
    yield made
    made.redis.stop()
    made.postgres.stop()


def numbered(name: str) -> list[str]:
    return [f"{name} {number}" for number in range(5)]


def test_with_the_worker_stopped_all_of_it_is_there_once_and_the_books_go_on(
    site: Site, new: Site, backup: Path
) -> None:
    site.back_up_redis(backup)
    site.back_up_postgres(backup)
    site.destroy()
    new.restore(backup)

    status, books, alarms = new.verify()
    assert (status, books["accepted"], books["stored"], books["buffered"], alarms) == (0, 10, 5, 5, "")
    assert new.accept(*numbered("stored"), *numbered("waiting")) == ["R"] * 10
    assert new.flush() == 0
    assert new.stored() == numbered("stored") + numbered("waiting")
    assert new.verify()[0] == 0
    assert new.accept("later") == ["N"]
    assert new.flush() == 0
    status, books, alarms = new.verify()
    assert (status, books["accepted"], books["stored"], alarms) == (0, 11, 11, "")


def test_with_everything_running_redis_first_loses_and_doubles_nothing(
    site: Site, new: Site, backup: Path
) -> None:
    site.back_up_redis(backup)
    assert site.flush() == 0
    assert site.accept(*numbered("meanwhile")) == ["N"] * 5
    assert site.flush() == 0
    site.back_up_postgres(backup)
    site.destroy()
    new.restore(backup)

    assert new.flush() == 0

    assert sorted(new.stored()) == sorted(numbered("stored") + numbered("waiting") + numbered("meanwhile"))
    # Redis' five are there already. The books are new ones that say so.
    status, books, alarms = new.verify()
    assert (status, books["accepted"], books["duplicates"], books["buffered"]) == (0, 5, 5, 0)
    assert "The Redis data went back in time" in alarms
    assert "at least 0 are missing" in alarms


def test_an_older_backup_of_redis_opens_an_alarm_that_says_what_is_missing(
    site: Site, new: Site, backup: Path
) -> None:
    site.back_up_redis(backup)
    assert site.accept(*numbered("later")) == ["N"] * 5
    # Ten records are taken from the queue, and PostgreSQL knows it when its backup is made.
    assert site.flush(CRASH_POINT="flush.amid_insert") == -signal.SIGKILL
    site.back_up_postgres(backup)
    site.destroy()
    new.restore(backup)

    assert new.flush() == 0

    status, books, alarms = new.verify()
    assert (status, books["accepted"], books["stored"]) == (0, 5, 5)
    assert "of 15 records accepted at the last flush 5 were accounted for, at least 10 are missing" in alarms
    assert new.stored() == numbered("stored") + numbered("waiting")
    # What a client sends again is recognised, and what is missing is stored.
    assert new.accept(*numbered("stored"), *numbered("later")) == ["R"] * 5 + ["N"] * 5


def test_postgres_first_loses_what_was_stored_in_between_and_an_alarm_says_so(
    site: Site, new: Site, backup: Path
) -> None:
    site.back_up_postgres(backup)
    assert site.flush() == 0
    site.back_up_redis(backup)
    site.destroy()
    new.restore(backup)

    assert new.flush() == 0

    assert new.stored() == numbered("stored")
    assert "The PostgreSQL data went back in time" in new.verify()[2]
