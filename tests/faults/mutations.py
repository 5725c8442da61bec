"""Fault 23: takes out one safeguard at a time and shows that the tests notice.

    python -m tests.faults.mutations [WORD]   (only those whose name contains WORD)

Each mutation of `tests/faults/safeguards/` is an exact replacement in a scratch copy of the tree; a text
that is no longer there is an error, so that these lists keep up with the code. The status is 1 if a
mutation survives.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .safeguards import alerts, books, intake, notifications, processes, replicas, rules, storing
from .safeguards.mutation import FAST, Mutation

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = (".git", ".venv", ".local", "__pycache__", ".*_cache", ".hypothesis", "staticfiles")
CACHE = ROOT / ".pytest_cache"
# Two at a time: most of a run is waiting.
AT_ONCE = 2
RUN_S_MAX = 400
MUTATIONS = tuple(
    mutation
    for room in (intake, storing, replicas, books, rules, alerts, notifications, processes)
    for mutation in room.MUTATIONS
)


def try_out(mutation: Mutation | None) -> tuple[Mutation | None, str]:
    """Runs the tests of a mutation, or all fast ones of the tree as it is; the test that failed, else ""."""
    with tempfile.TemporaryDirectory(prefix="mutation-") as scratch:
        tree = Path(scratch) / "tree"
        shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*LEFT_OUT))
        # With the cluster that is kept there: most mutations change nothing of what it is made from.
        CACHE.mkdir(exist_ok=True)
        (tree / CACHE.name).symlink_to(CACHE)
        if mutation is not None:
            apply(mutation, tree)
        tests = FAST if mutation is None else mutation.tests
        command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
        try:
            result = subprocess.run(command, cwd=tree, capture_output=True, text=True, timeout=RUN_S_MAX)
        except subprocess.TimeoutExpired:
            return mutation, f"(a run without an end, cut off after {RUN_S_MAX} s)"
        if result.returncode == 0:
            return mutation, ""
        found = re.search(r"^(?:FAILED|ERROR) (\S.*?)(?: - .*)?$", result.stdout, re.MULTILINE)
        if result.returncode != 1 or found is None:
            raise SystemExit(f"the tests did not run (status {result.returncode}):\n{result.stdout[-3000:]}")
        return mutation, found[1]


def apply(mutation: Mutation, tree: Path) -> None:
    """Takes the safeguard out of a copy. Ends the run where the list is out of step with the code."""
    file = tree / mutation.path
    text = file.read_text()
    if text.count(mutation.old) != 1:
        count = text.count(mutation.old)
        raise SystemExit(f"{mutation.name}: {count} times in {mutation.path}, not once: {mutation.old!r}")
    file.write_text(text.replace(mutation.old, mutation.new))


def main() -> int:
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    chosen = [mutation for mutation in MUTATIONS if word in mutation.name]
    for mutation in MUTATIONS:
        with tempfile.TemporaryDirectory() as scratch:
            copy = Path(scratch) / mutation.path
            copy.parent.mkdir(parents=True)
            shutil.copy(ROOT / mutation.path, copy)
            apply(mutation, Path(scratch))
    if failed := try_out(None)[1]:
        print(f"The tests fail as it is: {failed}", file=sys.stderr)
        return 1
    survivors = 0
    began = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for mutated, caught_by in pool.map(try_out, chosen):
            assert mutated is not None
            survivors += not caught_by
            print(f"{mutated.name:55} {caught_by or 'SURVIVED'}", flush=True)
    print(f"{len(chosen)} mutations, {survivors} survived, {time.monotonic() - began:.0f} s")
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
