"""`manage.py test` runs pytest, so that there is one suite whichever command is used."""

import subprocess
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


class PytestRunner:
    """Django's TEST_RUNNER: labels are paths, pytest node ids, or dotted names."""

    def __init__(
        self, verbosity: int = 1, failfast: bool = False, keepdb: bool = False, keywords: str = "", **_: Any
    ) -> None:
        self.options = ["-q"] * (verbosity < 1) + ["-v"] * (verbosity > 1)
        self.options += ["--exitfirst"] * failfast + ["--reuse-db"] * keepdb
        if keywords:
            self.options += ["-k", keywords]

    @classmethod
    def add_arguments(cls, parser: ArgumentParser) -> None:
        parser.add_argument("--keepdb", action="store_true", help="pytest's --reuse-db.")
        parser.add_argument("-k", dest="keywords", default="", help="pytest's -k: names to select.")

    def run_tests(self, test_labels: list[str], **_: Any) -> int:
        """Run the labels, or everything; 0 when all passed, else pytest's exit status."""
        labels = [node_id(label) for label in test_labels]
        # A process of its own: settings are loaded here already, without the tests' servers.
        return subprocess.run([sys.executable, "-m", "pytest", *self.options, *labels], cwd=ROOT).returncode


def node_id(label: str) -> str:
    """`app.tests.Class.test` as pytest writes it, `app/tests.py::Class::test`; paths stay as they are."""
    if "::" in label or (ROOT / label).exists():
        return label
    parts = label.split(".")
    for length in range(len(parts), 0, -1):
        path = Path(*parts[:length])
        if (ROOT / path).is_dir() and length == len(parts):
            return str(path)
        if (ROOT / path.with_suffix(".py")).is_file():
            return "::".join([str(path.with_suffix(".py")), *parts[length:]])
    return label
