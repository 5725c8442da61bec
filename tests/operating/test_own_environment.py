"""The suite does not hear the shell it is started from: what is set there is for the system."""

import os
import subprocess
import sys

import pytest

from dev.variables import forget, names
from tests.operating.test_settings_documented import EXAMPLE, FAULTS, modules, variables_read
from tests.support.serving import ROOT

# Each of a kind that breaks something where it is heard; the rest is no number, no switch and no address.
ODD = {
    "DATABASE_URL": "postgres://nobody@127.0.0.1:1/none",
    "REDIS_URL": "redis://127.0.0.1:1/0",
    "DATA_DIR": "/nonexistent",
    "DJANGO_SETTINGS_MODULE": "nonexistent",
    "PGPORT": "1",
    "PGOPTIONS": "-c nonexistent=1",
}
# Quick ones that stand on what a shell may say: a client's token and port, the servers, the log-in of a run.
SOME = [
    "tests/client/test_replay_network.py::test_the_token_of_the_environment_is_sent",
    "tests/client/test_simulate.py::test_what_is_refused_is_told_with_its_reason",
    "tests/operating/test_private_servers.py::test_servers_listen_on_no_network",
]
LOG_IN = "tests/operating/test_run.py::test_it_says_how_to_log_in"


def oddly() -> dict[str, str]:
    return {**os.environ, **dict.fromkeys(names(), "odd"), **ODD}


def test_it_forgets_every_variable_that_anything_reads() -> None:
    read = set().union(*map(variables_read, modules("transaction_monitoring", "transactions", "dev")))

    assert names() == {*EXAMPLE, *read, *variables_read(FAULTS), "DJANGO_SETTINGS_MODULE"}


def test_they_are_gone_for_this_process_and_those_it_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    before = dict(os.environ)
    for name, value in oddly().items():
        monkeypatch.setenv(name, value)

    forget()

    assert os.environ.keys() == {name for name in before if name not in names()}


@pytest.mark.slow
@pytest.mark.parametrize("command", [["-m", "pytest", "-q", LOG_IN], ["manage.py", "test"]])
def test_the_same_tests_pass_whatever_the_shell_says(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, *command, *SOME], cwd=ROOT, env=oddly(), capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
