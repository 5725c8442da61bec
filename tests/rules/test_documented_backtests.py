"""The backtests of docs/rules.md: what is told there is what is printed and answered."""

import os
import re
import shutil
import subprocess
import threading
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.db import connection

from tests.support.accepting import record, take
from tests.support.rules import pay_debt, rule_in_force
from tests.support.serving import ROOT, daphne
from transactions.access.rights import Right
from transactions.access.tokens import create
from transactions.rules import backtest_runs, lifecycle
from transactions.rules.models import Version
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

SECTION = (ROOT / "docs/rules.md").read_text().partition("\n## Backtests")[2].partition("\n## ")[0]
(PROGRAM,) = (
    text for text in re.findall(r"```bash\n(.*?)```", SECTION, re.DOTALL) if text.startswith("set -eu")
)
(PRINTED,) = re.findall(r"```\n(Many in an hour.*?)```", SECTION, re.DOTALL)
(ANSWERED,) = re.findall(r"It prints `(.*?)`", SECTION)


@pytest.fixture
def in_force() -> Version:
    user = User.objects.create(pk=7, username="somebody")
    version = rule_in_force("velocity_count", name="Many in an hour", count=3, window="1h")
    moments = [datetime(2026, 1, 30, 10, minute, tzinfo=UTC) for minute in (0, 10, 20, 30)]
    take(
        *(
            record(f"T{n}", user, amount, created_at=moment)
            for n, (moment, amount) in enumerate(zip(moments, (400, 500, 100, 200), strict=True), 1)
        )
    )
    flush()
    pay_debt()
    return version


def test_the_command_prints_what_the_page_shows(in_force: Version) -> None:
    lifecycle.draft(in_force.rule, "velocity_count", {"count": 4, "window": "1h"})
    out = StringIO()
    within = ("--from", "2026-01-30T00:00Z", "--to", "2026-02-01T00:00Z")
    call_command("rules", "backtest", "Many in an hour", *within, stdout=out, stderr=StringIO())
    assert re.sub(r"in [\d.]+ s", "in 0.0 s", out.getvalue()) == PRINTED


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("curl") is None, reason="There is no curl here.")
def test_the_program_of_the_page_does_what_it_says(in_force: Version, tmp_path: Path) -> None:
    token, _ = create("writer", rights=frozenset({Right.VIEW_RULES, Right.CHANGE_RULES}))
    over = threading.Event()

    def work() -> None:
        while not over.wait(0.2):
            backtest_runs.run_next()
        connection.close()

    worker = threading.Thread(target=work)
    worker.start()
    try:
        with daphne(ALLOW_ANONYMOUS_API="false") as url:
            done = subprocess.run(
                ["bash", "-c", PROGRAM],
                cwd=tmp_path,
                env={
                    "PATH": os.environ["PATH"],
                    "API_URL": url,
                    "WRITER": token,
                    "RULE": str(in_force.rule_id),
                },
                capture_output=True,
                text=True,
                timeout=120,
            )
    finally:
        over.set()
        worker.join()
    assert (done.stdout.strip(), done.returncode) == (ANSWERED, 0), done.stderr
