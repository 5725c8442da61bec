"""A bounded number of lasting threads; whoever finds none free waits for its turn, but not for ever.

Those who wait have their turns caller by caller (see `access.turns`).

Each thread keeps one connection to PostgreSQL from request to request, so their number is also that
of the connections. The one that was freed last is taken first: its memory and its connection are
warm, and on an idle system the others never connect.
"""

import asyncio
import os
import select
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from typing import Any, TypeVar

from asgiref.sync import SyncToAsync
from django.core.exceptions import RequestAborted
from django.db import connections

from transactions.access.turns import Busy, Turns
from transactions.stores.per_loop import work_for
from transactions.stores.postgres_silence import watch_this_thread

from .silence import unless_silent

__all__ = ["Busy", "Thread", "Threads", "drop_ended_connections"]

Thread = ThreadPoolExecutor
Result = TypeVar("Result")


class Threads:
    """The `count` threads of one event loop; `waiting_max` may wait for one, for `wait_s` seconds each."""

    def __init__(self, name: str, count: int, waiting_max: int, wait_s: float) -> None:
        loop = asyncio.get_running_loop()
        # One each, so that a request can be led to a thread that is free for it.
        self._idle = [
            ThreadPoolExecutor(1, f"{name}-{number}", initializer=_begin, initargs=(loop,))
            for number in range(count, 0, -1)
        ]
        self._waiting: Turns[Thread] = Turns(waiting_max)
        self._wait_s = wait_s

    def take_idle(self) -> Thread | None:
        """A thread that has nothing to do, if there is one."""
        return self._idle.pop() if self._idle else None

    async def take(self, gone: "asyncio.Future[Any]", caller: str = "", *, first: bool = False) -> Thread:
        """A thread, for one `start`. Raises Busy (PostgresSilent), or RequestAborted once `gone` is done.

        `caller`: callers have their turns one after the other, however many requests each has sent.
        `first`: before all others, however many they are, and for as long as it takes. That is for an
        answer that has begun.
        """
        if (idle := self.take_idle()) is not None:
            return idle
        turn = self._waiting.join(caller, first=first)
        try:
            if first:
                await asyncio.wait((turn, gone), return_when=asyncio.FIRST_COMPLETED)
            else:
                await unless_silent(turn, gone, timeout_s=self._wait_s)
            if not turn.done():
                raise RequestAborted if gone.done() else Busy
        except BaseException:
            self._leave(caller, turn)
            raise
        return turn.result()

    def start(self, thread: Thread, context: Context, work: Callable[[], Result]) -> "asyncio.Future[Result]":
        """What `work` will return or raise, done in `thread`, which is free again then.

        To be awaited behind a shield: a thread cannot be interrupted.
        """
        future = asyncio.get_running_loop().run_in_executor(thread, context.run, work)
        future.add_done_callback(lambda _: self._free(thread))
        return future

    def _leave(self, caller: str, turn: "asyncio.Future[Thread]") -> None:
        """Gives up a place among those who wait; its turn may have come at this very moment."""
        if not turn.done():
            self._waiting.leave(caller, turn)
        elif turn.exception() is None:
            self._free(turn.result())

    def _free(self, thread: Thread) -> None:
        if (turn := self._waiting.next()) is not None:
            turn.set_result(thread)
        else:
            self._idle.append(thread)


def _begin(loop: asyncio.AbstractEventLoop) -> None:
    """What a new thread is told, once: its loop, and that its connections last and are watched.

    asgiref's sync_to_async tells each of its threads on which loop async_to_sync is to run what
    it is given; we do the same, or every posting view would make a loop and a connection to Redis of
    its own. A test counts those, and fails if asgiref changes.
    """
    work_for(loop)
    SyncToAsync.threadlocal.main_event_loop = loop
    SyncToAsync.threadlocal.main_event_loop_pid = os.getpid()
    for alias in connections:
        connection = connections[alias]
        # A copy: the settings' own is that of every other thread, whose connections end with its work.
        connection.settings_dict = {**connection.settings_dict, "CONN_MAX_AGE": None}
    watch_this_thread()


def drop_ended_connections() -> None:
    """Closes those connections of this thread that PostgreSQL has ended, for Django to open anew.

    Something can be read from a connection that was asked nothing: PostgreSQL's farewell. That costs
    two microseconds, where Django's CONN_HEALTH_CHECKS asks PostgreSQL itself at every request.
    """
    for connection in connections.all(initialized_only=True):
        line = connection.connection
        if line is not None and (line.closed or _readable(line.fileno())):
            connection.close()


def _readable(number: int) -> bool:
    look = select.poll()
    look.register(number, select.POLLIN)
    return bool(look.poll(0))
