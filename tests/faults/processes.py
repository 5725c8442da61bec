"""Real processes of the system under test: started, signalled by id, started again, measured."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

# How often the keeper looks, in seconds.
LOOK_S = 0.1
MEASURE_EACH = 5
# After a start, how long a process that ended is left alone: a PostgreSQL that was killed refuses
# to start while its old backends hold its shared memory.
PAUSE_S = 0.5
STOP_S = 20.0


@dataclass
class Process:
    """A program in a process group of its own; `held` ones are not started again by the keeper."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    pass_fds: tuple[int, ...] = ()
    held: bool = False
    rss_max_mb: int = 0
    running: "subprocess.Popen[bytes] | None" = field(default=None, init=False)
    started_at: float = field(default=0.0, init=False)
    starts: int = field(default=0, init=False)

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.running = subprocess.Popen(
                self.command,
                env=dict(self.environment),
                pass_fds=self.pass_fds,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.started_at = time.monotonic()
        self.starts += 1

    @property
    def alive(self) -> bool:
        return self.running is not None and self.running.poll() is None

    @property
    def pid(self) -> int:
        assert self.running is not None
        return self.running.pid

    def send(self, number: signal.Signals, *, group: bool = False) -> None:
        """Sends a signal to the process, or to it and all its children."""
        with contextlib.suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(self.pid, number)

    def kill(self) -> None:
        """SIGKILL to it and its children, as a power cut would; returns when it is gone."""
        self.send(signal.SIGKILL, group=True)
        if self.running is not None:
            self.running.wait()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Asks it to end and returns its status; by force, with an error, after STOP_S."""
        assert self.running is not None
        self.send(number)
        try:
            return self.running.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise


class Keeper:
    """Starts again what died, as `make run` does, and measures memory meanwhile."""

    def __init__(self) -> None:
        self.processes: list[Process] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def add(self, process: Process) -> Process:
        """Starts and keeps a process. All are started by one thread, with which they die."""
        with self._lock:
            self.processes.append(process)
        return process

    def remove(self, process: Process) -> None:
        """Looks after it no more; whoever asks has ended it."""
        with self._lock:
            self.processes.remove(process)

    def close(self) -> None:
        """Kills whatever still runs."""
        self._ended.set()
        self._thread.join()
        for process in self.processes:
            if process.running is not None:
                process.kill()

    def _run(self) -> None:
        round_number = 0
        while not self._ended.wait(LOOK_S):
            with self._lock:
                processes = list(self.processes)
            for process in processes:
                rested = time.monotonic() - process.started_at > PAUSE_S
                if not process.held and rested and not process.alive:
                    process.start()
            round_number += 1
            if round_number % MEASURE_EACH == 0:
                measure(processes)


def measure(processes: Sequence[Process]) -> None:
    """Notes the largest memory that any process of each group has held so far, in MB."""
    groups = {process.pid: process for process in processes if process.alive}
    for _, group, _, rss_mb in members():
        if group in groups:
            groups[group].rss_max_mb = max(groups[group].rss_max_mb, rss_mb)


def members() -> Iterator[tuple[int, int, str, int]]:
    """Every process there is: id, group, state, and its own memory without what it shares, in MB."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            with contextlib.suppress(OSError):
                stat = (entry / "stat").read_text().rpartition(")")[2].split()
                _, resident, shared = (entry / "statm").read_text().split()[:3]
                yield int(entry.name), int(stat[2]), stat[0], (int(resident) - int(shared)) * 4096 >> 20


def group_of(process: Process) -> dict[int, str]:
    """The processes of its group by id, with the letter of their state (T: stopped)."""
    return {pid: state for pid, group, state, _ in members() if group == process.pid}
