"""What becomes of a record at the door, and what a client is told of it."""

from enum import StrEnum
from typing import Any, NamedTuple

from ..fields import NO_USER
from ..queue.records import Record, State

UNREADABLE = "What was accepted with this transaction_id before cannot be read."
CONFLICT = "Differs from the transaction that was accepted with this transaction_id before."
HELD = "Not accepted, since another record of this batch was refused."
# What a client is told where the script has accepted nothing, by the script's word.
UNAVAILABLE = {
    "full": "The queue is full.",
    "stale": "The transaction is being stored right now.",
    "emptying": "All transactions are being deleted.",
}
UNCONFIRMED = "The buffer is on too few disks."


class Verdict(StrEnum):
    """What became of a record at the door; `accept.lua` answers with the first four letters."""

    NEW = "N"
    SETTLES = "S"
    REPLAYED = "R"
    CONFLICT = "C"
    NO_USER = "U"
    # Right in itself, but not taken since another record of an all-or-none batch was refused.
    HELD = "H"


TAKEN = frozenset({Verdict.NEW, Verdict.SETTLES})


class Outcome(NamedTuple):
    """A verdict; for a conflict the state that was there first, None where that cannot be read."""

    verdict: Verdict
    known: State | None = None


# Those that carry nothing further, made once: letters become outcomes a million times a minute.
OUTCOMES = {verdict.value: Outcome(verdict) for verdict in Verdict}


class Code(StrEnum):
    """Why a record was not accepted, in a word: in a batch's report, and in the metrics."""

    INVALID = "invalid"
    CONFLICT = "conflict"
    HELD = "held"


# The status of a request that is refused for such a record.
STATUS = {Code.INVALID: 400, Code.CONFLICT: 409}


class Refusal(NamedTuple):
    """Why a record was not accepted: in a word, and in sentences by field."""

    code: Code
    errors: dict[str, Any]


def refusal_of(record: Record, outcome: Outcome) -> Refusal | None:
    """What the client is told of a record that was not accepted; None where it was, now or before."""
    match outcome.verdict:
        case Verdict.NEW | Verdict.SETTLES | Verdict.REPLAYED:
            return None
        case Verdict.CONFLICT:
            if outcome.known is None:
                return Refusal(Code.CONFLICT, {"transaction_id": [UNREADABLE]})
            return Refusal(Code.CONFLICT, {name: [CONFLICT] for name in _differing(record, outcome.known)})
        case Verdict.NO_USER:
            return Refusal(Code.INVALID, {"user": [NO_USER.format(pk=record.user)]})
        case Verdict.HELD:
            return Refusal(Code.HELD, {"non_field_errors": [HELD]})


def _differing(record: Record, known: State) -> list[str]:
    """The fields in which a record differs from what was accepted before; the status where no other does."""
    names = [name for name in ("user", "amount") if getattr(record, name) != getattr(known, name)]
    # A record in another state may have a time of its own.
    if record.status == known.status and record.created_at not in (
        None,
        known.settled_as_of,
        known.created_at,
    ):
        names.append("created_at")
    return names or ["status"]


class IntakeUnavailable(Exception):
    """The transaction cannot be taken now; send the same again, which is safe."""

    def __init__(self, why: str, retry_after_s: int = 1) -> None:
        super().__init__(f"{why} Send the same again, which is safe.")
        self.retry_after_s = retry_after_s
