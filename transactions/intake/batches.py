"""Many records in one request: each is judged on its own, or all of them together."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rest_framework.exceptions import ParseError

from ..queue.records import Record
from ..serializers import RecordSerializer
from . import ingest
from .outcomes import STATUS, TAKEN, Code, Refusal, refusal_of


@dataclass(slots=True)
class BatchReport:
    """What became of a batch; `errors` lists only what was not accepted, by its index in the batch."""

    accepted: int = 0
    duplicates: int = 0
    conflicts: int = 0
    invalid: int = 0
    errors: list[dict[str, Any]] = field(default_factory=list)
    status: int = 200

    def as_dict(self) -> dict[str, Any]:
        return {
            "accepted": self.accepted,
            "duplicates": self.duplicates,
            "conflicts": self.conflicts,
            "invalid": self.invalid,
            "errors": sorted(self.errors, key=lambda error: error["index"]),
        }

    def refuse(self, index: int, transaction_id: Any, refusal: Refusal) -> None:
        """Notes that the record at `index` was not accepted, under its id where that is a string."""
        self.invalid += refusal.code is Code.INVALID
        self.conflicts += refusal.code is Code.CONFLICT
        id = transaction_id if isinstance(transaction_id, str) else None
        self.errors.append(
            {"index": index, "transaction_id": id, "code": refusal.code, "errors": refusal.errors}
        )


def checked(documents: Sequence[Any], report: BatchReport) -> tuple[list[int], list[Record]]:
    """The records among `documents` and their indexes; the others are refused in the report."""
    indexes: list[int] = []
    records: list[Record] = []
    for index, document in enumerate(documents):
        if isinstance(document, Record):
            indexes.append(index)
            records.append(document)
            continue
        if isinstance(document, ParseError):
            report.refuse(index, None, Refusal(Code.INVALID, {"non_field_errors": [str(document.detail)]}))
            continue
        serializer = RecordSerializer(data=document)
        if serializer.is_valid():
            indexes.append(index)
            records.append(serializer.record())
        else:
            given = document.get("transaction_id") if isinstance(document, dict) else None
            report.refuse(index, given, Refusal(Code.INVALID, serializer.errors))
    return indexes, records


async def accept(documents: Sequence[Any], request_id: str, *, atomic: bool) -> BatchReport:
    """Takes what can be taken of a batch; with `atomic` everything or nothing.

    `documents` are Records, parsed JSON, or the ParseErrors of lines that are no JSON. Raises
    IntakeUnavailable, which says nothing of what was taken.
    """
    report = BatchReport()
    indexes, records = checked(documents, report)
    if atomic and report.errors:
        report.status = STATUS[Code.INVALID]
        return report
    outcomes = await ingest.accept(records, request_id, atomic=atomic) if records else []
    for index, record, outcome in zip(indexes, records, outcomes, strict=True):
        if outcome.verdict in TAKEN:
            report.accepted += 1
        elif (refusal := refusal_of(record, outcome)) is not None:
            report.refuse(index, record.transaction_id, refusal)
        else:
            report.duplicates += 1
    if atomic and report.errors:
        report.status = STATUS[Code.INVALID if report.invalid else Code.CONFLICT]
    return report
