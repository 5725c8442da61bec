"""docs/importing.md names what there is: options, keys, shipped mappings; and its mapping is one."""

import re
from dataclasses import fields

from django.core.management import load_command_class

from tests.support.serving import ROOT
from transactions.importing import keys, mapping

TEXT = (ROOT / "docs/importing.md").read_text()


def test_every_option_of_the_command_is_there_and_no_other() -> None:
    parser = load_command_class("transactions", "import_file").create_parser("manage.py", "import_file")
    of_django = {"--help", "--version", "--verbosity", "--settings", "--pythonpath", "--traceback"}
    of_django |= {"--no-color", "--force-color", "--skip-checks"}
    known = {each for action in parser._actions for each in action.option_strings if each.startswith("--")}
    assert {*re.findall(r"--[a-z][a-z-]*", TEXT)} == known - of_django


def test_every_key_of_a_mapping_is_there() -> None:
    named = {*re.findall(r"`(\w+)`", TEXT)}
    assert {each.name for each in fields(mapping.Mapping)} - named == set()
    assert {*keys.FIELDS, *keys.BESIDE} - named == set()


def test_every_shipped_mapping_is_there_and_no_other() -> None:
    assert re.findall(r"^\| `([a-z][a-z-]*)` \| .* \| .* \|$", TEXT, re.MULTILINE) == [
        "stripe-balance", "stripe-charges", "paypal", "paypal-de", "olist-payments", "paysim", "camt",
    ]  # fmt: skip
    assert (
        sorted(re.findall(r"^\| `([a-z][a-z-]*)` \| .* \| .* \|$", TEXT, re.MULTILINE)) == mapping.shipped()
    )


def test_its_mapping_is_one() -> None:
    (toml,) = re.findall(r"```toml\n(.*?)```", TEXT, re.DOTALL)
    assert mapping.write(mapping.parse(toml)).split() == toml.split()
