"""What "accepted" and "stored" stand on: the servers' own word for their settings, and a crash.

And the suite's own: each process of it has servers to itself, and takes them along when it ends.
"""

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import psycopg2
import pytest
import redis
import yaml

from dev import test_cluster
from dev.servers import PrivatePostgres, PrivateRedis, PrivateServer, ServerError
from tests.support.containers import SERVICES
from tests.support.running import processes
from tests.support.serving import ROOT


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[PrivatePostgres]:
    server = PrivatePostgres(tmp_path / "postgres")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[PrivateRedis]:
    server = PrivateRedis(tmp_path / "redis")
    server.start()
    yield server
    server.stop()


def query(url: str, sql: str) -> list[tuple[Any, ...]]:
    connection = psycopg2.connect(url)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def test_redis_of_the_suite_keeps_every_acknowledged_write() -> None:
    with redis.Redis.from_url(os.environ["REDIS_URL"], decode_responses=True) as client:
        names = ("appendonly", "appendfsync", "no-appendfsync-on-rewrite", "maxmemory-policy")
        settings = cast("dict[str, str]", client.config_get(*names))

    assert settings == {
        "appendonly": "yes",
        "appendfsync": "always",
        "no-appendfsync-on-rewrite": "no",
        "maxmemory-policy": "noeviction",
    }


@pytest.mark.parametrize("name", ["fsync", "synchronous_commit", "full_page_writes"])
def test_postgres_of_the_suite_keeps_every_commit(name: str) -> None:
    assert query(os.environ["DATABASE_URL"], f"SHOW {name}") == [("on",)]


def test_postgres_as_deployed_writes_its_log_as_the_one_that_is_measured(tmp_path: Path) -> None:
    names = ("synchronous_commit", "wal_compression", "max_wal_size", "jit")
    measured = stated(PrivatePostgres(tmp_path).command())
    composed = stated(shlex.split(SERVICES["database"]["command"]))
    template = (ROOT / "deploy/machines/patroni.yml.template").read_text()
    of_three = yaml.safe_load(template)["bootstrap"]["dcs"]["postgresql"]["parameters"]

    wanted = {name: measured[name] for name in names}
    assert wanted["wal_compression"] == "off"
    assert {name: composed[name] for name in names} == wanted
    assert {name: of_three[name] for name in names} == wanted


def stated(command: list[str]) -> dict[str, str]:
    """The settings of a server's command: what follows each -c."""
    return dict(word.split("=", 1) for before, word in pairwise(command) if before == "-c")


def test_redis_has_its_data_after_a_crash(redis_server: PrivateRedis) -> None:
    with redis.Redis.from_url(redis_server.url) as client:
        client.rpush("transactions_list", "kept")

    redis_server.kill()
    redis_server.start()

    with redis.Redis.from_url(redis_server.url) as client:
        assert client.lrange("transactions_list", 0, -1) == [b"kept"]


