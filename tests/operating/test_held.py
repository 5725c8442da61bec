"""A program that is loaded before it may begin: `dev/held.py`."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.held import Gate
from dev.waiting import wait_until
from tests.support.serving import ROOT

PROGRAM = """
import sys
print("begun", *sys.argv[1:], "loaded" if "needed" in sys.modules else "", flush=True)
"""


@pytest.fixture
def gate() -> Iterator[Gate]:
    made = Gate()
    yield made
    os.close(made.descriptor)


@contextlib.contextmanager
def held(gate: Gate, directory: Path, *needed: str) -> Iterator["subprocess.Popen[str]"]:
    (directory / "program.py").write_text(PROGRAM)
    (directory / "needed.py").write_text("open('was loaded', 'w').close()")
    words = ["-m", "dev.held", str(gate.descriptor), *needed, "--", "program", "an argument"]
    with subprocess.Popen(
        [sys.executable, *words],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{directory}"},
        pass_fds=[gate.descriptor],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def test_it_loads_at_once_and_begins_when_the_gate_opens(gate: Gate, tmp_path: Path) -> None:
    with held(gate, tmp_path, "needed") as process:
        wait_until((tmp_path / "was loaded").exists, 30, "it is loaded")
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        gate.open()

        assert process.communicate(timeout=30)[0] == "begun an argument loaded\n"
        assert process.returncode == 0


def test_who_comes_when_the_gate_is_open_begins_at_once(gate: Gate, tmp_path: Path) -> None:
    gate.open()
    for _ in range(2):
        with held(gate, tmp_path) as process:
            assert process.communicate(timeout=30)[0] == "begun an argument \n"


def test_what_cannot_be_loaded_is_told_by_the_program_alone_and_not_before(
    gate: Gate, tmp_path: Path
) -> None:
    """Here it begins without: whatever does need it fails again."""
    with held(gate, tmp_path, "there_is_none", "needed") as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.communicate(timeout=1)
        gate.open()

        assert process.communicate(timeout=30)[0] == "begun an argument \n"
