"""Servers as forks of one process that has imported what no setting changes.

A start of Python imports a thousand modules of others before it reads a setting, which is two thirds of what
a server's start costs. Here it is done once for all servers that a process of the suite starts. Each of them
reads its own environment and imports this project itself, in a process of its own whose parent is that of
the suite, as `python -m daphne` would be. `make run` and its tests start servers as ever.
"""

import atexit
import ctypes
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import threading
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# Linux alone lets a process have the children of its children.
WORKS = sys.platform == "linux"
# None reads a setting, starts a thread, or opens what forks would share, as an event loop is.
IMPORTED = (
    "autobahn.websocket.types", "babel.numbers", "celery.app", "channels.generic.websocket",
    "channels_redis.core", "cryptography.x509", "daphne.http_protocol", "daphne.ws_protocol",
    "django.contrib.admin.decorators", "django.contrib.postgres.fields", "django.core.handlers.asgi",
    "django.db.backends.postgresql.base", "django.db.models", "django.template.defaulttags", "django.test",
    "django.views.generic", "drf_spectacular", "environ", "httpx", "iso4217", "kombu.transport.redis",
    "msgspec", "orjson", "prometheus_client", "psycopg2.extras", "pygments.lexers", "redis.asyncio.sentinel",
    "requests", "rest_framework.fields", "twisted.internet.asyncioreactor", "twisted.internet.endpoints",
    "twisted.internet.ssl", "twisted.web.http", "uritemplate", "whitenoise", "yaml",
)  # fmt: skip
_PR_SET_CHILD_SUBREAPER = 36
_one_at_a_time = threading.Lock()


class Fork:
    """A child of this process, as `subprocess.Popen` shows one."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """None while it runs, then its status, or minus the signal that ended it."""
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self.returncode = os.waitstatus_to_exitcode(status) if pid else None
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Its status, once it has ended. Raises subprocess.TimeoutExpired."""
        if self.returncode is None:
            end = os.pidfd_open(self.pid)
            try:
                if not select.select([end], [], [], timeout)[0]:
                    raise subprocess.TimeoutExpired(str(self.pid), timeout or 0)
            finally:
                os.close(end)
        status = self.poll()
        assert status is not None
        return status

    def terminate(self) -> None:
        """SIGTERM, unless it has ended: its number may be somebody else's."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, likewise."""
        if self.poll() is None:
            os.kill(self.pid, signal.SIGKILL)


def fork(program: str, arguments: list[str], environment: dict[str, str], listener: int, output: int) -> Fork:
    """Starts `python -m PROGRAM --fd LISTENER ARGUMENTS` with this environment; it writes to `output`."""
    told = json.dumps({"arguments": [program, *arguments], "environment": environment}).encode()
    with _one_at_a_time:
        ours = _prepared()
        # For as long as this takes: whoever else is left behind by a parent is not ours.
        _take_grandchildren(True)
        try:
            ours.sendall(len(told).to_bytes(4, "big"))
            socket.send_fds(ours, [told], [listener, output])
            pid = int.from_bytes(ours.recv(4, socket.MSG_WAITALL), "big")
            assert pid, "the process that forks has ended"
            return Fork(pid)
        finally:
            _take_grandchildren(False)


def _take_grandchildren(whether: bool) -> None:
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, int(whether), 0, 0, 0)


@cache
def _prepared() -> socket.socket:
    """The way to the process that forks, which ends with this one."""
    ours, theirs = socket.socketpair()
    command = [sys.executable, "-m", __name__, str(theirs.fileno())]
    with theirs:
        process = subprocess.Popen(command, cwd=ROOT, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _fork_for(suite: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """Returns in each fork, with what it is told and its files; and in this process once the suite ends."""
    while length := suite.recv(4, socket.MSG_WAITALL):
        size = int.from_bytes(length, "big")
        told, files, _, _ = socket.recv_fds(suite, size, 2)
        while len(told) < size:
            told += suite.recv(size - len(told))
        read, write = os.pipe()
        # A parent that ends at once leaves its child to the suite.
        between = os.fork()
        if between == 0:
            if pid := os.fork():
                os.write(write, pid.to_bytes(4, "big"))
                os._exit(0)
            for file in (read, write):
                os.close(file)
            return json.loads(told), files
        os.waitpid(between, 0)
        suite.sendall(os.read(read, 4))
        for file in (read, write, *files):
            os.close(file)
    return None


def main() -> None:
    suite = socket.socket(fileno=int(sys.argv[1]))
    # Ctrl-C is for the suite, which ends this process.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in IMPORTED:
        importlib.import_module(name)
    ours = [name for name in sys.modules if name.startswith(("transaction", "twisted.internet.reactor"))]
    assert not ours, ours
    found = _fork_for(suite)
    suite.close()
    if found is None:
        return
    told, (listener, output) = found
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (1, 2):
        os.dup2(output, number)
    os.close(output)
    os.environ.clear()
    os.environ.update(told["environment"])
    program, *arguments = told["arguments"]
    sys.argv = [program, "--fd", str(listener), *arguments]
    runpy.run_module(program, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
