"""What somebody sees who starts a private run and simulates: rules in force, and what they find."""

import json
import os
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.run import ROOT
from dev.test_servers import EXPORTED
from tests.support.running import UserRun

pytestmark = pytest.mark.slow


@pytest.fixture
def run(tmp_path: Path) -> Iterator[UserRun]:
    run = UserRun(tmp_path / "data")
    run.start()
    yield run
    if not run.ended:
        run.stop()


def in_a_second_terminal(run: UserRun, *arguments: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name not in EXPORTED}
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env={**environment, "DATA_DIR": str(run.data)},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout


def test_a_private_run_has_rules_in_force_and_what_is_simulated_raises_alerts(run: UserRun) -> None:
    listed = in_a_second_terminal(run, "rules", "list").splitlines()
    assert len(listed) == 12
    assert all(line.startswith("Active ") for line in listed)

    told = in_a_second_terminal(run, "simulate", "--seconds", "15", "--seed", "7")

    assert "plays: cards that are tried out, " in told
    assert re.search(r"^  Small amounts that fail: 4 hits, 1 alert opened$", told, re.MULTILINE)
    found = re.search(r"^rules: (\d+) hits, (\d+) alerts opened$", told, re.MULTILINE)
    assert found, told
    assert int(found[1]) >= int(found[2]) >= 5
    with urllib.request.urlopen(f"{run.url}api/pipeline/") as answer:
        books = json.load(answer)
    assert books["balanced"]
    assert books["rules"]["versions"] == 12
    assert books["rules"]["open_alerts"] == int(found[2])
    assert "Raised in 7 days: 4. Open alerts: 1." in in_a_second_terminal(run, "rules", "list")

    # What somebody has retired stays so at the next start.
    in_a_second_terminal(run, "rules", "retire", "Small amounts that fail")
    run.stop()
    run.start()
    states = [line.split()[0] for line in in_a_second_terminal(run, "rules", "list").splitlines()]
    assert sorted(states) == ["Active"] * 11 + ["Retired"]
