"""Machines as namespaces: each has a network and processes of its own, and a cable to a hub that routes.

A machine lives as long as its first process, which dies with the thread that made it; the kernel ends all the
others and takes the network away with it. So nothing is left, whatever ends a run.
"""

import contextlib
import ctypes
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

from dev.launch import UNPRIVILEGED
from dev.servers import launch
from dev.waiting import wait_until

HUB_ADDRESS = "10.77.0.254"
_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
# It ignores that children end, so the kernel takes them away at once: it reaps, and no dead ones are left.
# What PostgreSQL shares between its processes is the machine's, too.
# (Not by a shell's trap: dash sets none for it, and Patroni then waits for a dead PostgreSQL for ever.)
_FIRST_PROCESS = ["sh", "-c", "mount -t tmpfs tmpfs /dev/shm; exec env --ignore-signal=CHLD sleep infinity"]
_UNSHARE = ["--net", "--mount", "--ipc", "--pid", "--fork", "--mount-proc", "--kill-child"]


def why_not() -> str:
    """Why there can be no namespaces here, "" if there can."""
    for program in ("unshare", "nsenter", "setpriv", "ip"):
        if shutil.which(program) is None:
            return f"the program {program} is missing"
    tried = subprocess.run(["unshare", *_UNSHARE, "ip", "link"], capture_output=True, text=True)
    return tried.stderr.strip() if tried.returncode else ""


class Namespace:
    """One machine's outside: `address` on a cable to `hub`, which is None for the hub itself."""

    def __init__(self, name: str, address: str, hub: "Namespace | None" = None) -> None:
        self.name, self.address, self.hub = name, address, hub
        self._cuts: list[str] = []
        self.first: int = 0
        self.start()

    def start(self) -> None:
        """A first process, and a cable."""
        program = shutil.which("unshare")
        assert program is not None
        self._unshare = subprocess.Popen(
            launch([program, *_UNSHARE, *_FIRST_PROCESS], Path("/"), signal.SIGKILL),
            start_new_session=True,
            stderr=subprocess.DEVNULL,
        )

        def is_there() -> bool:
            found = children(self._unshare.pid)
            # By then its namespaces are made, and what it ignores is set.
            if found and Path(f"/proc/{found[0]}/comm").read_text().strip() == "sleep":
                self.first = found[0]
            return bool(found and self.first)

        self.first = 0
        wait_until(is_there, 10, f"the namespace {self.name} is there")
        self.ip("link set lo up")
        if self.hub is None:
            self.run(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"])
        else:
            plug_in(self.first, self.name, self.address, self.hub)

    def end(self) -> None:
        """The machine alone, and not its cable at the hub: that goes too at the end of a run."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.first, signal.SIGKILL)
        self._unshare.wait(10)

    def kill(self) -> None:
        """The machine is gone, with whatever ran on it. Cut it off before: else it says good-bye."""
        self.end()
        if self.hub is not None:
            # The kernel takes it away too, some time later.
            self.hub.ip(f"link delete to-{self.name}", check=False)

    def entering(self, command: Sequence[str], *, unprivileged: bool = False) -> list[str]:
        """The command line that runs `command` on this machine, as root or as an account without rights."""
        enter = ["nsenter", "--target", str(self.first), "--net", "--mount", "--ipc", "--pid", "--"]
        return [*enter, *(without_rights() if unprivileged else []), *command]

    def run(self, command: Sequence[str]) -> None:
        """Raises CalledProcessError."""
        subprocess.run(self.entering(command), check=True, stdin=subprocess.DEVNULL)

    def ip(self, words: str, *, check: bool = True) -> int:
        """The status of a command of `ip` on this machine."""
        return _ip(self.first, words, check=check)

    def processes(self) -> list[int]:
        """Whatever runs on this machine, but for its first process."""
        ours = Path(f"/proc/{self.first}/ns/pid").readlink()
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdecimal() and (entry / "ns/pid").readlink() == ours:
                    found.append(int(entry.name))
        return [pid for pid in found if pid != self.first]

    # --- Cuts: what the hub passes on no more, without a word to anybody ---------------------------

    def cut(self, *others: "Namespace", port: int = 0) -> None:
        """Cuts this machine off from others, from all if none is named; or from its port alone."""
        assert self.hub is not None
        ends = [f" to {other.address}" for other in others] or [""]
        ways = [f"from {self.address}{end}" for end in ends]
        back = [f"from {other.address} to {self.address}" for other in others] or [f"to {self.address}"]
        if port:
            ways = [f"{way} ipproto tcp sport {port}" for way in ways]
            back = [f"{way} ipproto tcp dport {port}" for way in back]
        for way in (*ways, *back):
            self.hub.ip(f"rule add {way} priority 100 blackhole")
            self._cuts.append(way)

    def mend(self) -> None:
        assert self.hub is not None
        while self._cuts:
            self.hub.ip(f"rule del {self._cuts.pop()} priority 100")

    def inside(self) -> contextlib.AbstractContextManager[None]:
        """Sockets that this thread opens meanwhile are of this machine."""
        return network_of(self.first)

    def enter(self) -> None:
        """This thread, and what it starts, is on this machine's network from now on."""
        _enter_network(self.first)


def plug_in(first: int, name: str, address: str, hub: Namespace) -> None:
    """A cable between the hub and a machine, which is known by its first process."""
    cable = f"to-{name}"
    hub.ip(f"link add {cable} type veth peer name eth0 netns {first}")
    hub.ip(f"address add {hub.address}/32 dev {cable}")
    hub.ip(f"link set {cable} up")
    hub.ip(f"route add {address}/32 dev {cable}")
    for words in (
        f"address add {address}/32 dev eth0",
        "link set eth0 up",
        f"route add {hub.address}/32 dev eth0",
        f"route add default via {hub.address}",
    ):
        _ip(first, words)


def _ip(first: int, words: str, *, check: bool = True) -> int:
    # Not among its processes: a namespace at the other end of a cable is named by its number out here.
    command = ["nsenter", "--target", str(first), "--net", "--", "ip", *words.split()]
    return subprocess.run(command, check=check, capture_output=not check).returncode


@contextlib.contextmanager
def network_of(pid: int) -> Iterator[None]:
    """Sockets that this thread opens meanwhile are of the network of another process."""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        _enter_network(pid)
        yield
    finally:
        _set_network(before)
        os.close(before)


def _enter_network(pid: int) -> None:
    there = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    try:
        _set_network(there)
    finally:
        os.close(there)


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _set_network(descriptor: int) -> None:
    if _libc.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"setns: {os.strerror(number)}")


def without_rights() -> list[str]:
    """What a command begins with that must not run as root; it may still pass closed directories."""
    if "4294967295" in Path("/proc/self/uid_map").read_text():
        ids = ["--reuid", UNPRIVILEGED, "--regid", "nogroup", "--clear-groups"]
        return ["setpriv", *ids, "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search", "--"]
    # Within a namespace of users there is no other account: another number for this one.
    return ["unshare", "--user", "--map-user=65534", "--map-group=65534", "--"]
