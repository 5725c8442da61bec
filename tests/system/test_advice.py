"""What to do about a part that is ill: the runbook has its section, and the commands name what there is."""

import re

import pytest

from tests.support.serving import ROOT
from transactions.system import advice
from transactions.system.advice import Advice

ALL = {name: each for name, each in vars(advice).items() if isinstance(each, Advice)}


@pytest.mark.parametrize("name", ALL)
def test_the_runbook_has_the_section(name: str) -> None:
    runbook = (ROOT / "docs" / f"{advice.RUNBOOK}.md").read_text()
    assert re.search(rf"^##+ {ALL[name].section}$", runbook, re.MULTILINE)


@pytest.mark.parametrize("name", ALL)
def test_the_commands_name_services_and_units_that_there_are(name: str) -> None:
    compose = (ROOT / "docker-compose.yml").read_text()
    for _, command in ALL[name].commands:
        if command.startswith("docker compose"):
            assert re.search(rf"^  {command.split()[-1]}:", compose, re.MULTILINE)
        elif unit := re.search(r"transactions-[a-z]+@?", command):
            # Of one machine, or of the servers on one of three.
            places = (ROOT / "deploy" / "systemd", ROOT / "deploy" / "machines" / "systemd")
            assert [place for place in places if (place / f"{unit[0]}.service").exists()]
