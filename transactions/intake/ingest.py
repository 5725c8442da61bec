"""Accepting: from checked records to durable ones, one script call for a group of requests.

Group commit: while one call to Redis is under way, the requests that arrive gather, and the next
call carries them all; PostgreSQL is asked about them meanwhile. No timer: an idle system answers at
once, a busy one in larger groups.
(The idea is that of PostgreSQL's and InnoDB's group commit of the log.)

A request is answered only once the script has answered. The Redis that we ship has `appendfsync always`:
by then the records are on disk. Where sentinels tell the primary, each replica that counts has said so too.
"""

import asyncio
import logging
import time
import uuid
from collections.abc import Iterator, Sequence
from contextvars import Context
from dataclasses import dataclass, field
from datetime import UTC, datetime

import redis.asyncio
import redis.exceptions
from django.conf import settings

from ..live import feed
from ..metrics.counters import unconfirmed
from ..queue.keys import BOOKS, FEED, INDEX, QUEUE
from ..queue.records import Record, lines_of, read_state, stamp
from ..stores import confirmation
from ..stores.crash_points import crash_point
from ..stores.per_loop import PerLoop
from ..stores.redis_connection import close, intake_connection, text
from ..stores.redis_memory import memory_from
from ..stores.scripts import lua
from .lookups import lookups
from .outcomes import OUTCOMES, TAKEN, UNAVAILABLE, UNCONFIRMED, IntakeUnavailable, Outcome, Verdict

log = logging.getLogger(__name__)

# Records of one script call. It keeps Redis from everybody else for about a millisecond; and Lua's
# unpack() fails at a few thousand values.
CALL_RECORDS_MAX = 1000
ACCEPT = lua(__file__, "accept")
KEYS = (QUEUE, INDEX, BOOKS, FEED)
# A flush may overtake a look-up, which is then made again, so many times before the client is told 503.
STALE_TRIES = 5
# Lines are written before the moment of acceptance is known. This stands in its place: no id holds a
# control character, so nothing else is replaced.
MOMENT = "\0"
# Seconds between two looks at Redis' memory.
MEMORY_LOOK_S = 0.1
MEMORY_ASK_AGAIN_S = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """What PostgreSQL said of a group: stored states by id, and users that do not exist.

    `generation` is Redis' count of releases from before the look-up. If it has moved on by the time of the
    script call, an id may have left Redis unseen: the script answers "stale". "" where PostgreSQL was silent.
    """

    states: dict[str, str]
    missing: set[int]
    generation: str


@dataclass(slots=True)
class Submission:
    """The records of one request on their way, and the future on which the request waits."""

    records: Sequence[Record]
    request_id: str
    atomic: bool
    answer: "asyncio.Future[list[Outcome]]"
    # The records as they will be queued, in order, but for the moment of acceptance.
    lines: list[str] = field(default_factory=list)
    known: Known = Known({}, set(), "")

    def write_lines(self) -> None:
        self.lines = lines_of(self.records, MOMENT, self.request_id)

    def possible(self) -> list[str]:
        """The lines whose users exist: the script knows nothing of users."""
        if not self.known.missing:
            return self.lines
        both = zip(self.records, self.lines, strict=True)
        return [line for record, line in both if record.user not in self.known.missing]


