"""The system under test: every process real, its own servers, its own directory, kept as by `make run`."""

import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import psycopg2
import redis

from dev.servers import PrivatePostgres, PrivateRedis, PrivateServer, launch
from dev.waiting import NotInTime, wait_until
from tests.faults.processes import Keeper, Process
from tests.faults.proxy import Proxy

ROOT = Path(__file__).resolve().parents[2]
USERS = 50
START_S = 60.0
# Invariant D: once a fault has healed, everything is stored within this.
DRAIN_S = 60.0
# Invariant E: what one process may hold of its own, in MB.
RSS_MAX_MB = {
    **{"web": 250, "worker": 250, "notifications": 250, "beat": 150},
    **{"redis": 1200, "postgres": 400},
}

# Purpose: those who pay in the tests.
MAKE_USERS = """
    INSERT INTO auth_user (username, password, first_name, last_name, email, is_superuser, is_staff,
                           is_active, date_joined)
    SELECT 'payer' || n, '!', '', '', '', false, false, true, now() FROM generate_series(1, %s) n
"""


class SlowLoadingRedis(PrivateRedis):
    """A private Redis with further options for one test, such as loading its file slowly."""

    options: tuple[str, ...] = ()

    def command(self) -> list[str]:
        return [*super().command(), *self.options]


def make_template(directory: Path) -> None:
    """A PostgreSQL with migrations and users, once, for every system to start from a copy of it."""
    server = PrivatePostgres(directory / "postgres")
    server.start()
    environment = environment_of(directory, server.url, "redis://127.0.0.1:1/0")
    try:
        command = [sys.executable, "-W", "ignore", "manage.py", "migrate", "-v", "0"]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
        with psycopg2.connect(server.url) as connection, connection.cursor() as cursor:
            cursor.execute(MAKE_USERS, (USERS,))
        connection.close()
    finally:
        server.stop()


def environment_of(directory: Path, database_url: str, redis_url: str) -> dict[str, str]:
    """What a process of the application is told; nothing of this session's own servers."""
    (directory / "static").mkdir(exist_ok=True)
    names = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH")
    kept = {name: os.environ[name] for name in names if name in os.environ}
    return {
        **kept,
        "DJANGO_SETTINGS_MODULE": "transaction_monitoring.settings",
        "SECRET_KEY": secrets.token_urlsafe(48),
        "ALLOWED_HOSTS": "127.0.0.1",
        "ALLOW_ANONYMOUS_API": "true",
        "RATE_LIMIT_RECORDS_PER_SECOND": "0",
        "ALLOW_DELETE_ALL": "true",
        "SECURE_SSL_REDIRECT": "false",
        "FLUSH_INTERVAL_SECONDS": "1",
        "DATA_DIR": str(directory),
        "PYTHONUNBUFFERED": "1",
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
    }