def test_who_is_root_where_there_is_no_other_account_has_a_postgres_too(tmp_path: Path) -> None:
    """As in a namespace of users that an ordinary user makes."""
    within = ["unshare", "--user", "--map-root-user", "--"]
    if subprocess.run([*within, "true"], capture_output=True).returncode != 0:
        pytest.skip("no namespace of users may be made here")
    run = """
import pathlib, sys
from dev.servers import PrivatePostgres
server = PrivatePostgres(pathlib.Path(sys.argv[1]))
server.start()
server.stop()
"""
    words = [*within, sys.executable, "-c", run, str(tmp_path / "postgres")]
    ended = subprocess.run(words, cwd=ROOT, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr


def test_postgres_has_its_data_after_a_crash(postgres: PrivatePostgres) -> None:
    query(postgres.url, "CREATE TABLE kept AS SELECT 1 AS one")

    postgres.kill()
    postgres.start()

    assert query(postgres.url, "SELECT one FROM kept") == [(1,)]


def test_servers_listen_on_no_network(postgres: PrivatePostgres, redis_server: PrivateRedis) -> None:
    assert query(postgres.url, "SHOW listen_addresses") == [("",)]
    with redis.Redis.from_url(redis_server.url, decode_responses=True) as client:
        assert client.config_get("port") == {"port": "0"}


def test_postgres_opens_no_directory_to_others(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    server = PrivatePostgres(closed / "postgres")
    server.start()
    server.stop()

    for directory in (closed, closed / "postgres"):
        assert directory.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("kind", [PrivatePostgres, PrivateRedis])
def test_a_socket_path_that_is_too_long_is_told(kind: type[PrivateServer], tmp_path: Path) -> None:
    with pytest.raises(ServerError, match="107 are allowed: choose a shorter DATA_DIR"):
        kind(tmp_path / ("x" * 107)).start()


def test_a_server_that_ends_at_once_is_told_with_its_log(tmp_path: Path) -> None:
    server = PrivateRedis(tmp_path / "redis")
    server.directory.mkdir()
    (server.directory / "appendonlydir").write_text("not a directory")

    with pytest.raises(ServerError, match=r"redis ended with status 1, see .*redis\.log"):
        server.start()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("PGOPTIONS", "nonsense", "FATAL:  invalid command-line argument for server process: nonsense"),
        ("PGOPTIONS", "-c work_mem=much", 'FATAL:  invalid value for parameter "work_mem": "much"'),
        ("PGSERVICE", "nowhere", 'definition of service "nowhere" not found'),
    ],
)
def test_postgres_is_not_waited_for_where_it_would_say_the_same_again(
    name: str, value: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = PrivatePostgres(tmp_path / "postgres")
    monkeypatch.setenv(name, value)
    try:
        with pytest.raises(ServerError) as refused:
            server.start()
    finally:
        server.stop()

    assert str(refused.value).startswith("postgres lets nobody in: ")
    assert str(refused.value).endswith(words)


@pytest.mark.parametrize("limit", ["lots", "1.5gb", "-1", "1 gb", "1tb"])
def test_a_limit_that_redis_cannot_take_is_told_by_its_name(
    limit: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_MAXMEMORY", limit)

    with pytest.raises(ServerError, match=f"^REDIS_MAXMEMORY must be a number of bytes, .* not '{limit}'$"):
        PrivateRedis(tmp_path / "redis").start()


@pytest.mark.parametrize(("limit", "bytes_"), [("", 1 << 30), ("0", 0), ("16MB", 16 << 20), ("5k", 5000)])
def test_a_limit_is_written_as_redis_itself_reads_it(
    limit: str, bytes_: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_MAXMEMORY", limit)
    server = PrivateRedis(tmp_path / "redis")
    server.start()
    try:
        with redis.Redis.from_url(server.url, decode_responses=True) as client:
            assert client.config_get("maxmemory") == {"maxmemory": str(bytes_)}
    finally:
        server.stop()


# --- The suite's own -----------------------------------------------------------------------------


def test_a_cluster_that_cannot_be_copied_is_told_with_what_cp_says(
    tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    nowhere = tmp_path / "away" / "postgres"

    with pytest.raises(ServerError, match=rf"could not be copied to {nowhere}: cp: .*No such file"):
        test_cluster.begin_with_copy(nowhere, pytestconfig.rootpath / ".pytest_cache", {})


# Two that tell where their servers are, and then wait to be ended.
WAITING = """
import os, time
from pathlib import Path
import pytest

@pytest.mark.parametrize("number", [0, 1])
def test_it_waits(number):
    told = Path(__file__).with_suffix(f".{number}")
    new = told.with_suffix(f".new{number}")
    new.write_text(os.environ["DATA_DIR"])
    new.rename(told)
    time.sleep(600)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("workers", "ended_by"), [(0, signal.SIGTERM), (2, signal.SIGTERM), (2, signal.SIGKILL)]
)
def test_a_suite_that_is_ended_leaves_no_server_and_no_file(
    tmp_path: Path, workers: int, ended_by: signal.Signals
) -> None:
    waiting = tmp_path / "test_waiting.py"
    waiting.write_text(WAITING)
    command = [sys.executable, "-m", "pytest", "-c", "pyproject.toml", "-p", "no:cacheprovider"]
    suite = subprocess.Popen([*command, "-n", str(workers), str(waiting)], cwd=ROOT)
    try:
        told = [waiting.with_suffix(f".{number}") for number in range(workers or 1)]
        assert becomes(lambda: all(place.exists() for place in told))
        places = {Path(place.read_text()) for place in told}
        assert len(places) == len(told)
        assert all(list(processes(place)) for place in places)
        suite.send_signal(ended_by)
        suite.wait(60)
    finally:
        suite.kill()
        suite.wait()
    assert becomes(lambda: not any(place.exists() or list(processes(place)) for place in places))


def becomes(holds: Callable[[], bool]) -> bool:
    """Whether it does, within a minute."""
    deadline = time.monotonic() + 60
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.1)
    return holds()
