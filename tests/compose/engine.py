"""A Docker engine of our own: its images, containers and networks are nobody else's, and go with it.

python -m tests.compose.engine   (why none can be had here, in a line, with status 1; else nothing)
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

START_S = 60.0
STOP_S = 60.0
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
PROGRAMS = {
    "dockerd": "docker.io",
    "docker": "docker.io",
    "iptables-save": "iptables",
    "ip": "iproute2",
    "debootstrap": "debootstrap",
}


def unavailable() -> str:
    """What is missing here for an engine, or who may not start one; empty: nothing is."""
    missing = {package for program, package in PROGRAMS.items() if shutil.which(program) is None}
    if missing:
        return f"not installed: apt-get install --no-install-recommends {' '.join(sorted(missing))}"
    if os.geteuid() != 0:
        return "an engine is started by root alone"
    if Path("/sys/class/net/docker0").exists():
        return "an engine runs on this machine, and two share a bridge and rules of the firewall"
    return ""


class UnstartedError(RuntimeError):
    """The kernel, or whoever made this machine, lets no engine start; the message is the end of its log."""


class Engine:
    """A running engine; `environment` leads `docker` to it."""

    def __init__(self, directory: Path, root: Path) -> None:
        self.directory, self.root = directory, root
        self.environment = {
            **{name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
            "HOME": str(directory),
            "DOCKER_HOST": f"unix://{directory}/docker.sock",
            # Where plug-ins are looked for.
            "DOCKER_CONFIG": str(directory),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def run(self, *words: str, check: bool = True, **given: str) -> "subprocess.CompletedProcess[str]":
        """`docker …`; what it says is told where it fails."""
        done = subprocess.run(
            ["docker", *words],
            env={**self.environment, **given},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if check and done.returncode:
            raise RuntimeError(f"docker {' '.join(words)}: {done.stdout[-4000:]}{done.stderr[-4000:]}")
        return done

    def start(self) -> None:
        """Returns once it answers. Raises UnstartedError."""
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    "dockerd",
                    f"--data-root={self.root}",
                    f"--exec-root={self.directory}/exec",
                    f"--pidfile={self.directory}/pid",
                    f"--host=unix://{self.directory}/docker.sock",
                ],
                stdout=log,
                stderr=log,
            )
        deadline = time.monotonic() + START_S
        while self.run("info", check=False).returncode:
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise UnstartedError((self.directory / "log").read_text()[-4000:])
            time.sleep(0.2)

    def stop(self) -> None:
        """Its containers first: the engine leaves them running where it is killed."""
        if self._process is None:
            return
        running = self.run("ps", "--quiet", check=False).stdout.split()
        if running:
            self.run("kill", *running, check=False)
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def engine(directory: Path, root: Path) -> Iterator[Engine]:
    """Runs one in `directory`, which is short enough for a socket's name, with its images in `root`.

    Rules of the firewall, forwarding and bridges are as they were afterwards: each is put back, also where
    another cannot be. Raises UnstartedError.
    """
    rules = subprocess.run(["iptables-save"], capture_output=True, check=True).stdout
    made = Engine(directory, root)
    with contextlib.ExitStack() as back:
        # The last of these is done first.
        back.callback(FORWARDING.write_text, FORWARDING.read_text())
        back.callback(_put, "iptables-restore", rules=rules)
        for chain in ("INPUT", "FORWARD", "OUTPUT"):
            back.callback(_put, "iptables", "--policy", chain, "ACCEPT")
        for table in ("filter", "nat"):
            for wipe in ("--delete-chain", "--flush"):
                back.callback(_put, "iptables", "--table", table, wipe)
        back.callback(_delete_bridges_but, _bridges())
        back.callback(made.stop)
        made.start()
        yield made


def _put(*command: str, rules: bytes | None = None) -> None:
    subprocess.run(command, input=rules, check=True)


def _delete_bridges_but(kept: set[str]) -> None:
    with contextlib.ExitStack() as each:
        for bridge in _bridges() - kept:
            each.callback(_put, "ip", "link", "delete", bridge)


def _bridges() -> set[str]:
    return {path.parent.name for path in Path("/sys/class/net").glob("*/bridge")}


def why_none() -> str:
    """Why no engine can be had here, in a line; empty: one was started and stopped."""
    why = unavailable()
    if why:
        return why
    with tempfile.TemporaryDirectory(prefix="engine-", ignore_cleanup_errors=True) as name:
        try:
            with engine(Path(name), Path(name) / "root"):
                return ""
        except UnstartedError as error:
            return f"it does not start: {(str(error).splitlines() or ['it says nothing'])[-1]}"


if __name__ == "__main__":
    if reason := why_none():
        print(reason)
    sys.exit(1 if reason else 0)
