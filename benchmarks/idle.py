"""`make run` as a user has it: how soon it is ready, and what it takes while nobody posts."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.report import Section, number
from benchmarks.serving import ROOT
from benchmarks.stage import Stage, say

IDLE_S, QUICK_IDLE_S = 60.0, 5.0
# A flush or two, so that every process has done what it does.
SETTLE_S = 12.0
READY_S_MAX = 120.0
_TICKS = os.sysconf("SC_CLK_TCK")


def run(stage: Stage) -> Section:
    section = Section("Start and idle")
    with tempfile.TemporaryDirectory(prefix="transactions-idle-") as directory:
        with _system(directory) as (_, first_s):
            say(f"idle: first start in {first_s:.1f} s")
        with _system(directory) as (pid, second_s):
            say(f"idle: second start in {second_s:.1f} s")
            time.sleep(SETTLE_S)
            seconds = QUICK_IDLE_S if stage.scale.quick else IDLE_S
            before = _processor_s(pid)
            time.sleep(seconds)
            percent = 100 * (_processor_s(pid) - before) / seconds
            memory = {each: _pss_mb(each) for each in _tree(pid)}
            names = {each: _command(each) for each in memory}
    total = sum(memory.values())
    section.table(
        ("first start s", "second start s", "idle, % of a core", "PSS MB", "processes"),
        [(first_s, second_s, percent, total, len(memory))],
    )
    largest = sorted(memory, key=lambda each: -memory[each])[:8]
    section.note(
        "The largest: " + ", ".join(f"{names[each]} {memory[each]:.0f} MB" for each in largest) + "."
    )
    for what, wanted, value, limit, unit in (
        ("`make run` a second time, ready", "< 10 s", second_s, 10, "s"),
        (f"idle for {seconds:.0f} s, all processes", "< 3 % of a core", percent, 3, "%"),
        ("idle, all processes, PSS", "< 600 MB", total, 600, "MB"),
    ):
        section.target(what, wanted, f"{number(value)} {unit}", value < limit)
    return section


@contextmanager
def _system(directory: str) -> Iterator[tuple[int, float]]:
    """Yields the supervisor's process id and the seconds until it said that it is ready."""
    kept = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    began = time.monotonic()
    running = subprocess.Popen(
        [sys.executable, "-m", "dev.run"],
        cwd=ROOT,
        env={**environment, "DATA_DIR": str(Path(directory) / "data"), "PORT": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert running.stdout is not None
        while not running.stdout.readline().startswith("ready:"):
            if running.poll() is not None or time.monotonic() > began + READY_S_MAX:
                raise RuntimeError("`make run` did not become ready.")
        yield running.pid, time.monotonic() - began
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(READY_S_MAX)


def _tree(pid: int) -> list[int]:
    """A process and all that it began, directly or not."""
    found = [pid]
    for each in found:
        for children in Path(f"/proc/{each}/task").glob("*/children"):
            found += map(int, children.read_text().split())
    return found


def _processor_s(pid: int) -> float:
    """Seconds of processor time of all of a tree, those that have ended since included."""
    fields = (Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split() for each in _tree(pid))
    return sum(sum(map(int, each[11:15])) for each in fields) / _TICKS


def _pss_mb(pid: int) -> float:
    """Memory with what is shared counted in parts, in MB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _command(pid: int) -> str:
    """A process in a few words: PostgreSQL's say what they are themselves."""
    words = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    named = [word for word in words if word in ("daphne", "celery", "worker", "beat", "dev.run")]
    return " ".join(named) or Path(words[0].split()[0].rstrip(":")).name
