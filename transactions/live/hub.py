"""What one server process shows: one place in the group, one reading of the feed, for all its sockets.

A hub lives on a server's event loop for as long as somebody watches. It hears the group messages,
looks at Redis now and then for what they did not bring, and goes round its readers by a clock, so
that a burst of records is one frame and a thousand sockets are served a few at a time.
"""

import asyncio
import logging
from collections.abc import Awaitable, Coroutine
from contextlib import suppress
from typing import Any, Protocol

from channels.layers import get_channel_layer
from redis.exceptions import OutOfMemoryError, RedisError

from ..stores.per_loop import PerLoop
from ..stores.redis_connection import intake_connection
from . import feed
from .close_codes import TRY_AGAIN
from .feed import ACCEPTED, GROUP, Shown
from .ring import Ring

log = logging.getLogger(__name__)

# Seconds between two frames of a connection, and frames a second of a process: what one Daphne sends
# in half of a core's time.
INTERVAL_S = 0.1
FRAMES_PER_SECOND = 3_000
# Readers served at a stretch; requests are answered in between.
STRETCH_READERS = 2
# Seconds between two looks at Redis: a message that was dropped, or that the flush went on, shows by then.
LOOK_S = 0.5
# How long Redis may be silent before every dashboard is told to come back, in seconds.
PATIENCE_S = 15.0
# How long a gap may be another process's message that is still under way, in seconds.
GAP_S = 0.1


class Reader(Protocol):
    """A connection, as the hub sees it."""

    ready: bool

    async def show(self, hub: "Hub") -> None:
        """Sends what is new and due."""

    def end(self, code: int, /) -> Awaitable[None]:
        """Closes the connection."""


class Hub:
    """Use: `join`, then `ready` on the reader, then `leave`. Made by `hub_here`."""

    def __init__(self) -> None:
        self.ring = Ring()
        self.interval_s = INTERVAL_S
        # Frames of records, for the next reader at the same place; see `readers.encoded`.
        self.encoded: dict[tuple[int, ...], str] = {}
        self._readers: dict[Reader, None] = {}
        self._redis = intake_connection(PATIENCE_S)
        self._layer = get_channel_layer()
        self._channel = ""
        self._lock = asyncio.Lock()
        self._looks = 0
        self._gap = asyncio.Event()
        self._over = asyncio.Event()
        self._begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run())

    async def join(self, reader: Reader) -> None:
        """Lets `reader` in; the ring then knows all that was accepted before. Raises RedisError, OSError."""
        self._readers[reader] = None
        await asyncio.shield(self._begun)
        await self._look()

    async def leave(self, reader: Reader) -> None:
        """Forgets `reader`. The last one ends the hub."""
        self._readers.pop(reader, None)
        if not self._readers:
            self._close()
            self._over.set()
            await asyncio.wait([self._task])

    async def whole(self, after: int, upto: int) -> list[Shown] | None:
        """Every record after number `after` up to `upto`; None where the feed no longer has them all.

        The feed is read once for all readers that miss the same. Raises RedisError, OSError.
        """
        if after < self.ring.head - feed.FEED_RECORDS:
            return None
        records = self.ring.whole(after, upto)
        if records is None:
            await self._look(after)
            records = self.ring.whole(after, upto)
        return records

    async def _run(self) -> None:
        try:
            self._channel = await self._layer.new_channel()
            await self._enter_group()
            await self._look()
            self._begun.set_result(None)
            await first_of(self._hear(), self._keep_up(), self._go_round(), self._over.wait())
        except (RedisError, OSError) as error:
            log.warning("Redis failed (%s); dashboards have to connect again", type(error).__name__)
            await self._fail(error)
        except Exception:
            log.exception("The dashboards' hub failed")
            await self._fail(OSError("The hub failed."))
        finally:
            with suppress(RedisError, OSError):
                if self._channel:
                    await self._layer.group_discard(GROUP, self._channel)
                await self._redis.aclose()

    def _close(self) -> None:
        """Whoever comes from now on gets another hub."""
        _hubs.drop(self)

    async def _fail(self, error: Exception) -> None:
        self._close()
        if not self._begun.done():
            self._begun.set_exception(error)
            self._begun.exception()  # Whoever waited has left already, it may be.
        for reader in list(self._readers):
            await reader.end(TRY_AGAIN)

    async def _enter_group(self) -> None:
        # Over its memory limit Redis takes nobody in; the looks go on.
        with suppress(OutOfMemoryError):
            await self._layer.group_add(GROUP, self._channel)

    async def _hear(self) -> None:
        while True:
            try:
                message = await self._layer.receive(self._channel)
            except OutOfMemoryError:
                continue
            # One of another type comes from a later release, during its roll-out.
            if message["type"] == ACCEPTED and not self.ring.hear(message):
                self._gap.set()

    async def _keep_up(self) -> None:
        """Finds what no message brought: dropped, over a full channel, or by a group that was emptied."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._gap.wait()
                    await asyncio.sleep(GAP_S)
            self._gap.clear()
            head = self.ring.head
            await self._look()
            if self.ring.head != head:
                await self._enter_group()

    async def _look(self, after: int | None = None) -> None:
        """Reads how far Redis is and what came after number `after`, by default after what is known.

        One look at a time; who waited while one began and ended has no need of another.
        """
        asked = self._looks
        async with self._lock:
            if after is None and self._looks > asked:
                return
            self._looks += 1
            head = self.ring.head
            reading = await feed.read(self._redis, self.ring.epoch, head if after is None else after)
            self.ring.take(reading, head)

    async def _go_round(self) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            readers = [reader for reader in self._readers if reader.ready]
            self.interval_s = max(INTERVAL_S, len(readers) / FRAMES_PER_SECOND)
            stretches = [readers[at : at + STRETCH_READERS] for at in range(0, len(readers), STRETCH_READERS)]
            for number, stretch in enumerate(stretches or [[]], 1):
                for reader in stretch:
                    await reader.show(self)
                due = began + self.interval_s * number / max(1, len(stretches))
                await asyncio.sleep(max(0.0, due - clock()))


async def first_of(*work: Coroutine[Any, Any, object]) -> None:
    """Runs all until the first ends or fails, and ends the others. Raises what it raised.

    Until they are ended: within a wait_for of Python 3.11, of which redis-py makes one for each
    command, a cancellation may be lost, and a TaskGroup would wait for ever.
    """
    tasks = [asyncio.create_task(each) for each in work]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        while pending := [task for task in tasks if not task.done()]:
            for task in pending:
                task.cancel()
            await asyncio.wait(pending, timeout=1.0)
    failures = [error for task in tasks if not task.cancelled() and (error := task.exception())]
    if failures:
        raise failures[0]


_hubs = PerLoop(Hub)


def hub_here() -> Hub:
    """The hub of the running loop, begun with the first who asks."""
    return _hubs.here()
