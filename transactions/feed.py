"""Showing: tells every dashboard of what was accepted, one group message for a group of requests.

Nobody who posts waits for this, and a channel layer that fails costs nothing but the show: what was
accepted is safe before it is announced.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from channels.layers import get_channel_layer

if TYPE_CHECKING:
    from .ingest import Record

log = logging.getLogger(__name__)

GROUP = "admin_transactions"
# Records of one group message: about 10 kB.
MESSAGE_RECORDS_MAX = 100
# Records that may wait to be announced; beyond it the oldest are left out, and the numbers show it.
WAITING_RECORDS_MAX = 10_000

Shown = dict[str, Any]


class Announcer:
    """Sends what one event loop has accepted, in order, off the path of the requests."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, Shown]] = []
        self._task: asyncio.Task[None] | None = None

    def add(self, numbered: list[tuple[int, Shown]]) -> None:
        self._waiting += numbered
        del self._waiting[:-WAITING_RECORDS_MAX]
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def drain(self) -> None:
        if self._task is not None:
            await self._task

    async def _run(self) -> None:
        layer = get_channel_layer()
        try:
            while self._waiting:
                run, self._waiting = (
                    self._waiting[:MESSAGE_RECORDS_MAX],
                    self._waiting[MESSAGE_RECORDS_MAX:],
                )
                await layer.group_send(
                    GROUP,
                    {
                        "type": "transactions.accepted",
                        "first": run[0][0],
                        "last": run[-1][0],
                        "records": [shown for _, shown in run],
                    },
                )
        except Exception:
            # Whatever a channel layer raises, the records are safe; dashboards see the gap.
            self._waiting.clear()
            log.warning("The channel layer did not take a message for the dashboards", exc_info=True)
        finally:
            self._task = None


_announcers: "WeakKeyDictionary[asyncio.AbstractEventLoop, Announcer]" = WeakKeyDictionary()


def announce(records: "Sequence[Record]", last: int) -> None:
    """Queues `records`, the last of which is number `last` of the epoch, for every dashboard."""
    loop = asyncio.get_running_loop()
    if loop not in _announcers:
        _announcers[loop] = Announcer()
    first = last - len(records) + 1
    _announcers[loop].add(
        [
            (
                first + offset,
                {
                    "transaction_id": record.transaction_id,
                    "user": record.user,
                    "amount": record.amount,
                    "status": record.status,
                },
            )
            for offset, record in enumerate(records)
        ]
    )


async def drain() -> None:
    """Waits until all that this loop has announced is sent."""
    announcer = _announcers.get(asyncio.get_running_loop())
    if announcer is not None:
        await announcer.drain()