class Intake:
    """The accepting side of one event loop: two stages, each of which carries all that waits for it.

    While the script judges one group, PostgreSQL is asked about the next.
    """

    def __init__(self) -> None:
        self._redis = intake_connection()
        self._script = self._redis.register_script(ACCEPT)
        self._arrived: list[Submission] = []
        self._looked_up: list[Submission] = []
        self._asking: asyncio.Task[None] | None = None
        self._calling: asyncio.Task[None] | None = None
        self._generation = ""
        self._memory_looked_at = 0.0
        self._memory_full = False

    async def submit(self, records: Sequence[Record], request_id: str, *, atomic: bool) -> list[Outcome]:
        """Outcomes in the order of up to CALL_RECORDS_MAX records. Raises IntakeUnavailable.

        Each request waits for a future of its own, and the stages run in tasks that belong to no request:
        one whose client goes away is cancelled, and the others of its group go on.
        """
        answer: asyncio.Future[list[Outcome]] = asyncio.get_running_loop().create_future()
        self._arrived.append(Submission(records, request_id, atomic, answer))
        if self._asking is None:
            # In an empty context: its log lines are about a group, and bear no request's id.
            self._asking = asyncio.create_task(self._ask(), context=Context())
        return await answer

    async def close(self) -> None:
        while task := self._asking or self._calling:
            await task
        await close(self._redis)

    async def _ask(self) -> None:
        """The first stage: asks PostgreSQL about one group after the other."""
        try:
            while self._arrived:
                group = _first(self._arrived)
                try:
                    await self._look_up(group)
                except Exception as error:
                    self._refuse(group, error)
                    continue
                self._looked_up += group
                if self._calling is None:
                    self._calling = asyncio.create_task(self._call_all(), context=Context())
        finally:
            self._asking = None

    async def _call_all(self) -> None:
        """The second stage: calls the script for one group after the other."""
        try:
            while self._looked_up:
                group = _first(self._looked_up, apart=True)
                try:
                    await self._accept(group)
                except Exception as error:
                    self._refuse(group, error)
        finally:
            self._calling = None

    def _refuse(self, group: list[Submission], error: Exception) -> None:
        """Ends the wait of every request of the group with the error."""
        if isinstance(error, redis.exceptions.OutOfMemoryError):
            error = IntakeUnavailable("The buffer is out of memory.", retry_after_s=5)
        elif isinstance(error, confirmation.Unconfirmed):
            log.error("Not acknowledged: %s", error)
            error = IntakeUnavailable(UNCONFIRMED)
        elif isinstance(error, redis.exceptions.RedisError | OSError):
            names = " ".join(submission.request_id for submission in group[:100])
            log.error("Redis failed in the middle of accepting %s: %s", names, type(error).__name__)
            error = IntakeUnavailable("The buffer does not answer.")
        elif not isinstance(error, IntakeUnavailable):
            log.exception("Accepting failed", exc_info=error)
        for submission in group:
            if not submission.answer.done():
                submission.answer.set_exception(error)

    async def _look_up(self, group: list[Submission]) -> None:
        if not self._generation:
            self._generation = text(await self._redis.hget(BOOKS, "generation")) or "0"
        generation = self._generation
        ids = [record.transaction_id for submission in group for record in submission.records]
        users = lookups.unknown_users({record.user for submission in group for record in submission.records})
        question = asyncio.ensure_future(lookups.ask(ids, users))
        # The question goes out now; while PostgreSQL looks, the lines are written.
        await asyncio.sleep(0)
        for submission in group:
            submission.write_lines()
        found = await question
        known = Known({}, set(), "") if found is None else Known(*found, generation)
        for submission in group:
            submission.known = known

    async def _accept(self, group: list[Submission]) -> None:
        if confirmation.lacking():
            unconfirmed()
            raise IntakeUnavailable(UNCONFIRMED)
        await self._refuse_when_full()
        accepted_at = stamp(datetime.now(UTC))
        for _ in range(STALE_TRIES):
            reply = await self._call(group, accepted_at)
            word, self._generation = reply[0].decode(), text(reply[1])
            if word != "stale":
                break
            await self._look_up(group)
        if word not in ("ok", "refused"):
            raise IntakeUnavailable(UNAVAILABLE[word], retry_after_s=1 if word == "stale" else 5)
        crash_point("ingest.after_push")
        self._hand_out(group, reply, accepted_at)

    async def _call(self, group: list[Submission], accepted_at: str) -> list[bytes]:
        """The script's reply: see accept.lua."""
        atomic = group[0].atomic
        lines = [line for submission in group for line in submission.possible()]
        # Where no user exists, or one is missing of an all-or-none request, there is nothing to call for.
        if not lines or (atomic and len(lines) < len(group[0].records)):
            return [b"refused" if atomic else b"ok", self._generation.encode(), b"0", b"", b""]
        arguments: list[str | int] = [
            settings.MAX_QUEUE_LENGTH,
            "1" if atomic else "0",
            str(uuid.uuid4()),
            group[0].known.generation,
            feed.FEED_RECORDS,
            "\n".join(lines).replace(MOMENT, accepted_at),
            "1" if confirmation.is_asked_for() else "",
        ]
        for known in dict.fromkeys(submission.known for submission in group):
            for held in known.states.items():
                arguments += held
        crash_point("ingest.before_push")
        if confirmation.is_asked_for():
            return await confirmation.accept_confirmed(self._redis, ACCEPT, KEYS, arguments)  # type: ignore[no-any-return]
        return await self._script(KEYS, arguments)  # type: ignore[no-any-return]

    def _hand_out(self, group: list[Submission], reply: list[bytes], accepted_at: str) -> None:
        """Ends the wait of each request with its outcomes, and announces what was taken."""
        word, last = reply[0], int(reply[2])
        all_new = word == b"ok" and not reply[3].strip(b"N")
        verdicts, states = iter(reply[3].decode()), iter(reply[5:])
        taken: list[Record] = []
        for submission in group:
            if all_new and not submission.known.missing:
                outcomes = [OUTCOMES["N"]] * len(submission.records)
                taken += submission.records
            else:
                outcomes = _outcomes(submission, verdicts, states, refused=word == b"refused")
                both = zip(submission.records, outcomes, strict=True)
                taken += [record for record, outcome in both if outcome.verdict in TAKEN]
            if not submission.answer.done():
                submission.answer.set_result(outcomes)
        if taken:
            feed.announce(text(reply[4]), taken, last, accepted_at)

    async def _refuse_when_full(self) -> None:
        """Keeps a reserve below Redis' memory limit. Over it Redis takes no message of Celery's either, so
        no flush would run and the queue would stay full. Raises IntakeUnavailable.
        """
        now = time.monotonic()
        if now - self._memory_looked_at > MEMORY_LOOK_S:
            memory = await memory_from(lambda: self._redis.info("memory"))
            self._memory_full = memory is not None and memory.near(settings.REDIS_RESERVE_BYTES)
            # A Redis that does not tell is asked again, but seldom.
            self._memory_looked_at = now + (MEMORY_ASK_AGAIN_S if memory is None else 0)
        if self._memory_full:
            raise IntakeUnavailable("The buffer is near its memory limit.", retry_after_s=5)


