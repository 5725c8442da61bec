"""Packages: what is locked is listed with its licence, and what is listed is locked."""

import re
import subprocess

import pytest

from tests.support.serving import ROOT

# Each on top of those before it: the application, what `make run` adds, what files need, what the tests add,
# what `make machines` does.
LOCKS = {
    name: (ROOT / name).read_text()
    for name in (
        "requirements.lock",
        "requirements-private.lock",
        "requirements-files.lock",
        "requirements-dev.lock",
        "requirements-machines.lock",
    )
}
LINES = [
    (name, version, marker)
    for lock in LOCKS.values()
    for name, version, marker in re.findall(r"^([\w.-]+)==([^\s;]+)( ;[^\\]+)? \\$", lock, re.MULTILINE)
]
# Whether only some machines install it.
LOCKED = {
    name: all(marker for other, _, marker in LINES if other == name) for name in {name for name, *_ in LINES}
}
ROWS = re.findall(r"^\| ([\w.-]+) +\| (.+?) +\|$", (ROOT / "docs" / "licences.md").read_text(), re.MULTILINE)
LISTED = {re.sub(r"[-_.]+", "-", name).lower(): licence for name, licence in ROWS if name != "Name"}
# Kinds that ask for no more than their notice, or, unchanged as they are here, nothing of ours.
KNOWN = re.compile(
    r"\b(MIT|MIT-0|BSD|BSD-\d-Clause|Apache|Apache-2\.0|PSF-2\.0|MPL|MPL-2\.0|Mozilla|ISC|TCL|ZPL-2\.1|LGPL"
    r"|Unlicense|Public Domain|Python Software Foundation)\b"
)
# Told in the page's own words.
UNSAID = {"axe-playwright-python"}


def test_every_locked_package_is_listed_and_no_other() -> None:
    assert len(LOCKED) > 50
    assert LISTED.keys() - LOCKED.keys() == set()
    assert {name for name in LOCKED.keys() - LISTED.keys() if not LOCKED[name]} == set()


def test_a_licence_of_another_kind_is_looked_at_first() -> None:
    strange = {name for name, licence in LISTED.items() if not KNOWN.search(licence)}
    strange |= {name for name, licence in LISTED.items() if re.search(r"\b(A?GPL|SSPL|BUSL)", licence)}

    assert strange == UNSAID


def test_every_package_of_the_lock_has_a_hash() -> None:
    entries = [
        entry
        for lock in LOCKS.values()
        for entry in re.split(r"^(?=[\w.-]+==)", lock, flags=re.MULTILINE)[1:]
    ]

    assert {entry.partition("==")[0] for entry in entries} == LOCKED.keys()
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []


def test_a_package_of_several_locks_has_one_version_on_a_machine() -> None:
    versions = {name: {version for other, version, _ in LINES if other == name} for name in LOCKED}

    # The one that is of two kinds says in its markers which machine takes which.
    assert {name for name, found in versions.items() if len(found) > 1} == {"cbor2"}


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_in_the_lock_of_its_name(lock: str) -> None:
    named = (ROOT / lock).with_suffix(".txt").read_text()
    asked = re.findall(r"^[\w.-]+==\S+$", re.sub(r"\[\w+\]==", "==", named), flags=re.MULTILINE)

    assert len(asked) > 1
    locked = set(re.findall(r"^[\w.-]+==[^\s;]+", LOCKS[lock], re.MULTILINE))
    assert {pin.lower().replace("_", "-") for pin in asked} - locked == set()


@pytest.mark.parametrize(
    ("target", "installed"), [("run", list(LOCKS)[:2]), ("test", list(LOCKS)[:4]), ("check", list(LOCKS)[:4])]
)
def test_a_command_installs_what_it_needs_and_running_needs_no_tools(
    target: str, installed: list[str]
) -> None:
    planned = ["make", "--no-print-directory", "-n", target]
    recipe = subprocess.run(planned, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    (installation,) = [line for line in recipe.splitlines() if "dev.install" in line]
    _environment, *locks = installation.partition("dev.install ")[2].split()
    assert locks == installed
