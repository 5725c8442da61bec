"""What `make run` says of the programs that it starts and stops: `dev/supervisor.py`."""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from dev.supervisor import Program, ProgramError, run_once, start, stop, wait_ready
from dev.waiting import wait_until

# Heeds no SIGTERM until it may end; says when it has begun.
STUBBORN = """
import signal, sys, time
from pathlib import Path
begun, may_end = map(Path, sys.argv[1:])
signal.signal(signal.SIGTERM, lambda *_: None)
begun.touch()
while not may_end.exists():
    time.sleep(0.05)
"""


def python(name: str, code: str, *arguments: object) -> Program:
    return Program(name, [sys.executable, "-c", code, *map(str, arguments)], dict(os.environ))


async def said(capsys: pytest.CaptureFixture[str]) -> str:
    """What is printed next."""
    heard = ""

    def hears() -> str:
        nonlocal heard
        heard += capsys.readouterr().out
        return heard

    await asyncio.to_thread(wait_until, hears, 30, "something is said")
    return heard


def test_a_stop_that_takes_long_says_what_it_waits_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    begun, may_end = tmp_path / "begun", tmp_path / "may end"

    async def scene() -> str:
        program = python("worker", STUBBORN, begun, may_end)
        program.answers, program.stop_seconds = begun.exists, 60.0
        start(program)
        await wait_ready(program, 30)
        stopping = asyncio.create_task(stop(program))
        try:
            return await said(capsys)
        finally:
            may_end.touch()
            await stopping

    assert asyncio.run(scene()) == "[run] waiting for worker to end, 60 s at most\n"
    assert capsys.readouterr().out == ""


def test_a_stop_that_takes_no_time_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    async def scene() -> None:
        program = python("worker", "import time; time.sleep(600)")
        start(program)
        await wait_ready(program, 30)
        await stop(program)

    asyncio.run(scene())
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("print('of old'); import sys; sys.exit('DEBUG is neither')", "prepare: DEBUG is neither"),
        ("import sys; sys.exit(3)", "prepare failed with status 3"),
        (
            "import os; print('well', flush=True); os.kill(os.getpid(), 9)",
            "prepare failed with signal SIGKILL",
        ),
    ],
    ids=["with a reason", "without a word", "killed"],
)
def test_what_fails_is_told_with_its_last_words(code: str, told: str) -> None:
    with pytest.raises(ProgramError) as failed:
        asyncio.run(run_once(python("prepare", code)))

    assert str(failed.value) == told


@pytest.mark.slow
def test_what_keeps_ending_is_told_with_its_last_words() -> None:
    async def scene() -> None:
        program = python("web", "import sys; sys.exit('no such module')")
        program.answers = lambda: False
        start(program)
        try:
            await wait_ready(program, 60)
        finally:
            await stop(program)

    with pytest.raises(ProgramError, match=r"^web ended 6 times while starting: no such module$"):
        asyncio.run(scene())
