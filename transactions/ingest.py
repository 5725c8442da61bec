"""Accepting: from checked records to durable ones, one script call for a group of requests.

Group commit: while one call to Redis is under way, the requests that arrive gather, and the next
call carries them all. No timer: an idle system answers at once, a busy one in larger groups.
(The idea is that of PostgreSQL's and InnoDB's group commit of the log.)

A record is answered only once the script's answer is here, and what we ship runs Redis with
`appendfsync always`: the answer means that it is on disk.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Sequence
from contextvars import Context
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import NamedTuple
from weakref import WeakKeyDictionary

import redis.asyncio
import redis.exceptions
from django.conf import settings

from . import feed
from .crash_points import crash_point
from .lookups import lookups
from .queue import (
    ABSENT,
    BOOKS,
    FEED,
    INDEX,
    QUEUE,
    State,
    escape,
    intake_connection,
    script,
    stamp,
    state_from,
    text,
)

log = logging.getLogger(__name__)

# Records of one script call: an answer in about a millisecond, and Lua's unpack() ends at a few
# thousand values.
CALL_RECORDS_MAX = 1000
# How often a look-up that a flush has overtaken is repeated before the client is asked to.
STALE_TRIES = 5
# How old the last look at Redis' memory may be, in seconds.
MEMORY_LOOK_S = 0.1


class Record(NamedTuple):
    """A transaction as a client states it, checked. `amount` in the smallest unit; `created_at` aware."""

    transaction_id: str
    user: int
    amount: int
    status: str
    created_at: datetime | None


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


@dataclass(slots=True)
class Submission:
    """The records of one request on their way, and who waits for the outcomes."""

    records: Sequence[Record]
    request_id: str
    atomic: bool
    answer: "asyncio.Future[list[Outcome]]"
    outcomes: list[Outcome] = field(default_factory=list)


class Intake:
    """The accepting side of one event loop."""

    def __init__(self) -> None:
        self._redis = intake_connection()
        self._waiting: list[Submission] = []
        self._runner: asyncio.Task[None] | None = None
        self._generation = ""
        self._memory_looked_at = 0.0
        self._memory_full = False

    async def submit(self, records: Sequence[Record], request_id: str, *, atomic: bool) -> list[Outcome]:
        """Outcomes in the order of up to CALL_RECORDS_MAX records. Raises IntakeUnavailable.

        Each request waits for a future of its own, and the runner belongs to nobody: a client that
        goes away takes nothing of the others' with it.
        """
        answer: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        self._waiting.append(Submission(records, request_id, atomic, answer))
        if self._runner is None:
            # In no request's context: its log lines are those of a group.
            self._runner = asyncio.create_task(self._run(), context=Context())
        return await answer

    async def close(self) -> None:
        if self._runner is not None:
            await self._runner
        await self._redis.aclose()

    async def _run(self) -> None:
        try:
            while self._waiting:
                group = self._next_group()
                try:
                    await self._accept(group)
                except Exception as error:
                    self._refuse(group, error)
        finally:
            self._runner = None

    def _next_group(self) -> list[Submission]:
        """Those that wait, in order, as far as one call carries them; all-or-none ones alone."""
        size, count = 0, 0
        for submission in self._waiting:
            size += len(submission.records)
            if count and (submission.atomic or size > CALL_RECORDS_MAX):
                break
            count += 1
            if submission.atomic:
                break
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        return group

    def _refuse(self, group: list[Submission], error: Exception) -> None:
        if isinstance(error, redis.exceptions.OutOfMemoryError):
            error = IntakeUnavailable("The buffer is out of memory.", retry_after_s=5)
        elif isinstance(error, redis.exceptions.RedisError | OSError):
            names = " ".join(submission.request_id for submission in group[:100])
            log.error("Redis failed in the middle of accepting %s: %s", names, type(error).__name__)
            error = IntakeUnavailable("The buffer does not answer.")
        elif not isinstance(error, IntakeUnavailable):
            log.exception("Accepting failed", exc_info=error)
        for submission in group:
            if not submission.answer.done():
                submission.answer.set_exception(error)

    async def _accept(self, group: list[Submission]) -> None:
        await self._refuse_when_full()
        accepted_at = datetime.now(UTC)
        for _ in range(STALE_TRIES):
            states, missing, looked_up = await self._look_up(group)
            reply = await self._call(group, missing, states, looked_up, stamp(accepted_at))
            word, self._generation = reply[0].decode(), reply[1].decode()
            if word != "stale":
                break
        if word not in ("ok", "refused"):
            raise IntakeUnavailable(WHY[word], retry_after_s=1 if word == "stale" else 5)
        crash_point("ingest.after_push")
        self._hand_out(group, missing, reply, accepted_at)

    async def _look_up(self, group: list[Submission]) -> tuple[dict[str, str], set[int], str]:
        """Stored states by id, users that do not exist, and the generation this stands on ('' for none)."""
        if not self._generation:
            self._generation = text(await self._redis.hget(BOOKS, "generation")) or "0"
        generation = self._generation
        ids = [record.transaction_id for submission in group for record in submission.records]
        users = {record.user for submission in group for record in submission.records}
        found = await lookups.ask(ids, lookups.unknown_users(users))
        return ({}, set(), "") if found is None else (*found, generation)

    async def _call(
        self,
        group: list[Submission],
        missing: set[int],
        states: dict[str, str],
        looked_up: str,
        accepted_at: str,
    ) -> list[bytes]:
        atomic = group[0].atomic
        arguments: list[str | int] = [
            settings.MAX_QUEUE_LENGTH,
            "1" if atomic else "0",
            str(uuid.uuid4()),
            looked_up,
            feed.FEED_RECORDS,
        ]
        lines: list[str] = []
        held: list[str] = []
        for submission in group:
            rest = f"{accepted_at}\t{submission.request_id}"
            for transaction_id, user, amount, status, created_at in submission.records:
                if user in missing:
                    if atomic:  # nothing of it may be taken
                        return [b"refused", self._generation.encode(), b"0", b""]
                    continue
                escaped = escape(transaction_id)
                created = ABSENT if created_at is None else stamp(created_at)
                lines.append(f"1\t{escaped}\t{status}\t{user}\t{amount}\t{created}\t{rest}")
                if escaped in states:
                    held += (escaped, states[escaped])
        if not lines:
            return [b"ok", self._generation.encode(), b"0", b""]
        arguments += ("\n".join(lines), *held)
        crash_point("ingest.before_push")
        source, sha = script("accept")
        keys = (QUEUE, INDEX, BOOKS, FEED)
        try:
            return await self._redis.evalsha(sha, 4, *keys, *arguments)  # type: ignore[no-any-return]
        except redis.exceptions.NoScriptError:
            return await self._redis.eval(source, 4, *keys, *arguments)  # type: ignore[no-any-return]

    def _hand_out(
        self, group: list[Submission], missing: set[int], reply: list[bytes], accepted_at: datetime
    ) -> None:
        """Gives each request its outcomes and the feed the run of what was taken."""
        word, last = reply[0], int(reply[2])
        verdicts, known = iter(reply[3].decode()), iter(reply[5:])
        taken: list[Record] = []
        for submission in group:
            outcomes: list[Outcome] = []
            for record in submission.records:
                letter = Verdict.NO_USER.value if record.user in missing else next(verdicts, "H")
                if letter in TAKEN and word == b"refused":
                    letter = Verdict.HELD.value
                if letter == Verdict.CONFLICT:
                    outcomes.append(Outcome(Verdict.CONFLICT, state_from(next(known).decode())))
                    continue
                outcomes.append(OUTCOMES[letter])
                if letter in TAKEN:
                    taken.append(record)
            if not submission.answer.done():
                submission.answer.set_result(outcomes)
        if taken:
            feed.announce(reply[4].decode(), taken, last, accepted_at)

    async def _refuse_when_full(self) -> None:
        """Keeps a reserve below Redis' memory limit: over it, Celery could send no tick."""
        now = time.monotonic()
        if now - self._memory_looked_at > MEMORY_LOOK_S:
            memory = await self._redis.info("memory")
            limit = memory["maxmemory"]
            self._memory_full = bool(limit) and memory["used_memory"] > limit - settings.REDIS_RESERVE_BYTES
            self._memory_looked_at = now
        if self._memory_full:
            raise IntakeUnavailable("The buffer is near its memory limit.", retry_after_s=5)


