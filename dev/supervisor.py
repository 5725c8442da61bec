"""Keeps programs running: starts again what ends, passes on what they print, stops them in order."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

_BACK_OFF_SECONDS_MIN = 0.2
_BACK_OFF_SECONDS_MAX = 5.0
# A program that ran this long is healthy: its next end starts the back-off anew.
_HEALTHY_SECONDS = 10.0
# How long a stop may take without a word.
_PATIENCE_SECONDS = 2.0
# How often a program may end before its first answer.
_STARTS_MAX = 6
_LINE_BYTES_MAX = 1 << 20


class ProgramError(Exception):
    """A program does not come up; the message is one line."""


@dataclass
class Program:
    """What to run, and how to tell that it works.

    `answers` may block; None means that running is enough. With `log` the output goes to that
    file, else to the terminal, line by line, behind the program's name.
    """

    name: str
    command: list[str]
    environment: dict[str, str]
    answers: Callable[[], bool] | None = None
    log: Path | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_seconds: float = 15.0
    pass_fds: tuple[int, ...] = ()
    process: asyncio.subprocess.Process | None = field(default=None, init=False)
    started_at: float = field(default=0.0, init=False)
    ends: int = field(default=0, init=False)
    last_words: str = field(default="", init=False)
    stopping: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    keeper: asyncio.Task[None] | None = field(default=None, init=False)

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.returncode is None

    @property
    def age_s(self) -> float:
        """Seconds since it was last started."""
        return time.monotonic() - self.started_at


def say(text: str) -> None:
    """Print one line at once; a pipe or terminal that has gone away is no reason to stop."""
    try:
        print(text, flush=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def start(program: Program) -> None:
    """Run the program, again and again, until it is stopped."""
    program.keeper = asyncio.create_task(_keep(program))


async def wait_ready(program: Program, seconds: float) -> None:
    """Return when the program answers. Raises ProgramError when it keeps ending, or time is up."""
    where = f", see {program.log}" if program.log else ""
    deadline = time.monotonic() + seconds
    while True:
        if program.ends >= _STARTS_MAX:
            why = where or (program.last_words and f": {program.last_words}")
            raise ProgramError(f"{program.name} ended {program.ends} times while starting{why}")
        if program.running and await _answers(program):
            return
        if time.monotonic() > deadline:
            raise ProgramError(f"{program.name} did not answer within {seconds:.0f} s{where}")
        await asyncio.sleep(0.05)


async def stop(program: Program) -> None:
    """Stop the program and wait until it is gone; by force after `stop_seconds`. Says so if it takes long."""
    if program.keeper is None:
        return
    program.stopping.set()
    if program.process is not None and program.running:
        program.process.send_signal(program.stop_signal)
    done, _ = await asyncio.wait({program.keeper}, timeout=_PATIENCE_SECONDS)
    if not done:
        say(f"[run] waiting for {program.name} to end, {program.stop_seconds:.0f} s at most")
        done, _ = await asyncio.wait({program.keeper}, timeout=program.stop_seconds - _PATIENCE_SECONDS)
    if not done:
        say(f"[run] {program.name} did not stop within {program.stop_seconds:.0f} s: killed")
        kill(program)
        await program.keeper


async def run_once(program: Program) -> None:
    """Run a program that ends by itself. Raises ProgramError when it fails, with what it said last."""
    try:
        status = await _run(program)
    finally:
        kill(program)
    if status > 0 and program.last_words:
        raise ProgramError(f"{program.name}: {program.last_words}")
    if status != 0:
        raise ProgramError(f"{program.name} failed with {_describe(status)}")


async def _keep(program: Program) -> None:
    pause = _BACK_OFF_SECONDS_MIN
    while not program.stopping.is_set():
        began = time.monotonic()
        try:
            end = _describe(await _run(program))
        except OSError as error:
            end = str(error)
        if program.stopping.is_set():
            return
        program.ends += 1
        if time.monotonic() - began > _HEALTHY_SECONDS:
            pause = _BACK_OFF_SECONDS_MIN
        say(f"[run] {program.name} ended with {end}, starting it again in {pause:.1f} s")
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(program.stopping.wait(), pause)
        pause = min(pause * 2, _BACK_OFF_SECONDS_MAX)


async def _run(program: Program) -> int:
    log = program.log.open("ab") if program.log else None
    try:
        program.process = process = await asyncio.create_subprocess_exec(
            *program.command,
            env=program.environment,
            stdin=subprocess.DEVNULL,
            stdout=log or subprocess.PIPE,
            stderr=log or subprocess.STDOUT,
            pass_fds=program.pass_fds,
            # Out of the terminal's process group: Ctrl-C reaches the supervisor alone.
            start_new_session=True,
            limit=_LINE_BYTES_MAX,
        )
        program.started_at = time.monotonic()
    finally:
        if log:
            log.close()
    if program.stopping.is_set():  # Asked to while it was being started.
        process.send_signal(program.stop_signal)
    if process.stdout is None:
        return await process.wait()
    printing = asyncio.create_task(_print_lines(program, process.stdout))
    status = await process.wait()
    # A grandchild may hold the pipe open; what is said after the end is not waited for.
    await asyncio.wait({printing}, timeout=1.0)
    printing.cancel()
    return status


async def _answers(program: Program) -> bool:
    return program.answers is None or await asyncio.to_thread(program.answers)


def kill(program: Program) -> None:
    """End the program and its children at once, if it still runs."""
    if program.process is not None and program.running:
        # It may have ended a moment ago, untold as yet.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(program.process.pid, signal.SIGKILL)


async def _print_lines(program: Program, output: asyncio.StreamReader) -> None:
    while True:
        try:
            line = await output.readline()
        except ValueError:
            line = b"(a line too long to show)"
        if not line:
            return
        program.last_words = line.decode(errors="replace").rstrip()
        say(f"[{program.name}] {program.last_words}")


def _describe(status: int) -> str:
    if status >= 0:
        return f"status {status}"
    return f"signal {signal.Signals(-status).name}"