class System:
    """All processes of one system in `directory`, which starts as a copy of `template`.

    `proxied` names the servers ("redis", "postgres") that the application reaches through a proxy.
    `settings` are environment variables of the application, `redis_options` of the server. `prepare` is
    given a cursor before any process of the application starts.
    """

    def __init__(
        self,
        directory: Path,
        template: Path,
        *,
        proxied: tuple[str, ...] = (),
        web_processes: int = 1,
        settings: Mapping[str, str] | None = None,
        redis_options: tuple[str, ...] = (),
        prepare: Callable[[Any], None] | None = None,
    ) -> None:
        subprocess.run(["cp", "-a", str(template / "postgres"), str(directory)], check=True)
        self.directory = directory
        self.postgres = PrivatePostgres(directory / "postgres")
        self.redis = SlowLoadingRedis(directory / "redis")
        self.redis.options = redis_options
        self.proxies: dict[str, Proxy] = {}
        self.keeper = Keeper()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = int(self.listener.getsockname()[1])
        self.fuses = directory / "fuses"
        self.fuses.mkdir()
        self.processes: dict[str, Process] = {}
        try:
            self._start_servers()
            if prepare is not None:
                with self.sql() as cursor:
                    prepare(cursor)
            told = environment_of(directory, *self._urls(proxied)) | {"CRASH_FUSES": str(self.fuses)}
            self.environment = told | dict(settings or {})
            webs = ["web", *(f"web-{number}" for number in range(2, web_processes + 1))]
            for name in (*webs, "worker", "beat"):
                self.add(name)
            self.wait_ready()
        except BaseException:
            self.close()
            raise

    # --- Processes ----------------------------------------------------------------------------

    def add(self, name: str, *options: str, **environment: str) -> Process:
        """Starts a further process: its program is the first word of `name` ("worker-2": a worker)."""
        program = name.partition("-")[0]
        celery = [sys.executable, "-m", "celery", "-q", "-A", "transaction_monitoring"]
        alone = ("--without-gossip", "--without-mingle")
        commands = {
            "web": [
                *(sys.executable, "-m", "daphne", "-v", "0", "--fd", str(self.listener.fileno())),
                "transaction_monitoring.asgi:application",
            ],
            "worker": [*celery, "worker", "-l", "info", "-n", f"{name}@%h", *alone],
            "notifications": [
                *(*celery, "worker", "-l", "info", "-n", f"{name}@%h", *alone),
                *("-Q", "notifications", "--pool", "solo"),
            ],
            "beat": [*celery, "beat", "--pidfile="],
        }
        process = Process(
            name,
            launch([*commands[program], *options], ROOT, signal.SIGKILL),
            {**self.environment, **environment},
            self.directory / f"{name}.log",
            (self.listener.fileno(),) if program == "web" else (),
        )
        self.processes[name] = process
        return self.keeper.add(process)

    def __getitem__(self, name: str) -> Process:
        return self.processes[name]

    def hold(self, *names: str) -> None:
        """Kills processes and keeps them down until `release`."""
        for name in names:
            self[name].held = True
            self[name].kill()

    def release(self, *names: str) -> None:
        for name in names:
            self[name].held = False

    def arm(self, point: str, number: str = "SIGKILL") -> None:
        """The next process that passes a crash point gets that signal, once."""
        new = self.fuses / f"{point}.new"
        new.write_text(number)
        new.rename(self.fuses / point)

    def burnt(self, point: str) -> int | None:
        """The process that an armed point has hit, None as long as it waits for one."""
        found = [path for path in self.fuses.glob(f"{point}.*") if path.suffix != ".new"]
        return int(found[-1].suffix[1:]) if found else None

    def wait_burnt(self, point: str, seconds: float = 20.0) -> int:
        wait_until(lambda: self.burnt(point), seconds, f"some process passes {point}")
        pid = self.burnt(point)
        assert pid is not None
        (self.fuses / f"{point}.{pid}").unlink()
        return pid

    def close(self) -> None:
        self.keeper.close()
        for proxy in self.proxies.values():
            proxy.close()
        self.listener.close()

    def logs(self, name: str) -> str:
        path = self.directory / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    # --- Looking at it ------------------------------------------------------------------------

    def get(self, path: str, timeout_s: float = 10.0) -> tuple[int, Any]:
        """The status and the JSON of an answer. Raises OSError, http.client.HTTPException."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout_s)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read() or b"null")
        finally:
            connection.close()

    def books(self) -> dict[str, Any]:
        """GET /api/pipeline/, {} while it cannot be had."""
        try:
            status, body = self.get("/api/pipeline/")
        except (OSError, http.client.HTTPException, ValueError):
            return {}
        return dict(body) if status == 200 else {}

    def drained(self) -> bool:
        books = self.books()
        return books.get("buffered") == 0 and books.get("in_flight") == 0 and books.get("balanced") is True

    def wait_drained(self, seconds: float = DRAIN_S) -> float:
        """Invariant D. Returns how long it took."""
        began = time.monotonic()
        try:
            wait_until(self.drained, seconds, "everything accepted is stored and the books balance")
        except NotInTime as error:
            raise AssertionError(f"{error}; the books: {self.books()}") from None
        return time.monotonic() - began

    def wait_ready(self) -> None:
        """Everything answers, and a tick of Beat's has made a flush since now."""
        with self.sql() as cursor:
            cursor.execute("SELECT now()")
            now = cursor.fetchone()[0].isoformat()
        self.wait_flushed_after(now, START_S)

    def wait_flushed_after(self, moment: str, seconds: float) -> float:
        """Waits for a flush that ends after an ISO 8601 moment of UTC."""
        wanted = moment.replace("+00:00", "")

        def ended() -> bool:
            return str(self.books().get("last_flush") or "").replace("Z", "") > wanted

        return wait_until(ended, seconds, "a flush has ended")

    def redis_client(self) -> "redis.Redis":
        """A client past any proxy; the caller closes it, or leaves it to the end of the test."""
        return redis.Redis.from_url(self.redis.url, socket_timeout=10)

    def sql(self) -> Any:
        """A cursor past any proxy, in a block, each statement its own transaction."""
        return _Cursor(self.postgres.url)

    def verify(self) -> tuple[int, str]:
        """Invariant H: the status of `manage.py verify --deep` and what it prints."""
        result = subprocess.run(
            [sys.executable, "manage.py", "verify", "--deep"],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return result.returncode, result.stdout + result.stderr

    # --- Servers ------------------------------------------------------------------------------

    def _start_servers(self) -> None:
        for server in (self.postgres, self.redis):
            server.prepare()
            process = Process(server.name, server.command(), dict(os.environ), server.log)
            self.processes[server.name] = self.keeper.add(process)
        for server in (self.postgres, self.redis):
            self.wait_answers(server)

    def wait_answers(self, server: PrivateServer, seconds: float = START_S) -> None:
        wait_until(server.answers, seconds, f"{server.name} answers")

    def _urls(self, proxied: tuple[str, ...]) -> tuple[str, str]:
        database_url, redis_url = self.postgres.url, self.redis.url
        if "postgres" in proxied:
            proxy = Proxy(self.postgres.directory / self.postgres.socket_name)
            self.proxies["postgres"] = proxy
            database_url = (
                f"postgres://{self.postgres.user}@127.0.0.1:{proxy.port}/{self.postgres.database}"
                "?sslmode=disable&gssencmode=disable"
            )
        if "redis" in proxied:
            proxy = Proxy(self.redis.directory / self.redis.socket_name)
            self.proxies["redis"] = proxy
            redis_url = f"redis://127.0.0.1:{proxy.port}/0"
        return database_url, redis_url


class _Cursor:
    def __init__(self, url: str) -> None:
        self._url = url

    def __enter__(self) -> Any:
        self._connection = psycopg2.connect(self._url, connect_timeout=5)
        self._connection.autocommit = True
        return self._connection.cursor()

    def __exit__(self, *_: object) -> None:
        self._connection.close()
