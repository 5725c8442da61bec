"""The hub, between Redis and all websockets of a server process: in a group once, reading the feed once.

A hub lives on a server's event loop for as long as somebody watches. It hears the group messages,
looks into Redis now and then for what they did not bring, and goes round its watchers by a clock, so
that a burst of records is one frame and a thousand websockets are served a few at a time.
"""

import asyncio
import logging
from collections.abc import Awaitable, Coroutine
from contextlib import suppress
from typing import Any, Protocol

from channels.layers import get_channel_layer
from redis.exceptions import OutOfMemoryError, RedisError

from ..alerts import announcing
from ..stores.per_loop import PerLoop
from ..stores.redis_connection import close, intake_connection
from . import feed
from .alert_frames import AlertFrames
from .close_codes import TRY_AGAIN
from .feed import ACCEPTED, GROUP, Shown
from .ring import Ring

log = logging.getLogger(__name__)

# What a hub hears: what was accepted, and that alerts have changed.
GROUPS = (GROUP, announcing.GROUP)
# Seconds between two frames of a connection, at the least.
INTERVAL_S = 0.1
# Frames a second of a process, for which Daphne needs half of a core. With more watchers the interval grows.
FRAMES_PER_SECOND = 3_000
# Watchers served at a stretch; requests are answered in between.
STRETCH_WATCHERS = 2
# Seconds between two looks into Redis. By then shows what no message tells: a message that was dropped,
# and how far the flush is.
LOOK_S = 0.5
# Seconds that Redis may be silent before every dashboard is told to come back.
PATIENCE_S = 15.0
# Seconds that are waited at a gap before Redis is looked into: the message of another process that fills
# it may be under way.
GAP_S = 0.1


class Watcher(Protocol):
    """A connection as the hub sees it: one of `readers`."""

    # Whether it may be shown anything yet.
    ready: bool

    async def show(self, hub: "Hub") -> None:
        """Sends what is new and due."""

    def end(self, code: int, /) -> Awaitable[None]:
        """Closes the connection."""


