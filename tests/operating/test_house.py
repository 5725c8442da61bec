"""What keeps the packages readable: a word means one thing, and what is a module's own stays at home."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.mutations import MUTATIONS, apply
from tests.faults.safeguards.mutation import Mutation
from tests.support.serving import ROOT

PACKAGES = ("transactions", "transaction_monitoring")
# Letters in a line of a template or a script: a change of a longer one is not seen when it is looked over.
LINE_MAX = 120
# Names that Django looks for, in as many places as there are.
OF_DJANGO = {"Meta", "Command", "Migration"}


def _modules(*packages: str) -> Iterator[tuple[Path, ast.Module]]:
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield path.relative_to(ROOT), ast.parse(path.read_text())


def test_no_two_classes_bear_one_name() -> None:
    places = defaultdict(list)
    for path, module in _modules(*PACKAGES):
        for node in ast.walk(module):
            if isinstance(node, ast.ClassDef) and node.name not in OF_DJANGO:
                places[node.name].append(f"{path}:{node.lineno}")
    assert len(places) > 100
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_no_class_bears_the_name_of_what_stands_for_a_type() -> None:
    """A type variable is read as a class is: of another module's class of that name one thinks first."""
    classes, variables = set(), set()
    for _, module in _modules(*PACKAGES):
        for node in ast.walk(module):
            if isinstance(node, ast.ClassDef):
                classes.add(node.name)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "TypeVar":
                variables.add(ast.literal_eval(node.args[0]))
    assert len(variables) > 2
    assert classes & variables == set()


def test_no_module_imports_what_another_keeps_to_itself() -> None:
    """A module may be private to its folder, as what commands share is; a name in it is not imported."""
    imported = [
        f"{path}:{node.lineno}: {name.name}"
        for path, module in _modules(*PACKAGES)
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom) and (node.level or (node.module or "").startswith(PACKAGES))
        for name in node.names
        if name.name.startswith("_")
    ]
    assert imported == []


def test_no_line_of_a_page_is_longer_than_one_reads() -> None:
    """As ruff has it of Python. A line that is one tag of Django's has no place at which it may end."""
    paths = [
        path for ending in ("html", "js") for path in sorted((ROOT / "transactions").rglob(f"*.{ending}"))
    ]
    assert len(paths) > 100
    long = [
        f"{path.relative_to(ROOT)}:{number}: {len(line)}"
        for path in paths
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if len(line) > LINE_MAX and not re.fullmatch(r"\s*\{%[^%]*%\}", line)
    ]
    assert long == []


def test_a_remark_of_a_page_ends_on_its_line() -> None:
    """Of one that goes on Django shows every word."""
    open_ended = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in sorted((ROOT / "transactions").rglob("*.html"))
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if line.count("{#") != line.count("#}")
    ]
    assert open_ended == []


def test_no_test_takes_anything_from_a_test_of_another_room() -> None:
    """What several rooms' tests begin with is in `tests.support`."""
    taken = [
        f"{path}:{node.lineno}: {node.module}"
        for path, module in _modules("tests")
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tests.")
        if ".test_" in str(node.module) and str(node.module).split(".")[1] != path.parts[1]
    ]
    assert taken == []


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_each_safeguard_that_is_taken_out_stands_in_the_code_once(mutation: Mutation, tmp_path: Path) -> None:
    copy = tmp_path / mutation.path
    copy.parent.mkdir(parents=True)
    whole = (ROOT / mutation.path).read_text()
    copy.write_text(whole)

    # It raises where what it takes out is not there, or more than once.
    apply(mutation, tmp_path)

    assert copy.read_text() != whole
