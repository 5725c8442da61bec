"""Rejected records: accepted once, refused at the flush, kept until an operator decides.

A replay accepts the record anew, as if it were posted again; only once Redis has it is the row resolved.
Rows are locked meanwhile: of two operators at once the second finds the first's work done. A crash
between the two leaves the row open, and the next replay finds the record accepted already.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from ..audit.actions import Action
from ..audit.entries import note
from ..models import RejectedRecord
from ..queue.records import ABSENT, FIELDS, Record, unescape
from ..serializers import RecordSerializer
from ..stores.per_loop import done_on_loop
from .ingest import CALL_RECORDS_MAX, accept
from .outcomes import IntakeUnavailable, Outcome, Refusal, Verdict, refusal_of

# The request id of a replayed record.
REQUEST_ID = "replay"
# Records left open that a report names one by one; the others it counts.
NAMED_MAX = 1000

Resolution = RejectedRecord.Resolution
NOTED = {Resolution.REPLAYED: Action.RECORD_REPLAYED, Resolution.DISCARDED: Action.RECORD_DISCARDED}


class LeftOpen(NamedTuple):
    """A rejected record (its primary key) for which nothing could be done, and why."""

    id: int
    transaction_id: str
    why: str


@dataclass(slots=True)
class ResolutionReport:
    """What became of the records: `done` now, `before` (by somebody else, earlier), `failed`."""

    done: int = 0
    before: int = 0
    failed: int = 0
    named: list[LeftOpen] = field(default_factory=list)

    def leave(self, row: RejectedRecord, why: str) -> None:
        self.failed += 1
        if len(self.named) < NAMED_MAX:
            self.named.append(LeftOpen(row.pk, row.transaction_id, why))


class Unreadable(ValueError):
    """The raw bytes are not a record that may be accepted."""


class Replayable(NamedTuple):
    """A row, the record that it holds, and whether its client gave a created_at."""

    row: RejectedRecord
    record: Record
    dated: bool


def open_records() -> QuerySet[RejectedRecord]:
    """The records that nobody has decided on, newest first."""
    return RejectedRecord.objects.filter(resolution="").order_by("-pk")


def replay(records: QuerySet[RejectedRecord]) -> ResolutionReport:
    """Accepts `records` anew and resolves those that were taken; in the order in which they were refused.

    A record that was taken again meanwhile is resolved too. Those that are unreadable, whose user
    is missing, or that differ from what was accepted since stay open. So does everything that is
    left once Redis does not take more. Raises django.db.Error.
    """
    return _resolve(records, Resolution.REPLAYED, _replay)


def discard(records: QuerySet[RejectedRecord]) -> ResolutionReport:
    """Resolves `records` as not to be stored; the rows are kept. Raises django.db.Error."""
    return _resolve(records, Resolution.DISCARDED, lambda rows, _: rows)


def _called(rows: Sequence[RejectedRecord]) -> str:
    return f"rejected record {rows[0].pk}" if len(rows) == 1 else f"{len(rows)} rejected records"


Worker = Callable[[list[RejectedRecord], ResolutionReport], list[RejectedRecord]]


def _resolve(records: QuerySet[RejectedRecord], resolution: Resolution, work: Worker) -> ResolutionReport:
    report = ResolutionReport()
    for keys in _slices(records):
        with transaction.atomic():
            rows = list(RejectedRecord.objects.filter(pk__in=keys).order_by("pk").select_for_update())
            done = work(_still_open(rows, resolution, report), report)
            report.done += RejectedRecord.objects.filter(
                pk__in=[row.pk for row in done], resolution=""
            ).update(resolution=resolution, resolved_at=timezone.now())
            if done:
                note(NOTED[resolution], _called(done), records=[row.pk for row in done])
    return report


def _slices(records: QuerySet[RejectedRecord]) -> Iterator[list[int]]:
    """Primary keys, ascending, as many at a time as one call to Redis carries."""
    keys, last = records.order_by("pk").values_list("pk", flat=True), 0
    while found := list(keys.filter(pk__gt=last)[:CALL_RECORDS_MAX]):
        yield found
        last = found[-1]


def _still_open(
    rows: list[RejectedRecord], wanted: Resolution, report: ResolutionReport
) -> list[RejectedRecord]:
    left = []
    for row in rows:
        if not row.resolution:
            left.append(row)
        elif row.resolution == wanted:
            report.before += 1
        else:
            report.leave(row, f"was {row.resolution.lower()} before")
    return left


def _replay(rows: list[RejectedRecord], report: ResolutionReport) -> list[RejectedRecord]:
    """Those of the open `rows` that were taken."""
    ready = []
    for row in rows:
        try:
            record, dated = _record(bytes(row.raw))
            ready.append(Replayable(row, record, dated))
        except Unreadable as error:
            report.leave(row, f"unreadable: {error}")
    try:
        outcomes = _accept([replayable.record for replayable in ready])
        again = [
            place
            for place, (replayable, outcome) in enumerate(zip(ready, outcomes, strict=True))
            if outcome.verdict is Verdict.CONFLICT and not replayable.dated
        ]
        # Whoever gave no created_at does not contradict another one: only the fresh date did.
        undated = [ready[place].record._replace(created_at=None) for place in again]
        for place, record, outcome in zip(again, undated, _accept(undated), strict=True):
            ready[place], outcomes[place] = ready[place]._replace(record=record), outcome
    except IntakeUnavailable as error:
        for replayable in ready:
            report.leave(replayable.row, str(error))
        return []
    return _taken(ready, outcomes, report)


def _accept(records: Sequence[Record]) -> list[Outcome]:
    return done_on_loop(accept, records, REQUEST_ID) if records else []


def _taken(
    ready: list[Replayable], outcomes: list[Outcome], report: ResolutionReport
) -> list[RejectedRecord]:
    taken = []
    for (row, record, _), outcome in zip(ready, outcomes, strict=True):
        refusal = refusal_of(record, outcome)
        if refusal is None:
            taken.append(row)
        else:
            report.leave(row, _why(record, outcome.verdict, refusal))
    return taken


def _why(record: Record, verdict: Verdict, refusal: Refusal) -> str:
    """What an operator is told: in the words of the flush, which has refused the record before."""
    match verdict:
        case Verdict.NO_USER:
            return f"user {record.user} does not exist"
        case Verdict.CONFLICT:
            return f"differs from the transaction that was accepted since: {', '.join(refusal.errors)}"
        case _:
            return "; ".join(sentence for sentences in refusal.errors.values() for sentence in sentences)


def _record(raw: bytes) -> tuple[Record, bool]:
    """The record in a queued line and whether it was dated by its client. Raises Unreadable.

    It passes the same checks as at the door, since it may have got into the queue beside it. The
    client was told that it was accepted then, so that is its date where it bears no other.
    """
    found = FIELDS.fullmatch(raw)
    if found is None:
        raise Unreadable("not in the form of a queued record")
    try:
        fields = {name: value.decode() for name, value in found.groupdict().items()}
    except UnicodeDecodeError as error:
        raise Unreadable("not UTF-8") from error
    dated = fields["created_at"] != ABSENT
    created_at = fields["created_at"] if dated else fields["accepted_at"]
    given: dict[str, object] = {name: fields[name] for name in ("user", "amount", "status")}
    given |= {"transaction_id": unescape(fields["transaction_id"]), "created_at": created_at}
    serializer = RecordSerializer(data=given)
    if not serializer.is_valid():
        wrong = "; ".join(f"{name}: {errors[0]}" for name, errors in serializer.errors.items())
        raise Unreadable(wrong)
    return serializer.record(), dated
