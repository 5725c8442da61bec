"""The README's promises: each names tests that there are."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECTION = (ROOT / "README.md").read_text().partition("\n## What we promise\n")[2].partition("\n## ")[0]
PROMISES = {int(row[1]): row[0] for row in re.finditer(r"^\| (\d+) \|.*$", SECTION, re.MULTILINE)}


def test_there_are_eleven() -> None:
    assert list(PROMISES) == list(range(1, 12))


@pytest.mark.parametrize("number", PROMISES)
def test_each_is_shown_by_tests_that_there_are(number: int) -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PROMISES[number])
    assert named
    for path, name in named:
        functions = {
            node.name
            for node in ast.parse((ROOT / path).read_text()).body
            if isinstance(node, ast.FunctionDef)
        }
        assert name in functions, f"{path}::{name}"
