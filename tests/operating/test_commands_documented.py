"""The README's list of commands names each that there is, and each of the steps that some have."""

import argparse
import re

from django.core.management import get_commands, load_command_class

from tests.support.serving import ROOT

SECTION = (ROOT / "README.md").read_text().partition("\n## Commands\n")[2].partition("\n## ")[0]
OURS = sorted(name for name, app in get_commands().items() if app == "transactions")


def steps(name: str) -> set[str]:
    """The words that one of may come first after a command's name."""
    parser = load_command_class("transactions", name).create_parser("manage.py", name)
    found = [each for each in parser._actions if isinstance(each, argparse._SubParsersAction)]
    return {step for each in found for step in each.choices}


def test_each_command_and_each_of_its_steps_stands_in_the_list() -> None:
    rows: dict[str, list[str]] = {name: [] for name in OURS}
    for row in SECTION.splitlines():
        if row.startswith("| `"):
            named = re.findall(r"`([^`]+)`", row.split("|")[1])
            words = [each.removeprefix("manage.py ").split()[0] for each in named]
            words += [word for each in named for word in each.split()[1:]]
            for name in {*words} & {*OURS}:
                rows[name] += words
    assert [name for name, words in rows.items() if not words] == []
    missing = {name: sorted(steps(name) - {*words}) for name, words in rows.items()}
    assert {name: left for name, left in missing.items() if left} == {}
