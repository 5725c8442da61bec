"""Showing: what was accepted, announced to the dashboards and kept for those that missed it.

An announcement is a group message for a run of records. Nobody who posts waits for it, and a
channel layer that drops or fails costs nothing but time: the feed, a list that the accepting script
writes, holds the latest records with their numbers, and whoever sees a gap reads it there.

The number of a record is the count of accepted records of its epoch, itself included: without
gaps, in the order of the queue.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import redis.asyncio
from channels.layers import get_channel_layer

from ..queue.keys import BOOKS, FEED
from ..queue.records import unescape
from ..stores.per_loop import PerLoop
from ..stores.redis_connection import text
from ..stores.scripts import lua

if TYPE_CHECKING:
    from ..queue.records import Record

log = logging.getLogger(__name__)

GROUP = "admin_transactions"
# Type of a group message, which names the handler in channels' manner.
ACCEPTED = "transactions.accepted"
# Records that the feed keeps, for dashboards that were away: about 1.5 MB of Redis, and never more.
FEED_RECORDS = 10_000
# Records of one group message, about 12 kB. It tells of any number; past this it carries a sample.
MESSAGE_RECORDS_MAX = 100
# Seconds between two group messages of a process: a channel layer takes ten commands for each, and
# dashboards look up ten times a second at most.
PAUSE_S = 0.05
# Records that may wait to be announced; beyond it the oldest are left out, and the numbers show it.
WAITING_RECORDS_MAX = 10_000

# A record as dashboards get it: seq, transaction_id, user, amount, status, accepted_at.
Shown = dict[str, Any]

READ = lua(__file__, "read_feed")


class Reading(NamedTuple):
    """The feed as of one moment: the last numbers accepted and stored, and `records` up to the first."""

    epoch: str
    accepted: int
    stored: int
    records: list[Shown]

    @property
    def after(self) -> int:
        """The number that the records follow on."""
        return self.accepted - len(self.records)


async def read(connection: "redis.asyncio.Redis", epoch: str, after: int) -> Reading:
    """What came after number `after` of `epoch`, as far as the feed goes back.

    Raises redis.RedisError. `epoch` "" is that of a Redis that never took a record.
    """
    told, accepted, stored, lines = await connection.register_script(READ)([BOOKS, FEED], [epoch, after])
    first = accepted - len(lines) + 1
    return Reading(
        text(told), accepted, stored, [_shown(first + at, line.decode()) for at, line in enumerate(lines)]
    )


def _shown(seq: int, line: str) -> Shown:
    _, transaction_id, status, user, amount, _, accepted_at, _ = line.split("\t")
    return _as_shown(seq, unescape(transaction_id), int(user), int(amount), status, accepted_at)


def _as_shown(seq: int, transaction_id: str, user: int, amount: int, status: str, accepted_at: str) -> Shown:
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
    records: "Sequence[Record]"
    accepted_at: str

    @property
    def last(self) -> int:
        return self.first + len(self.records) - 1

    def shown(self) -> list[Shown]:
        """The records; of many a sample that is spread over all of them and holds the last."""
        step = -(-len(self.records) // MESSAGE_RECORDS_MAX)
        numbered = list(enumerate(self.records, self.first))[::-step][::-1]
        return [
            _as_shown(seq, record.transaction_id, record.user, record.amount, record.status, self.accepted_at)
            for seq, record in numbered
        ]


class Announcer:
    """Sends what one event loop has accepted, in order, off the path of the requests."""

    def __init__(self) -> None:
        self._waiting: deque[Run] = deque()
        self._records = 0
        self._task: asyncio.Task[None] | None = None
        self._hurry = asyncio.Event()

    def add(self, run: Run) -> None:
        self._waiting.append(run)
        self._records += len(run.records)
        while self._records > WAITING_RECORDS_MAX:
            self._records -= len(self._waiting.popleft().records)
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def drain(self) -> None:
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
        except Exception:
            # Whatever a channel layer raises, the records are safe and in the feed.
            self._waiting.clear()
            self._records = 0
            log.warning("The channel layer did not take a message for the dashboards", exc_info=True)
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
    """The group message for runs of one epoch: the ends of each, and records of all.

    Runs that follow on each other are one; between others lie records of another process.
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


def announce(epoch: str, records: "Sequence[Record]", last: int, accepted_at: str) -> None:
    """Queues `records`, the last of which is number `last` of `epoch`, for every dashboard."""
    _announcers.here().add(Run(epoch, last - len(records) + 1, records, accepted_at))


async def drain() -> None:
    """Waits until all that this loop has announced is sent."""
    announcer = _announcers.made_here()
    if announcer is not None:
        await announcer.drain()
