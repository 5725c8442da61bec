"""The program of docs/rules.md, as it stands there, against a server with FOUR_EYES."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from django.contrib.auth.models import User

from tests.support.serving import ROOT, daphne
from transactions.access.rights import Right
from transactions.access.tokens import create

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

SECTION = (ROOT / "docs/rules.md").read_text().partition("## The API")[2].partition("\n## ")[0]
(PROGRAM,) = (
    text for text in re.findall(r"```bash\n(.*?)```", SECTION, re.DOTALL) if text.startswith("set -eu")
)
(PRINTED,) = re.findall(r"It prints:\n\n```\n(.*?)```", SECTION, re.DOTALL)
RIGHTS = dict(re.findall(r"create_token (\w+) --rights (\S+)", SECTION))


@pytest.mark.skipif(shutil.which("curl") is None, reason="There is no curl here.")
def test_the_program_of_the_page_does_what_it_says(people: list[User], tmp_path: Path) -> None:
    tokens = {
        name.upper(): create(name, rights=frozenset(map(Right, rights.split(","))))[0]
        for name, rights in RIGHTS.items()
    }
    with daphne(ALLOW_ANONYMOUS_API="false", FOUR_EYES="true") as url:
        done = subprocess.run(
            ["bash", "-c", PROGRAM],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "API_URL": url, "USER_KEY": str(people[0].pk), **tokens},
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert done.returncode == 0, (done.stdout, done.stderr)
    # Which key the rule gets is not the page's to say.
    assert re.sub(r'"id":\d+', '"id":1', done.stdout) == PRINTED
