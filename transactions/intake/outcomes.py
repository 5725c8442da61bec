"""What becomes of a record at the door, and how that is called."""

from enum import StrEnum
from typing import NamedTuple

from ..queue.records import State


class Verdict(StrEnum):
    """What became of a record at the door."""

    NEW = "N"
    SETTLES = "S"
    REPLAYED = "R"
    CONFLICT = "C"
    NO_USER = "U"
    # Right in itself, but not taken since another record of an all-or-none batch was refused.
    HELD = "H"


TAKEN = frozenset({Verdict.NEW, Verdict.SETTLES})


class Outcome(NamedTuple):
    """A verdict; for a conflict the state that was there first."""

    verdict: Verdict
    known: State | None = None


# Those that carry nothing further, made once: letters become outcomes a million times a minute.
OUTCOMES = {verdict.value: Outcome(verdict) for verdict in Verdict}


class IntakeUnavailable(Exception):
    """The transaction cannot be taken now; send the same again, which is safe."""

    def __init__(self, why: str, retry_after_s: int = 1) -> None:
        super().__init__(f"{why} Send the same again, which is safe.")
        self.retry_after_s = retry_after_s
