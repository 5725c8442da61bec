"""Records of a file handed to intake in this process, and answered as the API answers a batch."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from rest_framework.exceptions import ValidationError

from ..client.api import BatchAnswer, PostingError
from ..importing.posting import Post
from ..intake import ingest
from ..intake.outcomes import TAKEN, Code, IntakeUnavailable, Outcome, Verdict, refusal_of
from ..metrics.counters import refused
from ..queue.records import Record
from ..serializers import RecordSerializer, record_of
from ..stores.per_loop import done_on_loop
from .watching import Watch

# So long a batch is tried while intake takes nothing: the queue is full, or a store is away.
PATIENCE_S = 120.0


def into_intake(pk: int, watch: Watch) -> Post:
    """What posts records of upload `pk`. It raises PostingError after PATIENCE_S without room, and what
    `watch` raises: nothing is posted after a cancel.
    """

    def post(records: Sequence[Mapping[str, Any]]) -> BatchAnswer:
        watch.before_posting()
        errors: list[dict[str, Any]] = []
        sound: list[tuple[int, Record]] = []
        serializer = RecordSerializer()
        for index, record in enumerate(records):
            try:
                sound.append((index, record_of(serializer.run_validation(dict(record)))))
            except ValidationError as error:
                errors.append({"index": index, "code": Code.INVALID.value, "errors": error.detail})
        if not sound:
            return _answer(sound, [], errors)
        outcomes, resent = _accepted([record for _, record in sound], f"upload-{pk}", watch)
        return replace(_answer(sound, outcomes, errors), resent=resent)

    return post


def _answer(
    sound: Sequence[tuple[int, Record]], outcomes: Sequence[Outcome], errors: list[dict[str, Any]]
) -> BatchAnswer:
    """As a client reads it; every refusal is told."""
    replays, accepted = set[int](), 0
    for (index, record), outcome in zip(sound, outcomes, strict=True):
        refusal = refusal_of(record, outcome)
        if refusal is not None:
            errors.append({"index": index, "code": refusal.code.value, "errors": refusal.errors})
        if outcome.verdict is Verdict.REPLAYED:
            replays.add(index)
        accepted += outcome.verdict in TAKEN
    conflicts = sum(error["code"] == Code.CONFLICT for error in errors)
    invalid = len(errors) - conflicts
    refused(Code.INVALID, invalid)
    refused(Code.CONFLICT, conflicts)
    return BatchAnswer(accepted, len(replays), conflicts, invalid, errors, replays=frozenset(replays))


def _accepted(records: Sequence[Record], request_id: str, watch: Watch) -> tuple[list[Outcome], bool]:
    """The outcomes, and whether there was a try before: what it brought in is answered as a replay now."""
    until, resent = time.monotonic() + PATIENCE_S, False
    while True:
        try:
            return done_on_loop(ingest.accept, records, request_id), resent
        except IntakeUnavailable as error:
            if time.monotonic() > until:
                raise PostingError(str(error)) from None
            resent = True
            time.sleep(error.retry_after_s)
            # Behind the wait: the file may have been removed, and everything else with it.
            watch.look_now()
