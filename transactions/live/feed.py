"""Showing: what was accepted, announced to the dashboards and kept for those that missed it.

An announcement is a message to channels' group, for a run of records. Nobody who posts waits for it,
and a channel layer that drops messages or fails costs nothing but time: the feed, a list in Redis that
the accepting script writes, holds the latest records, and who sees a gap between runs reads it there.

The number of a record (`seq`) is the count of accepted records of its epoch, itself included: without
gaps, in the order of the queue.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple, TypeVar

import redis.asyncio
from channels.layers import get_channel_layer

from ..queue.keys import BOOKS, FEED
from ..queue.records import Record, unescape
from ..stores.per_loop import PerLoop
from ..stores.redis_connection import text
from ..stores.scripts import lua

log = logging.getLogger(__name__)

GROUP = "admin_transactions"
# Type of a group message, which names the handler in channels' manner.
ACCEPTED = "transactions.accepted"
# Records that the feed keeps, for dashboards that were away, and up to a tenth more until it is trimmed:
# about 1.5 MB of Redis, with ids as long as a UUID.
FEED_RECORDS = 10_000
# Records of one group message, about 12 kB. It tells of any number; past this it carries a sample.
MESSAGE_RECORDS_MAX = 100
# Seconds between two group messages of a process: a channel layer takes ten commands for each, and
# dashboards look up ten times a second at most.
PAUSE_S = 0.05
# Records that may wait to be announced. Beyond it the oldest are left out; the gap in the numbers shows it.
WAITING_RECORDS_MAX = 10_000

# A record as dashboards get it: seq, transaction_id, user, amount, status, accepted_at.
Shown = dict[str, Any]

READ = lua(__file__, "read_feed")
Item = TypeVar("Item")


def spread(items: Sequence[Item], most: int) -> Sequence[Item]:
    """A sample: at most `most` of `items`, in order, evenly spread over them, the last one among them."""
    step = max(1, -(-len(items) // most))
    return items[::-step][::-1]


class Reading(NamedTuple):
    """The feed at one moment. `accepted`: the number of the last record, with which `records` end.
    `stored`: everything up to this number is in PostgreSQL.
    """

    epoch: str
    accepted: int
    stored: int
    records: list[Shown]

    @property
    def after(self) -> int:
        """The number that the records follow on."""
        return self.accepted - len(self.records)


async def read(connection: "redis.asyncio.Redis", epoch: str, after: int) -> Reading:
    """What came after number `after` of `epoch`, as far as the feed goes back; of another epoch everything.

    `epoch` is "" where Redis has never taken a record. Raises redis.RedisError, OSError.
    """
    told, accepted, stored, lines = await connection.register_script(READ)([BOOKS, FEED], [epoch, after])
    first = accepted - len(lines) + 1
    records = [_from_line(seq, line.decode()) for seq, line in enumerate(lines, first)]
    return Reading(text(told), accepted, stored, records)


def _from_line(seq: int, line: str) -> Shown:
    # By the form of `queue.records`, in place: thousands are read at once, and a call for each would show.
    _, transaction_id, status, user, amount, _, accepted_at, _ = line.split("\t")
    return _shown(seq, unescape(transaction_id), int(user), int(amount), status, accepted_at)


def _shown(seq: int, transaction_id: str, user: int, amount: int, status: str, accepted_at: str) -> Shown:
    return {
        "seq": seq,
        "transaction_id": transaction_id,
        "user": user,
        "amount": amount,
        "status": status,
        "accepted_at": accepted_at,
    }


class Run(NamedTuple):
    """Records that one call of the script accepted, numbered from `first` on."""

    epoch: str
    first: int
    records: Sequence[Record]
    accepted_at: str

    @property
    def last(self) -> int:
        return self.first + len(self.records) - 1

    def shown(self) -> list[Shown]:
        """The records, or a sample of more than a message carries."""
        return [
            _shown(seq, record.transaction_id, record.user, record.amount, record.status, self.accepted_at)
            for seq, record in spread(list(enumerate(self.records, self.first)), MESSAGE_RECORDS_MAX)
        ]


class Announcer:
    """Sends what one event loop has accepted, in order, off the path of the requests."""

    def __init__(self) -> None:
        self._waiting: deque[Run] = deque()
        self._records = 0
        self._task: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()

    def add(self, run: Run) -> None:
        """Announces `run` soon."""
        self._waiting.append(run)
        self._records += len(run.records)
        while self._records > WAITING_RECORDS_MAX:
            self._records -= len(self._waiting.popleft().records)
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def drain(self) -> None:
        """Announces all that waits, without pauses."""
        self._hurry.set()
        if self._task is not None:
            await self._task
        self._hurry.clear()

    async def _run(self) -> None:
        layer = get_channel_layer()
        try:
            while self._waiting:
                await layer.group_send(GROUP, message(self._next()))
                with suppress(TimeoutError):
                    async with asyncio.timeout(PAUSE_S):
                        await self._hurry.wait()
        except Exception as error:
            # Whatever a channel layer raises, the records are safe and in the feed. A fault of ours deserves
            # its traceback.
            self._waiting.clear()
            self._records = 0
            is_ours = not isinstance(error, redis.RedisError | OSError)
            log.warning(
                "The channel layer did not take a message for the dashboards (%r)", error, exc_info=is_ours
            )
        finally:
            self._task = None

    def _next(self) -> list[Run]:
        """Runs for one message: those of one epoch, as far as it carries them; at least the first."""
        runs = [self._waiting.popleft()]
        size = len(runs[0].records)
        while self._waiting:
            run = self._waiting[0]
            size += len(run.records)
            if size > MESSAGE_RECORDS_MAX or run.epoch != runs[0].epoch:
                break
            runs.append(self._waiting.popleft())
        self._records -= sum(len(run.records) for run in runs)
        return runs


def message(runs: Sequence[Run]) -> dict[str, Any]:
    """The group message for runs of one epoch: the first and last number of each, and records of all.

    Runs that follow on each other become one; in a gap between two lie records of another process.
    """
    ends: list[list[int]] = []
    for run in runs:
        if ends and run.first == ends[-1][1] + 1:
            ends[-1][1] = run.last
        else:
            ends.append([run.first, run.last])
    records = [shown for run in runs for shown in run.shown()]
    return {"type": ACCEPTED, "epoch": runs[0].epoch, "runs": ends, "records": records}


_announcers = PerLoop(Announcer)


def announce(epoch: str, records: Sequence[Record], last: int, accepted_at: str) -> None:
    """Queues `records`, the last of which is number `last` of `epoch`, for every dashboard."""
    _announcers.here().add(Run(epoch, last - len(records) + 1, records, accepted_at))


async def drain() -> None:
    """Waits until all that this loop has announced is sent."""
    announcer = _announcers.made_here()
    if announcer is not None:
        await announcer.drain()
