"""Many records in one request: each is judged on its own, or all of them together."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rest_framework import status
from rest_framework.exceptions import ParseError

from ..queue.records import Record
from ..serializers import NO_USER, RecordSerializer
from .ingest import accept as accept_records
from .outcomes import Outcome, Verdict

CONFLICT = "Differs from the transaction that was accepted with this transaction_id before."
HELD = "Not accepted, since another record of this batch was refused."


@dataclass(slots=True)
class BatchReport:
    """What became of a batch; `errors` lists only what was not accepted, by its place from 0."""

    accepted: int = 0
    duplicates: int = 0
    conflicts: int = 0
    invalid: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)
    status: int = status.HTTP_200_OK

    def as_dict(self) -> dict[str, Any]:
        return {
            "accepted": self.accepted,
            "duplicates": self.duplicates,
            "conflicts": self.conflicts,
            "invalid": self.invalid,
            "errors": sorted(self.errors, key=lambda error: error["index"]),
        }

    def refuse(self, index: int, transaction_id: Any, code: str, errors: Any) -> None:
        if not isinstance(transaction_id, str):
            transaction_id = None
        self.errors.append({"index": index, "transaction_id": transaction_id, "code": code, "errors": errors})


def differing(record: Record, outcome: Outcome) -> list[str]:
    """The names of the fields in which a refused record differs from what was accepted before."""
    known = outcome.known
    assert known is not None
    names = [name for name in ("user", "amount") if getattr(record, name) != getattr(known, name)]
    if record.created_at is not None and record.created_at != known.created_at:
        names.append("created_at")
    if not names:
        names.append("status")
    return names


def checked(documents: Sequence[Any], report: BatchReport) -> tuple[list[int], list[Record]]:
    """The records among `documents` and their places; the others are noted in the report."""
    places: list[int] = []
    records: list[Record] = []
    for index, document in enumerate(documents):
        if isinstance(document, Record):
            places.append(index)
            records.append(document)
            continue
        if isinstance(document, ParseError):
            report.refuse(index, None, "invalid", {"non_field_errors": [str(document.detail)]})
            continue
        serializer = RecordSerializer(data=document)
        if serializer.is_valid():
            places.append(index)
            records.append(serializer.record())
        else:
            given = document.get("transaction_id") if isinstance(document, dict) else None
            report.refuse(index, given, "invalid", serializer.errors)
    report.invalid = len(report.errors)
    return places, records


async def accept(documents: Sequence[Any], request_id: str, *, atomic: bool) -> BatchReport:
    """Takes what can be taken of `documents`, Records or parsed JSON; with `atomic` everything or nothing.

    Raises IntakeUnavailable, which says nothing of what was taken.
    """
    report = BatchReport()
    places, records = checked(documents, report)
    if atomic and report.errors:
        report.status = status.HTTP_400_BAD_REQUEST
        return report
    outcomes = await accept_records(records, request_id, atomic=atomic) if records else []
    for index, record, outcome in zip(places, records, outcomes, strict=True):
        _note(report, index, record, outcome)
    if atomic and report.errors:
        report.status = status.HTTP_400_BAD_REQUEST if report.invalid else status.HTTP_409_CONFLICT
    return report


def _note(report: BatchReport, index: int, record: Record, outcome: Outcome) -> None:
    match outcome.verdict:
        case Verdict.NEW | Verdict.SETTLES:
            report.accepted += 1
        case Verdict.REPLAYED:
            report.duplicates += 1
        case Verdict.CONFLICT:
            report.conflicts += 1
            errors = {name: [CONFLICT] for name in differing(record, outcome)}
            report.refuse(index, record.transaction_id, "conflict", errors)
        case Verdict.NO_USER:
            report.invalid += 1
            errors = {"user": [NO_USER.format(pk=record.user)]}
            report.refuse(index, record.transaction_id, "invalid", errors)
        case Verdict.HELD:
            report.refuse(index, record.transaction_id, "held", {"non_field_errors": [HELD]})
