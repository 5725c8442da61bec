"""PgBouncer before the test session's PostgreSQL, as a process of its own."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg2
import pytest
from django.db import connections

from dev.launch import UNPRIVILEGED
from dev.ports import free_port
from dev.servers import launch
from transactions.intake.lookups import lookups

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
needs_pgbouncer = pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed")
READY_S = 30.0


@contextlib.contextmanager
def pgbouncer(**options: str) -> Iterator[str]:
    """Runs it with these options of its [pgbouncer] section, else its defaults; yields a DATABASE_URL."""
    url = urlsplit(os.environ["DATABASE_URL"])
    (directory,) = parse_qs(url.query)["host"]
    port = free_port()
    chosen = {
        "listen_addr": "127.0.0.1",
        "listen_port": str(port),
        "unix_socket_dir": "",
        # Whoever asks is the owner of the test database.
        "auth_type": "any",
        **options,
    }
    lines = ["[databases]", f"* = host={directory} user={url.username}", "[pgbouncer]"]
    lines += [f"{name} = {value}" for name, value in chosen.items()]
    with tempfile.TemporaryDirectory() as place:
        configuration = Path(place) / "pgbouncer.ini"
        configuration.write_text("\n".join(lines))
        # As the account that PostgreSQL runs under: neither runs as root, and nobody else gets in.
        account = UNPRIVILEGED if os.geteuid() == 0 else "same"
        command = launch([str(PROGRAM), "-q", str(configuration)], Path(place), signal.SIGTERM, account)
        with (Path(place) / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        pooled = f"postgres://anybody@127.0.0.1:{port}/{connections['default'].settings_dict['NAME']}"
        try:
            _wait(process, pooled, Path(place) / "log")
            yield pooled
        finally:
            process.terminate()
            process.wait(30)


def _wait(process: "subprocess.Popen[bytes]", url: str, log: Path) -> None:
    deadline = time.monotonic() + READY_S
    while True:
        try:
            psycopg2.connect(url, connect_timeout=2).close()
            return
        except psycopg2.OperationalError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(log.read_text()) from None
            time.sleep(0.05)


@contextlib.contextmanager
def pooled(**options: str) -> Iterator[str]:
    """The same, and whatever this process asks PostgreSQL in this block goes through it."""
    database = connections["default"]
    there = {name: database.settings_dict[name] for name in ("HOST", "PORT", "USER")}
    with pgbouncer(**options) as url:
        lookups.forget()
        database.close()
        parts = urlsplit(url)
        database.settings_dict.update(HOST=parts.hostname, PORT=str(parts.port), USER=parts.username)
        try:
            yield url
        finally:
            lookups.forget()
            database.close()
            database.settings_dict.update(there)