class Hub:
    """Made by `hub_here`. A watcher joins, says when it is `ready`, is shown what is new, and leaves."""

    def __init__(self) -> None:
        self.ring = Ring()
        self.alerts = AlertFrames()
        self.interval_s = INTERVAL_S
        # Frames as they were sent, for the next watcher that is to be sent the same; see `readers.encoded`.
        self.encoded: dict[tuple[int, ...], str] = {}
        self._watchers: dict[Watcher, None] = {}
        self._redis = intake_connection(PATIENCE_S)
        self._layer = get_channel_layer()
        self._channel = ""
        self._lock = asyncio.Lock()
        self._looks = 0
        # How Redis failed a look. Whoever was looking raises it, be it a watcher that is shown something.
        self._redis_failure: Exception | None = None
        self._gap = asyncio.Event()
        self._over = asyncio.Event()
        self._begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run())

    async def join(self, watcher: Watcher) -> None:
        """Lets `watcher` in; the ring then knows all that was accepted before. Raises RedisError, OSError."""
        self._watchers[watcher] = None
        await asyncio.shield(self._begun)
        await self._look()

    async def leave(self, watcher: Watcher) -> None:
        """Forgets `watcher`. The last one ends the hub."""
        self._watchers.pop(watcher, None)
        if not self._watchers:
            _hubs.drop(self)
            self._over.set()
            await asyncio.wait([self._task])

    async def whole(self, after: int, upto: int) -> list[Shown] | None:
        """Every record after number `after` up to `upto`; None where the feed no longer has them all.

        The feed is read once for all watchers that miss the same. Raises RedisError, OSError.
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
            work = (self._hear(), self._keep_up(), self.alerts.keep_up(), self._go_round())
            await first_of(*work, self._over.wait())
        except (RedisError, OSError) as error:
            log.warning("Redis failed (%s); dashboards have to connect again", type(error).__name__)
            await self._fail(error)
        except Exception:
            log.exception("The dashboards' hub failed")
            await self._fail(OSError("The hub failed."))
        finally:
            with suppress(RedisError, OSError):
                for group in GROUPS if self._channel else ():
                    await self._layer.group_discard(group, self._channel)
            await close(self._redis)

    async def _fail(self, error: Exception) -> None:
        # Whoever comes from now on gets another hub.
        _hubs.drop(self)
        if not self._begun.done():
            self._begun.set_exception(error)
            # Looked at, or asyncio would complain: those who joined may have left without awaiting it.
            self._begun.exception()
        for watcher in list(self._watchers):
            await self._end(watcher)

    async def _end(self, watcher: Watcher) -> None:
        # One that cannot be closed any more is closed.
        with suppress(Exception):
            await watcher.end(TRY_AGAIN)

    async def _enter_group(self) -> None:
        # Over its memory limit Redis lets nobody into a group; what is accepted is still found by looking.
        with suppress(OutOfMemoryError):
            for group in GROUPS:
                await self._layer.group_add(group, self._channel)

    async def _hear(self) -> None:
        while True:
            try:
                message = await self._layer.receive(self._channel)
            except OutOfMemoryError:
                continue
            # One of another type comes from a process of a later release, while that is rolled out.
            if message["type"] == announcing.CHANGED:
                self.alerts.hear()
            elif message["type"] == ACCEPTED and not self.ring.hear(message):
                self._gap.set()

    async def _keep_up(self) -> None:
        """Looks into Redis every LOOK_S, or GAP_S after a gap showed, for what no message brought."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_S):
                    await self._gap.wait()
                    await asyncio.sleep(GAP_S)
            self._gap.clear()
            head = self.ring.head
            await self._look()
            if self.ring.head != head:
                # A message was late or lost: the group may be gone, as after Redis was emptied.
                await self._enter_group()

    async def _look(self, after: int | None = None) -> None:
        """Reads how far Redis is and what came after number `after`, by default after what is known.

        One look at a time. Whoever waited for its turn while another one began and ended needs none.
        """
        asked = self._looks
        async with self._lock:
            if after is None and self._looks > asked:
                return
            self._looks += 1
            head = self.ring.head
            try:
                reading = await feed.read(self._redis, self.ring.epoch, head if after is None else after)
            except (RedisError, OSError) as error:
                self._redis_failure = error
                raise
            self.ring.take(reading, head)

    async def _go_round(self) -> None:
        """Serves every watcher once an interval, a stretch at a time, spread evenly over the interval."""
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            ready = [watcher for watcher in self._watchers if watcher.ready]
            self.interval_s = max(INTERVAL_S, len(ready) / FRAMES_PER_SECOND)
            stretches = [ready[at : at + STRETCH_WATCHERS] for at in range(0, len(ready), STRETCH_WATCHERS)]
            for number, stretch in enumerate(stretches or [[]], 1):
                for watcher in stretch:
                    await self._show(watcher)
                due = began + self.interval_s * number / max(1, len(stretches))
                await asyncio.sleep(max(0.0, due - clock()))

    async def _show(self, watcher: Watcher) -> None:
        """Shows one watcher what is new. Whatever fails there ends that one alone, unless it is Redis."""
        try:
            # It may have left, or been closed, since the round began.
            if watcher.ready and watcher in self._watchers:
                await watcher.show(self)
        except Exception as error:
            if error is self._redis_failure:
                raise
            log.warning("A dashboard was closed: it cannot be shown anything (%r)", error)
            # It is shown nothing more; with its consumer it still has to leave.
            watcher.ready = False
            await self._end(watcher)


async def first_of(*work: Coroutine[Any, Any, object]) -> None:
    """Runs all until the first ends or fails, then cancels the others. Raises what the first raised.

    They are cancelled again each second until they have ended: asyncio.wait_for of Python 3.11, through
    which redis-py sends each command, may lose a cancellation. A TaskGroup would then wait for ever.
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
    """The hub of the running loop, made for the first who asks."""
    return _hubs.here()
