"""A host of its own: Debian with systemd as its first process, in namespaces of this machine."""

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from dev.servers import launch
from dev.waiting import wait_until
from tests.compose.stand_ins import CODENAME, mirror
from tests.machines.network import children, network_of

BOOT = Path(__file__).with_name("boot.sh")
BOOT_S, STOP_S = 120.0, 200.0
# A minute on a machine with nothing else to do; many on one that is busy, or from a slow mirror.
DEBIAN_S, SAY_EACH_S = 1800.0, 30
# What the handbook's steps need of Debian: a database and a Redis of this host, each by a unit of its own.
PACKAGES = "ca-certificates,systemd,systemd-sysv,dbus,python3,python3-venv,postgresql,redis-server"
PROGRAMS = {
    "debootstrap": "debootstrap",
    "unshare": "util-linux",
    "nsenter": "util-linux",
    "setpriv": "util-linux",
    "ip": "iproute2",
}
NAMESPACES = ["--net", "--mount", "--ipc", "--uts", "--pid"]
# The guest's own groups of processes; what is mounted for it goes with the process that mounted it.
WITHIN_GROUPS = 'mount -t cgroup2 cgroup2 "$1" && '
JOIN = WITHIN_GROUPS + 'mkdir "$1/$2" && echo $$ >"$1/$2/cgroup.procs" && shift 2 && exec "$@"'
LEAVE = WITHIN_GROUPS + 'find "$1/$2" -depth -type d -exec rmdir {} +'


def unavailable() -> str:
    """Why systemd cannot be a first process here; empty: it can."""
    missing = {package for program, package in PROGRAMS.items() if shutil.which(program) is None}
    if missing:
        return f"not installed: apt-get install --no-install-recommends {' '.join(sorted(missing))}"
    if os.geteuid() != 0:
        return "only root makes a root directory and its devices"
    for kind in ("cgroup2", "overlay"):
        if kind not in Path("/proc/filesystems").read_text().split():
            return f"this kernel knows no {kind}"
    tried = subprocess.run(
        ["unshare", "--cgroup", *NAMESPACES, "--fork", "sh", "-c", 'mount -t cgroup2 cgroup2 "$0"', "/mnt"],
        capture_output=True,
        text=True,
    )
    return f"no namespaces: {tried.stderr.strip()}" if tried.returncode else ""


def debian(directory: Path, say: Callable[[str], None]) -> Path:
    """Debian's packages, unpacked and set up, in `directory`; those that are there are taken as they are.

    `say` is told every SAY_EACH_S how far it is. Raises RuntimeError where it fails or takes over DEBIAN_S.
    """
    root = directory / "root"
    if not root.exists():
        made = directory / "made"
        shutil.rmtree(made, ignore_errors=True)
        command = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", CODENAME, str(made), mirror()]
        _run_and_say(command, DEBIAN_S, say)
        made.rename(root)
    return root


def _run_and_say(command: list[str], bound_s: float, say: Callable[[str], None]) -> None:
    name, said, began = command[0], deque([""], maxlen=30), time.monotonic()
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None
        reading = threading.Thread(target=said.extend, args=[process.stdout])
        reading.start()
        while not _has_ended(process):
            taken_s = time.monotonic() - began
            if taken_s < bound_s:
                say(f"{name} has run for {taken_s:.0f} s, of {bound_s:.0f} at most: {said[-1].strip()}")
            else:
                # With whatever it has begun.
                os.killpg(process.pid, signal.SIGKILL)
        reading.join()
    if process.returncode:
        took_s = time.monotonic() - began
        raise RuntimeError(
            f"{name} ended with {process.returncode} after {took_s:.0f} s of {bound_s:.0f}: {''.join(said)}"
        )


