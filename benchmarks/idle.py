"""`make run` as a user has it: how soon it is ready, and what it takes while nobody posts."""

import http.client
import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.report import Section, number
from benchmarks.serving import ROOT
from benchmarks.stage import Stage, say

IDLE_S, QUICK_IDLE_S = 60.0, 5.0
# A flush or two, so that every process has done what it does.
SETTLE_S = 12.0
READY_S_MAX = 120.0
# Between two asks: each takes of the processor that the start is timed on.
PAUSE_S = 0.02
_READY = re.compile(rb"^ready: (\S+)\n", re.MULTILINE)
# What later starts find: rows that are stored, and records that wait; and how many of these there are.
FULL, QUICK_FULL = (1_000_000, 50_000), (50_000, 5_000)
FULL_STARTS, QUICK_FULL_STARTS = 3, 1
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
        rows, records = QUICK_FULL if stage.scale.quick else FULL
        full = _full_starts(directory, rows, records, QUICK_FULL_STARTS if stage.scale.quick else FULL_STARTS)
    total = sum(memory.values())
    section.table(
        ("first start s", "second start s", "idle, % of a core", "PSS MB", "processes"),
        [(first_s, second_s, percent, total, len(memory))],
    )
    largest = sorted(memory, key=lambda each: -memory[each])[:8]
    section.note(
        "The largest: " + ", ".join(f"{names[each]} {memory[each]:.0f} MB" for each in largest) + "."
    )
    section.note(
        f"Started again with {rows:,} rows and {records:,} records that wait, ready after "
        f"{', '.join(map(number, full))} s."
    )
    for what, wanted, value, limit, unit in (
        ("`make run` a second time, ready", "≤ 5 s", second_s, 5, "s"),
        (f"`make run` with {rows:,} rows and a backlog, ready", "≤ 5 s", max(full), 5, "s"),
        (f"idle for {seconds:.0f} s, all processes", "≤ 3 % of a core", percent, 3, "%"),
        ("idle, all processes, PSS", "≤ 600 MB", total, 600, "MB"),
    ):
        section.target(what, wanted, f"{number(value)} {unit}", value <= limit)
    return section


def _full_starts(directory: str, rows: int, records: int, starts: int) -> list[float]:
    """Seconds of each start; before each of them as many records wait."""
    taken = []
    for stored in (rows, *[0] * (starts - 1)):
        words = [str(Path(directory) / "data"), str(stored), str(records)]
        fill = [sys.executable, "-m", "benchmarks.full_directory", *words]
        subprocess.run(fill, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        with _system(directory) as (_, seconds):
            taken.append(seconds)
        say(f"idle: with {rows:,} rows and {records:,} records that wait in {seconds:.1f} s")
    return taken


@contextmanager
def _system(directory: str) -> Iterator[tuple[int, float]]:
    """Yields the supervisor's process id and the seconds until it and /readyz said that it is ready."""
    kept = ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    began = time.monotonic()
    running = subprocess.Popen(
        [sys.executable, "-m", "dev.run"],
        cwd=ROOT,
        env={**environment, "DATA_DIR": str(Path(directory) / "data"), "PORT": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert running.stdout is not None
        url = _url(running.stdout.fileno(), began + READY_S_MAX)
        while not _takes_traffic(url):
            if running.poll() is not None or time.monotonic() > began + READY_S_MAX:
                raise RuntimeError(f"{url} did not become ready.")
            time.sleep(PAUSE_S)
        yield running.pid, time.monotonic() - began
    finally:
        running.send_signal(signal.SIGTERM)
        running.wait(READY_S_MAX)


def _url(said: int, deadline: float) -> str:
    """Where it says, on that descriptor, that it is ready. Raises RuntimeError if it ends or is too late."""
    text = b""
    while not (found := _READY.search(text)):
        ready, _, _ = select.select([said], [], [], max(0.0, deadline - time.monotonic()))
        more = os.read(said, 4096) if ready else b""
        if not more:
            raise RuntimeError(f"`make run` did not become ready. It said: {text.decode(errors='replace')}")
        text += more
    return found[1].decode()


def _takes_traffic(url: str) -> bool:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    finally:
        connection.close()


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