WHY = {
    "full": "The queue is full.",
    "stale": "The transaction is being stored right now.",
    "emptying": "All transactions are being deleted.",
}

# One intake for each event loop that serves requests; see `serve_here`.
_intakes: "WeakKeyDictionary[asyncio.AbstractEventLoop, Intake]" = WeakKeyDictionary()


def serve_here() -> Intake:
    """The intake of the running loop, made at the first call; for the loop of a server, which lasts."""
    loop = asyncio.get_running_loop()
    if loop not in _intakes:
        _intakes[loop] = Intake()
    return _intakes[loop]


async def accept(records: Sequence[Record], request_id: str, *, atomic: bool = False) -> list[Outcome]:
    """Makes checked records durable: an outcome for each, in order.

    `atomic`: all or none, for at most CALL_RECORDS_MAX records. Raises IntakeUnavailable, which
    says nothing of what was taken. From synchronous code: `async_to_sync(accept)`; without a
    server's loop around it, the connection lives for the one call.
    """
    lasting = _intakes.get(asyncio.get_running_loop())
    intake = lasting or Intake()
    try:
        if len(records) <= CALL_RECORDS_MAX:  # no task of its own for each request
            outcomes = await intake.submit(records, request_id, atomic=atomic)
            crash_point("ingest.before_answer")
            return outcomes
        slices = [records[at : at + CALL_RECORDS_MAX] for at in range(0, len(records), CALL_RECORDS_MAX)]
        answers = await asyncio.gather(
            *(intake.submit(part, request_id, atomic=atomic) for part in slices), return_exceptions=True
        )
    finally:
        if lasting is None:
            await intake.close()
            await feed.drain()
    crash_point("ingest.before_answer")
    outcomes = []
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
        outcomes += answer
    return outcomes
