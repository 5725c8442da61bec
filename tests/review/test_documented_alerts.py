"""The program of docs/alerts.md, as it stands there."""

import os
import re
import shutil
import subprocess

import pytest
from django.contrib.auth.models import User

from tests.support.alerts import caller, open_alert
from tests.support.serving import ROOT, daphne
from transactions.access.rights import Right
from transactions.access.tokens import create

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

TEXT = (ROOT / "docs/alerts.md").read_text()
(PROGRAM,) = re.findall(r"```bash\n(.*?)```", TEXT, re.DOTALL)
(PRINTED,) = re.findall(r"It prints:\n\n```\n(.*?)```", TEXT, re.DOTALL)


@pytest.mark.skipif(shutil.which("curl") is None, reason="There is no curl here.")
def test_the_program_of_the_page_does_what_it_says(people: list[User]) -> None:
    caller("ann", Right.VIEW_ALERTS, Right.CHANGE_ALERTS)
    token, _ = create("documented", username="ann")
    open_alert(people[0])
    with daphne(ALLOW_ANONYMOUS_API="false") as url:
        done = subprocess.run(
            ["bash", "-c", PROGRAM],
            env={"PATH": os.environ["PATH"], "API_URL": url, "ANALYST": token},
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert (done.returncode, done.stdout) == (0, PRINTED), done.stderr