def _first(waiting: list[Submission], *, apart: bool = False) -> list[Submission]:
    """Takes off the front of `waiting` what one call carries, at least one submission.

    `apart` is for the script, to which "all or none" and the generation are told once a call: there an
    all-or-none submission goes alone, and those of one call have look-ups of one generation.
    """
    size, count = 0, 0
    for submission in waiting:
        size += len(submission.records)
        if count and size > CALL_RECORDS_MAX:
            break
        if (
            count
            and apart
            and (submission.atomic or submission.known.generation != waiting[0].known.generation)
        ):
            break
        count += 1
        if apart and submission.atomic:
            break
    group = waiting[:count]
    del waiting[:count]
    return group


def _outcomes(
    submission: Submission, verdicts: Iterator[str], states: Iterator[bytes], *, refused: bool
) -> list[Outcome]:
    """The outcomes of one request, from the script's reply for its group: `verdicts` has a letter for each
    record that was put to it, `states` a state for each conflict. `refused`: nothing was taken.
    """
    outcomes = []
    for record in submission.records:
        # There are no letters left where the script was not called, since another user is missing.
        letter = Verdict.NO_USER.value if record.user in submission.known.missing else next(verdicts, "H")
        if refused and letter in TAKEN:
            letter = Verdict.HELD.value
        if letter == Verdict.CONFLICT:
            outcomes.append(Outcome(Verdict.CONFLICT, read_state(next(states))))
        else:
            outcomes.append(OUTCOMES[letter])
    return outcomes


_intakes = PerLoop(Intake)


def serve_here() -> Intake:
    """The intake of the running loop, made at the first call; for the loop of a server, which lasts."""
    return _intakes.here()


async def accept(records: Sequence[Record], request_id: str, *, atomic: bool = False) -> list[Outcome]:
    """Makes checked records durable: an outcome for each, in order.

    `atomic`: all or none, for at most CALL_RECORDS_MAX records. Raises IntakeUnavailable, which
    says nothing of what was taken. From a thread use `done_on_loop(accept, …)`; outside of a server
    (see `serve_here`) it connects to Redis for the one call.
    """
    lasting = _intakes.made_here()
    intake = lasting or Intake()
    try:
        if len(records) <= CALL_RECORDS_MAX:  # without gather(), which would make a task for each request
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
