"""Packages: what is locked is listed with its licence, and what is listed is locked."""

import re

from tests.support.serving import ROOT

LOCK = (ROOT / "requirements.lock").read_text()
# Those that every machine installs, and those that only some do.
LOCKED = {
    name: bool(marker)
    for name, marker in re.findall(r"^([\w.-]+)==[^\s;]+( ;[^\\]+)? \\$", LOCK, re.MULTILINE)
}
ROWS = re.findall(r"^\| ([\w.-]+) +\| (.+?) +\|$", (ROOT / "docs" / "licences.md").read_text(), re.MULTILINE)
LISTED = {re.sub(r"[-_.]+", "-", name).lower(): licence for name, licence in ROWS if name != "Name"}
# Kinds that ask for no more than their notice, or, unchanged as they are here, nothing of ours.
KNOWN = re.compile(
    r"\b(MIT|MIT-0|BSD|BSD-\d-Clause|Apache|Apache-2\.0|PSF-2\.0|MPL|MPL-2\.0|Mozilla|ISC|TCL|ZPL-2\.1|LGPL"
    r"|Unlicense|Python Software Foundation)\b"
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
    entries = re.split(r"^(?=[\w.-]+==)", LOCK, flags=re.MULTILINE)[1:]

    assert {entry.partition("==")[0] for entry in entries} == LOCKED.keys()
    assert [entry for entry in entries if "--hash=sha256:" not in entry] == []
