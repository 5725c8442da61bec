"""A safeguard, and what takes its place."""

from typing import NamedTuple

FAST = (
    "tests/storing/test_safeguards.py",
    "tests/intake/test_safeguards.py",
    "tests/queue/test_waiting.py",
    "tests/storing/test_flush.py",
    "tests/intake/test_ingest.py",
    "tests/books/test_balance.py",
)
FAULTS = "tests/faults"


class Mutation(NamedTuple):
    """A safeguard, where it stands, what it is replaced by, and the tests that are to notice.

    `tests` are pytest's arguments; none means the fast suite.
    """

    name: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...] = FAST


def fault(words: str) -> tuple[str, ...]:
    return (FAULTS, "-k", words)
