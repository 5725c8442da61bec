"""Every variable is read, listed in .env.example and explained in the README, with one default."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.configuring import settings_with
from tests.support.containers import COMPOSE, FILLED_IN, VARIABLE, example
from tests.support.serving import ROOT

SETTINGS = ROOT / "transaction_monitoring" / "settings.py"
README = (ROOT / "README.md").read_text()
# Names in .env.example, also of those that are commented out.
EXAMPLE = re.findall(r"^(?:# )?([A-Z][A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
# What fault tests alone set.
FAULTS = ROOT / "transactions" / "stores" / "crash_points.py"
READERS = {
    "whole",
    "day",
    "switch",
    "one_of",
    "currency",
    "_number",
    "env.str",
    "env.list",
    "env.db_url",
    "environ.get",
    "os.environ.get",
}


def variables_read(file: Path) -> set[str]:
    """The variables that a module reads by their names."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in READERS:
            name = node.args[0]
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "os.environ":
            name = node.slice
        else:
            continue
        if isinstance(name, ast.Constant):
            found.add(str(name.value))
    return found - {"DJANGO_SETTINGS_MODULE"}


def modules(*packages: str) -> set[Path]:
    return {file for package in packages for file in (ROOT / package).rglob("*.py")} - {FAULTS}


def of_settings_and_compose() -> set[str]:
    of_compose = {found["name"] for found in VARIABLE.finditer(COMPOSE.read_text()) if found["name"]}
    return variables_read(SETTINGS) | of_compose


def test_the_example_names_what_settings_and_compose_read_each_once() -> None:
    assert len(variables_read(SETTINGS)) > 20
    assert sorted(EXAMPLE) == sorted(of_settings_and_compose())


def test_the_readme_s_table_names_the_same() -> None:
    section = re.split("^## ", README.partition("\n## Configuration\n")[2], flags=re.MULTILINE)[0]
    table = re.findall(r"^\| `([A-Z][A-Z_]+)` \|", section, re.MULTILINE)

    assert sorted(table) == sorted(of_settings_and_compose())


def test_the_readme_names_every_variable_that_anything_reads() -> None:
    read = set().union(*map(variables_read, modules("transaction_monitoring", "transactions", "dev")))

    assert read >= {"PORT", "ADMIN_PASSWORD", "API_TOKEN"}
    assert {name for name in read if not re.search(rf"`[^`]*\b{name}\b[^`]*`", README)} == set()


def test_settings_alone_read_the_environment_of_the_application() -> None:
    elsewhere = {
        file: found
        for file in modules("transaction_monitoring", "transactions")
        if (found := variables_read(file))
    }

    # Commands that post are clients, and the listener a receiver: what they have is their own.
    commands = {f"transactions/management/commands/{name}.py" for name in ("_posting", "webhook_listen")}
    clients = {"transactions/client/api.py", *commands}
    assert {str(file.relative_to(ROOT)) for file in elsewhere} == {str(SETTINGS.relative_to(ROOT)), *clients}


def test_every_variable_of_the_example_has_a_comment() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()

    for number, line in enumerate(lines):
        if re.match(r"(# )?[A-Z][A-Z_]+=", line):
            assert re.match(r"# [A-Z].+\.$", lines[number - 1]), line


def test_the_values_of_the_example_are_the_defaults() -> None:
    filled_in = {name: FILLED_IN[name] for name in ("SECRET_KEY", "ALLOWED_HOSTS")}

    assert settings_with({**example(), **filled_in}) == settings_with(filled_in)


@pytest.mark.parametrize("name", ["DATABASE_URL", "REDIS_URL", "STATIC_ROOT", "DATA_DIR"])
def test_a_value_that_is_commented_out_is_the_default_too(name: str) -> None:
    (value,) = re.findall(rf"^# {name}=(.*)$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    environment = {"SECRET_KEY": "x", "DATA_DIR": ".local"}

    if name == "STATIC_ROOT":  # Relative to where a command is run; the default is not.
        value = str(ROOT / value)
    assert settings_with({**environment, name: value}) == settings_with(environment)


def test_the_example_filled_in_passes_the_deployment_check() -> None:
    environment = {"PATH": os.environ["PATH"], **example(), **FILLED_IN}
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]

    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)

    assert result.returncode == 0, result.stderr
