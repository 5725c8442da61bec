"""A Docker engine of our own: its images, containers and networks are nobody else's, and go with it."""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

START_S = 60.0
STOP_S = 60.0
PROGRAMS = {
    "dockerd": "docker.io",
    "docker": "docker.io",
    "iptables-save": "iptables",
    "debootstrap": "debootstrap",
}


def unavailable() -> str:
    """Why no engine can be had here; empty: it can."""
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

    Rules of the firewall, forwarding and bridges are as they were afterwards.
    """
    forwarding = Path("/proc/sys/net/ipv4/ip_forward")
    forwarded = forwarding.read_text()
    rules = subprocess.run(["iptables-save"], capture_output=True, check=True).stdout
    bridges = _bridges()
    made = Engine(directory, root)
    try:
        made.start()
        yield made
    finally:
        made.stop()
        for bridge in _bridges() - bridges:
            subprocess.run(["ip", "link", "delete", bridge], check=True)
        for table in ("filter", "nat"):
            for wipe in ("--flush", "--delete-chain"):
                subprocess.run(["iptables", "--table", table, wipe], check=True)
        for chain in ("INPUT", "FORWARD", "OUTPUT"):
            subprocess.run(["iptables", "--policy", chain, "ACCEPT"], check=True)
        subprocess.run(["iptables-restore"], input=rules, check=True)
        forwarding.write_text(forwarded)


def _bridges() -> set[str]:
    return {path.parent.name for path in Path("/sys/class/net").glob("*/bridge")}
