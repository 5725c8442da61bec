"""What the API says to a posted record or batch, for the REST views and the fast lane alike."""

from typing import Any, NamedTuple

from django.conf import settings

from ..access import rate_limits
from ..metrics.counters import refused
from ..queue.records import Record
from . import batches, ingest
from .outcomes import STATUS, Code, IntakeUnavailable, Verdict, refusal_of

# The body of every answer to one record that was accepted, now or before.
OBTAINED = {"message": "Transaction detail was obtained successfully."}
# Why what was posted is refused, by the status that the request gets for it; the metrics count these.
REASONS: dict[int, str] = {
    **{status: code for code, status in STATUS.items()},
    401: "unauthenticated",
    403: "forbidden",
    413: "too_large",
    415: Code.INVALID,
    429: "rate_limit",
    503: "unavailable",
}


class Answer(NamedTuple):
    """A status, a body to be rendered as JSON, and further headers."""

    status: int
    body: dict[str, Any]
    headers: dict[str, str]


ACCEPTED = Answer(200, OBTAINED, {})
REPLAYED = Answer(200, OBTAINED, {"Idempotent-Replayed": "true"})


def most_records(atomic: bool) -> int:
    """How many records one batch may hold; one that is all or none has to go in a single script call."""
    most: int = settings.MAX_BATCH_RECORDS
    return min(most, ingest.CALL_RECORDS_MAX) if atomic else most


async def to_record(record: Record, request_id: str) -> Answer:
    """Accepts one record and says what became of it."""
    try:
        (outcome,) = await ingest.accept([record], request_id)
    except IntakeUnavailable as error:
        return unavailable(error)
    refusal = refusal_of(record, outcome)
    if refusal is not None:
        refused(refusal.code)
        return Answer(STATUS[refusal.code], refusal.errors, {})
    return REPLAYED if outcome.verdict is Verdict.REPLAYED else ACCEPTED


async def to_batch(judged: batches.Judged, request_id: str, *, atomic: bool) -> Answer:
    """Accepts a batch and says what became of those that were not taken."""
    try:
        report = await batches.accept(judged, request_id, atomic=atomic)
    except IntakeUnavailable as error:
        return unavailable(error)
    refused(Code.INVALID, report.invalid)
    refused(Code.CONFLICT, report.conflicts)
    return Answer(report.status, report.as_dict(), {})


def unavailable(error: IntakeUnavailable) -> Answer:
    """503, which says nothing of what was taken; to send the same again is safe."""
    refused(REASONS[503])
    return Answer(503, {"detail": str(error)}, {"Retry-After": str(error.retry_after_s)})


def limited() -> Answer:
    """429; the headers, which say when to come again, are those of the caller's allowance."""
    refused(REASONS[429])
    return Answer(429, {"detail": rate_limits.REFUSED}, {})
