"""What a process loads at its start: every command, worker and test that starts one pays for each module."""

import os
import subprocess
import sys

import pytest
from django.core.management import get_commands

from tests.support.serving import ROOT

# Of a second and a half these were two thirds.
HEAVY = (
    "celery",
    "daphne.server",
    "transaction_monitoring.urls",
    "transactions.admin",
    "transactions.uploads.work",
)
COMMAND = (
    "from django.core.management import execute_from_command_line as run; run(['', 'last_flush', '--help'])"
)
WORKER = "from transaction_monitoring.celery import app; app.loader.import_default_modules()"
# Purpose: which of the names that follow are loaded, whatever the start before it has said.
TELL = "import sys; print('loaded:', *(name for name in sys.argv[1:] if name in sys.modules))"


@pytest.mark.parametrize(
    ("start", "loaded"),
    [(f"try: {COMMAND}\nexcept SystemExit: pass", []), (WORKER, ["celery"])],
    ids=["a command", "a worker"],
)
def test_a_start_loads_no_page_and_no_server(start: str, loaded: list[str]) -> None:
    django = {"DJANGO_SETTINGS_MODULE": "transaction_monitoring.settings"}
    said = subprocess.run(
        [sys.executable, "-c", f"{start}\n{TELL}", *HEAVY],
        cwd=ROOT,
        env={**os.environ, **django},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said.splitlines()[-1].split() == ["loaded:", *loaded]


def test_the_development_server_is_daphne_s() -> None:
    assert get_commands()["runserver"] == "daphne"
