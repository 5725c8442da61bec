"""What a shell may give to any command: names that are no UTF-8, which no account, token or rule has."""

import os
import subprocess
import sys

import pytest

from tests.support.serving import ROOT, database_url

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    "given",
    [
        ["create_token", "x", "--user", b"\xff"],
        ["revoke_token", b"caf\xe9"],
        ["rules", "list-show", b"\xff"],
    ],
)
def test_a_name_that_is_no_utf_8_is_refused_and_told(given: list[str | bytes]) -> None:
    run = subprocess.run(
        [sys.executable, "manage.py", *given],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": database_url()},
        capture_output=True,
        text=True,
    )
    said = repr(os.fsencode(given[-1]))
    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr == f"manage.py: {said} is not UTF-8.\n"
