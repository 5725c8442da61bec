"""Daphne, or uvicorn, as a process of its own, on the servers of the test session and the test database."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from django.db import connection

from tests.support import forking

ROOT = Path(__file__).resolve().parents[2]
Server = subprocess.Popen[bytes] | forking.Fork
READY_S = 60.0
STOP_S = 15.0


def database_url() -> str:
    """DATABASE_URL for another process: the test session's server, and the database of the tests."""
    return urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{connection.settings_dict['NAME']}").geturl()


@cache
def collect_static_files() -> None:
    """As in production: collected, hashed, to be served by WhiteNoise; once in a session."""
    command = [sys.executable, "manage.py", "collectstatic", "--noinput", "-v", "0"]
    subprocess.run(command, cwd=ROOT, check=True)


@contextlib.contextmanager
def daphne(
    port: int | None = None, *, log: Path | None = None, options: tuple[str, ...] = (), **environment: str
) -> Iterator[str]:
    """Serves the ASGI application and yields its base URL, http://127.0.0.1:PORT.

    On `port`, else on a free one; what the process says goes to the file `log`; `options` are for
    Daphne, `environment` wins over that of the tests. Needs a test database (`transactional_db`).
    """
    with _serve("daphne", options, port, log, environment) as url:
        yield url


@contextlib.contextmanager
def uvicorn(*, log: Path | None = None, **environment: str) -> Iterator[str]:
    """The same under uvicorn, on a free port."""
    with _serve("uvicorn", (), None, log, environment) as url:
        yield url


@contextlib.contextmanager
def _serve(
    program: str, options: tuple[str, ...], port: int | None, log: Path | None, environment: dict[str, str]
) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", port or 0), backlog=1024) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with contextlib.ExitStack() as stack:
            with (log or Path(os.devnull)).open("ab") as output:
                process = _started(
                    program,
                    [*options, "transaction_monitoring.asgi:application"],
                    {**os.environ, "DATABASE_URL": database_url(), **environment},
                    listener.fileno(),
                    output.fileno(),
                )
            stack.callback(stop, process)
            _wait_until_it_answers(process, url)
            yield url


def _started(
    program: str, arguments: list[str], environment: dict[str, str], listener: int, output: int
) -> Server:
    if forking.WORKS:
        return forking.fork(program, arguments, environment, listener, output)
    return subprocess.Popen(
        [sys.executable, "-m", program, "--fd", str(listener), *arguments],
        cwd=ROOT,
        env=environment,
        pass_fds=[listener],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
    )


def the_server() -> int:
    """The process of the server that this process has started last."""
    found = [
        int(re.findall(r"^Pid:\t(\d+)$", status, re.MULTILINE)[0])
        for status in map(_status, Path("/proc").glob("[0-9]*/status"))
        if re.search(rf"^PPid:\t{os.getpid()}$", status, re.MULTILINE)
        and re.search(r"^Name:\tpython|^Name:\tdaphne|^Name:\tuvicorn", status)
    ]
    return max(found, key=_started_at)


def _started_at(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[19])


def _status(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it has ended
        return ""


def resident_mb() -> float:
    """The memory of that process."""
    return int(re.findall(r"VmRSS:\s+(\d+) kB", _status(Path(f"/proc/{the_server()}/status")))[0]) / 1024


def stop(process: Server) -> None:
    """SIGTERM, and SIGKILL to one that does not heed it."""
    process.terminate()
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_until_it_answers(process: Server, url: str) -> None:
    deadline = time.monotonic() + READY_S
    while True:
        try:
            httpx.get(f"{url}/livez", headers={"Host": "localhost"}, timeout=5, trust_env=False)
            return
        except httpx.TransportError:
            if process.poll() is not None:
                raise RuntimeError(f"The server ended with status {process.returncode}") from None
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
