"""Flushes in a process of its own, as the worker does: one for each line of input."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, NamedTuple

import django

from benchmarks.serving import ROOT


class Flusher(NamedTuple):
    """What it is told, a line for each flush, and what it tells of each: records stored, begin and end."""

    told: IO[str]
    tells: IO[str]

    def begin(self) -> None:
        print("flush", file=self.told, flush=True)

    def ended(self) -> tuple[int, float, float]:
        """What was stored, and when it began and ended, in seconds of the monotonic clock; waits for that."""
        stored, began, ended = self.tells.readline().split()
        return int(stored), float(began), float(ended)


@contextmanager
def flusher() -> Iterator[Flusher]:
    """A process that flushes when it is told to; at the end it is waited for."""
    command, pipe = [sys.executable, "-m", "benchmarks.flusher"], subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        yield Flusher(process.stdin, process.stdout)
        process.stdin.close()
        process.stdout.read()  # what it tells of a flush that nobody has asked about


if __name__ == "__main__":
    django.setup()
    from transactions.storing.flush import flush

    print("ready", flush=True)
    for _ in sys.stdin:
        began = time.monotonic()
        report = flush()
        print(report.stored, began, time.monotonic(), flush=True)