def _has_ended(process: "subprocess.Popen[str]") -> bool:
    """Waits for that, for a while."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(SAY_EACH_S)
    return process.returncode is not None


class Guest:
    """What it writes is in `directory`; the trees of `lower`, the upper one first, stay as they are."""

    def __init__(self, lower: str, directory: Path) -> None:
        self.lower, self.directory = lower, directory
        self.first = 0
        # What gives it a network, by its first process; by itself it has its loopback.
        self.plug_in: Callable[[int], None] = lambda first: None
        self._groups = directory / "groups"
        self._groups.mkdir()
        self._unshare: subprocess.Popen[bytes] | None = None

    def boot(self) -> float:
        """Seconds until systemd has nothing left to start."""
        inner = ["unshare", "--cgroup", *NAMESPACES, "--fork", "--kill-child"]
        booted = [*inner, "sh", str(BOOT), self.lower, str(self.directory)]
        with (self.directory / "console").open("ab") as console:
            self._unshare = subprocess.Popen(
                launch(
                    [
                        *(_program("unshare"), "--mount", "sh", "-c", JOIN, "sh"),
                        *(str(self._groups), self._group, *booted),
                    ],
                    Path("/"),
                    signal.SIGKILL,
                ),
                start_new_session=True,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
            )
        took = wait_until(self._has_begun, BOOT_S, "systemd is the first process")
        # Before its units look for it.
        self.plug_in(self.first)
        return took + wait_until(self._has_started_all, BOOT_S, "systemd has started everything")

    @property
    def _group(self) -> str:
        return f"units-{os.getpid()}-{self.directory.name}"

    def _has_begun(self) -> bool:
        assert self._unshare is not None
        if self._unshare.poll() is not None:
            raise RuntimeError((self.directory / "console").read_text()[-2000:])
        # Before it is systemd it is a shell, and others before that.
        with contextlib.suppress(OSError):
            found = children(self._unshare.pid)
            if found and Path(f"/proc/{found[0]}/comm").read_text().strip() == "systemd":
                self.first = found[0]
        return bool(self.first)

    def _has_started_all(self) -> bool:
        said = self.run("systemctl is-system-running", check=False)
        return said.strip() in ("running", "degraded")

    def power_off(self) -> None:
        """At once, and nobody is told."""
        if self._unshare is None:
            return
        with contextlib.suppress(ProcessLookupError):
            if self.first:
                os.kill(self.first, signal.SIGKILL)
        self._unshare.kill()
        self._unshare.wait()
        self._unshare, self.first = None, 0
        leave = ["unshare", "--mount", "sh", "-c", LEAVE, "sh", str(self._groups), self._group]
        wait_until(lambda: subprocess.run(leave, capture_output=True).returncode == 0, STOP_S, "it has ended")

    def reboot(self) -> None:
        """In order: it tells every unit to stop, waits for it, and starts anew."""
        assert self._unshare is not None
        self.run("systemctl reboot", check=False)
        # The kernel ends the first process of a namespace in place of a machine.
        wait_until(lambda: self._unshare is None or self._unshare.poll() is not None, STOP_S, "it goes down")
        self.power_off()
        self.boot()

    def run(self, commands: str, *, check: bool = True, outside: bool = False) -> str:
        """What bash says there to `commands`, as root; `outside` leaves it this machine's network."""
        ways = ["--mount", "--ipc", "--uts", "--pid", *([] if outside else ["--net"])]
        enter = ["nsenter", f"--target={self.first}", *ways, "--", "env", "-i"]
        home = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8", "HOME=/root"]
        done = subprocess.run(
            [*enter, *home, "bash", "-euo", "pipefail", "-c", commands],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if check and done.returncode:
            raise RuntimeError(f"{commands}: {done.stdout[-3000:]}{done.stderr[-3000:]}\n{self.journal()}")
        return done.stdout

    def shown(self, unit: str, name: str) -> str:
        """A property of a unit, as systemd tells it."""
        return self.run(f"systemctl show --property={name} --value {unit}").strip()

    def journal(self, lines: int = 40) -> str:
        return self.run(f"journalctl --no-pager --lines={lines} -o short-monotonic", check=False)

    @property
    def tree(self) -> Path:
        """Its files, seen from here."""
        return Path(f"/proc/{self.first}/root")

    @contextlib.contextmanager
    def network(self) -> Iterator[None]:
        """Sockets that this thread opens meanwhile are of the guest."""
        with network_of(self.first):
            yield


def _program(name: str) -> str:
    found = shutil.which(name)
    assert found is not None
    return found
