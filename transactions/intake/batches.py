"""Many records in one request: each is judged on its own, or all of them together."""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from heapq import heappush, heappushpop
from typing import Any, NamedTuple

from rest_framework.exceptions import ParseError, ValidationError

from ..models import TRANSACTION_ID_CHARACTERS_MAX
from ..names import shortened
from ..queue.records import Record
from ..serializers import RecordSerializer, record_of
from . import ingest
from .outcomes import OUTCOMES, STATUS, TAKEN, Code, Refusal, Verdict, refusal_of

# Records of one batch that were not accepted and are told one by one; the others are counted.
ERRORS_TOLD_MAX = 100
# What becomes of each record of most batches.
ALL_NEW = OUTCOMES[Verdict.NEW]
# Outcomes that are told in one go, on the event loop.
PORTION = 250


@dataclass(slots=True)
class BatchReport:
    """What became of a batch; `told` has the first that were not accepted, by their indexes from 0."""

    accepted: int = 0
    duplicates: int = 0
    conflicts: int = 0
    invalid: int = 0
    held: int = 0
    # A heap with the last on top, each with its place, of which there is one at most.
    told: list[tuple[int, dict[str, Any]]] = field(default_factory=list)
    status: int = 200

    @property
    def refused(self) -> int:
        return self.conflicts + self.invalid + self.held

    def as_dict(self) -> dict[str, Any]:
        left_out = self.refused - len(self.told)
        return {
            "accepted": self.accepted,
            "duplicates": self.duplicates,
            "conflicts": self.conflicts,
            "invalid": self.invalid,
            "errors": [error for _, error in sorted(self.told, reverse=True)],
            **({"errors_left_out": left_out} if left_out else {}),
        }

    def refuse(self, index: int, transaction_id: Any, refusal: Refusal) -> None:
        """Notes that the record at `index` was not accepted, under its id where that is a string."""
        self.invalid += refusal.code is Code.INVALID
        self.conflicts += refusal.code is Code.CONFLICT
        self.held += refusal.code is Code.HELD
        known = isinstance(transaction_id, str)
        id = shortened(transaction_id, TRANSACTION_ID_CHARACTERS_MAX) if known else None
        error = {"index": index, "transaction_id": id, "code": refusal.code, "errors": refusal.errors}
        if len(self.told) < ERRORS_TOLD_MAX:
            heappush(self.told, (-index, error))
        else:
            heappushpop(self.told, (-index, error))


class Judged(NamedTuple):
    """The right records of a batch and their indexes in it; the report has those that are not."""

    records: Sequence[Record]
    indexes: Sequence[int]
    report: BatchReport


def judge(items: Iterable[Any]) -> Judged:
    """Which of `items` (Records, parsed JSON, ParseErrors) are records. Slow where many are not: no event
    loop is to wait for it.
    """
    indexes: list[int] = []
    records: list[Record] = []
    report = BatchReport()
    telling, untold = RecordSerializer(), RecordSerializer(context={"names_told": False})
    for index, item in enumerate(items):
        if isinstance(item, ParseError):
            report.refuse(index, None, Refusal(Code.INVALID, {"non_field_errors": [str(item.detail)]}))
            continue
        # Those before it come first: of what is not told no names need be compared.
        serializer = telling if len(report.told) < ERRORS_TOLD_MAX else untold
        try:
            record = item if isinstance(item, Record) else record_of(serializer.run_validation(item))
        except ValidationError as error:
            given = item.get("transaction_id") if isinstance(item, dict) else None
            report.refuse(index, given, Refusal(Code.INVALID, _by_field(error.detail)))
            continue
        indexes.append(index)
        records.append(record)
    return Judged(records, indexes, report)


def all_right(records: Sequence[Record]) -> Judged:
    """The same of a batch that holds nothing but records."""
    return Judged(records, range(len(records)), BatchReport())


async def accept(judged: Judged, request_id: str, *, atomic: bool) -> BatchReport:
    """Takes what can be taken of a batch; with `atomic` everything or nothing.

    Raises IntakeUnavailable, which says nothing of what was taken.
    """
    records, indexes, report = judged
    if atomic and report.invalid:
        report.status = STATUS[Code.INVALID]
        return report
    outcomes = await ingest.accept(records, request_id, atomic=atomic) if records else []
    if outcomes.count(ALL_NEW) == len(outcomes):  # as nearly always
        report.accepted = len(outcomes)
        return report
    for done, (index, record, outcome) in enumerate(zip(indexes, records, outcomes, strict=True), 1):
        if done % PORTION == 0:
            await asyncio.sleep(0)  # ten thousand conflicts would hold up everybody for half a second
        if outcome.verdict in TAKEN:
            report.accepted += 1
        elif (refusal := refusal_of(record, outcome)) is not None:
            report.refuse(index, record.transaction_id, refusal)
        else:
            report.duplicates += 1
    if atomic and report.refused:
        report.status = STATUS[Code.INVALID if report.invalid else Code.CONFLICT]
    return report


def _by_field(detail: Any) -> dict[str, Any]:
    """What is wrong with a record, by field; null, which has none, is told as the serializer does."""
    return detail if isinstance(detail, dict) else {"non_field_errors": ["No data provided"]}
