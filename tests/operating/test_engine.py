"""What `make compose` starts its containers on: why there is none, and that nothing of it is left.

Its programs are stand-ins here: what is looked at is what they are told, and what becomes of a failure.
"""

import subprocess
from pathlib import Path

import pytest

from tests.compose import engine
from tests.compose.engine import UnstartedError

# What each does in place of the real one; all others do nothing.
DYING = "echo first; echo 'failed to start daemon: no such kernel'; exit 1"
SAVING = "echo '*filter'"
RULES = "*filter\n"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with all programs that an engine needs; this one does not start."""
    place = tmp_path / "programs"
    place.mkdir()
    for name in (*engine.PROGRAMS, "iptables", "iptables-restore"):
        put(place, name, "")
    put(place, "dockerd", DYING)
    put(place, "docker", "exit 1")
    put(place, "iptables-save", SAVING)
    put(place, "iptables-restore", f"/bin/cat >{tmp_path}/restored")
    monkeypatch.setenv("PATH", str(place))
    forwarding = tmp_path / "ip_forward"
    forwarding.write_text("0\n")
    monkeypatch.setattr(engine, "FORWARDING", forwarding)
    return place


def put(place: Path, name: str, script: str) -> None:
    program = place / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


def test_each_program_that_is_missing_is_told_by_its_package(programs: Path) -> None:
    for name in ("ip", "debootstrap"):
        (programs / name).unlink()

    assert engine.why_none() == "not installed: apt-get install --no-install-recommends debootstrap iproute2"


def test_one_that_does_not_start_is_told_in_its_last_line(programs: Path, tmp_path: Path) -> None:
    why = engine.unavailable()
    if why:
        pytest.skip(why)

    assert engine.why_none() == "it does not start: failed to start daemon: no such kernel"
    assert (tmp_path / "restored").read_text() == RULES


def test_one_that_does_not_start_is_an_error_of_whoever_needs_it(programs: Path, tmp_path: Path) -> None:
    with pytest.raises(UnstartedError, match="no such kernel"), engine.engine(tmp_path, tmp_path / "root"):
        raise AssertionError("it began")


def test_rules_and_forwarding_are_put_back_where_another_step_of_the_way_back_fails(
    programs: Path, tmp_path: Path
) -> None:
    put(programs, "dockerd", f"echo 1 >{engine.FORWARDING}; exit 1")
    put(programs, "iptables", "exit 3")

    fails = pytest.raises(subprocess.CalledProcessError, match="exit status 3")
    with fails, engine.engine(tmp_path, tmp_path / "root"):
        raise AssertionError("it began")

    assert (tmp_path / "restored").read_text() == RULES
    assert engine.FORWARDING.read_text() == "0\n"
