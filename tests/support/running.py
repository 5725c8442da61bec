"""`make run` as a user starts it: its processes, its output and its end."""

import contextlib
import http.client
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from dev.run import ROOT
from dev.servers import launch
from dev.test_servers import EXPORTED
from dev.waiting import NotInTime, wait_until

# A word of each process' command line.
PROGRAMS = {
    "web": "daphne",
    "worker": "worker -l",
    "backtests": "-Q backtests",
    "notifications": "-Q notifications",
    "beat": "beat -l",
    "redis": "valkey-server",
    "postgres": "postgres",
}


class UserRun:
    """One `make run` in a data directory, on a free port."""

    def __init__(self, data: Path, **environment: str) -> None:
        self.data = data
        self.output = data.with_name("output.txt")
        inherited = {name: value for name, value in os.environ.items() if name not in EXPORTED}
        self.environment = {**inherited, "PORT": "0", "DATA_DIR": str(data), **environment}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.output.open("wb") as output:
            self._begin(output)

    def start_in_a_terminal(self) -> None:
        """Its output is a pseudo-terminal's, from which it is copied to where `text` reads it."""
        master, slave = os.openpty()
        threading.Thread(target=_copy, args=(master, self.output), daemon=True).start()
        with open(slave, "wb", buffering=0) as output:  # noqa: PTH123 - a number, no path
            self._begin(output)

    def _begin(self, output: IO[bytes]) -> None:
        # Dies with pytest; Ctrl-C at the suite is not its own.
        self.process = subprocess.Popen(
            launch([sys.executable, "-m", "dev.run"], ROOT, signal.SIGTERM),
            env=self.environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        self.wait_until(lambda: self.url is not None or self.ended, 60)
        assert not self.ended, self.text

    def wait_until(self, holds: Callable[[], object], seconds: float) -> None:
        """Fails with what the run has said, where something does not come to hold within `seconds`."""
        try:
            wait_until(holds, seconds, "what the run is to come to")
        except NotInTime as error:
            raise AssertionError(self.text) from error

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(60)

    @property
    def ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    @property
    def text(self) -> str:
        return self.output.read_text() if self.output.exists() else ""

    @property
    def url(self) -> str | None:
        found = re.search(r"^ready: (http://127\.0\.0\.1:\d+/)$", self.text, re.MULTILINE)
        return found[1] if found else None

    @property
    def published(self) -> dict[str, str]:
        lines = (self.data / "run.env").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def answers(self) -> bool:
        assert self.url is not None
        connection = http.client.HTTPConnection("127.0.0.1", int(self.published["PORT"]), timeout=2)
        try:
            connection.request("GET", "/livez")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def pid_of(self, program: str) -> int | None:
        """The process that the supervisor itself started, once it has become the program."""
        assert self.process is not None
        for pid, parent, command in processes(self.data):
            if parent == self.process.pid and PROGRAMS[program] in command and "launch.py" not in command:
                return pid
        return None


def _copy(terminal: int, output: Path) -> None:
    """What is written to a terminal, until nobody has it open any more."""
    with (
        contextlib.suppress(OSError),
        output.open("wb", buffering=0) as file,
        open(terminal, "rb", buffering=0) as lines,
    ):
        while said := lines.read(65_536):
            file.write(said.replace(b"\r\n", b"\n"))


def processes(data: Path) -> Iterator[tuple[int, int, str]]:
    """Every process with this data directory in its environment or as its home: id, parent, command."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            # The servers write over their environment, and live in their directories.
            told = f"DATA_DIR={data}\0".encode() in (entry / "environ").read_bytes() + b"\0"
            if not told and not (entry / "cwd").readlink().is_relative_to(data):
                continue
            stat = (entry / "stat").read_text().rpartition(")")[2].split()
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
        if stat[0] != "Z":
            yield int(entry.name), int(stat[1]), command
