"""Web servers as processes of their own, every one under the same flags; access logs off."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.load import Address
from dev.servers import launch

ROOT = Path(__file__).resolve().parent.parent
OURS = "transaction_monitoring.asgi:application"
READY_S = 60.0
STOP_S = 20.0


@dataclass(frozen=True, slots=True)
class Server:
    """An ASGI application under one server program, with what it needs in its environment."""

    program: str
    application: str
    environment: dict[str, str] = field(default_factory=dict)
    processes: int = 1

    def command(self, listener: socket.socket) -> list[str]:
        if self.program == "daphne":
            options = ["-v", "0", "--fd", str(listener.fileno())]
        else:
            # Given a descriptor, uvicorn takes it for a Unix socket's and leaves Nagle's algorithm on.
            port = str(listener.getsockname()[1])
            options = ["--no-access-log", "--log-level", "warning", "--workers", "1", "--port", port]
        return [sys.executable, "-m", self.program, *options, self.application]


@contextmanager
def process(command: list[str], *descriptors: int, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process on the stage's servers, stopped at the end: SIGTERM, then SIGKILL. It logs to a file."""
    with log_file().open("ab") as log:
        running = subprocess.Popen(
            # With us, even if we are killed.
            launch(command, ROOT, signal.SIGKILL),
            env={**os.environ, **environment},
            pass_fds=descriptors,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
    try:
        yield running
    finally:
        running.terminate()
        try:
            running.wait(STOP_S)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait()


def log_file() -> Path:
    """What the processes say: baselines under load fill it with tracebacks."""
    return Path(os.environ["DATA_DIR"]) / "processes.log"


@contextmanager
def serve(server: Server) -> Iterator[Address]:
    """Yields where the server answers."""
    with ExitStack() as stack:
        listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        address: Address = listener.getsockname()
        command = server.command(listener)
        inherited = [listener.fileno()] if server.program == "daphne" else []
        if not inherited:
            listener.close()
        running = [
            stack.enter_context(process(command, *inherited, **server.environment))
            for _ in range(server.processes)
        ]
        listener.close()
        _wait_until_it_answers(running[0], address)
        yield address


def _wait_until_it_answers(running: "subprocess.Popen[bytes]", address: Address) -> None:
    deadline = time.monotonic() + READY_S
    while True:
        line = http.client.HTTPConnection(*address, timeout=5)
        try:
            line.request("GET", "/livez")
            line.getresponse().read()
            return
        except (OSError, http.client.HTTPException):
            if running.poll() is not None or time.monotonic() > deadline:
                print(log_file().read_text(errors="replace")[-2000:], file=sys.stderr)
                raise
            time.sleep(0.1)
        finally:
            line.close()
