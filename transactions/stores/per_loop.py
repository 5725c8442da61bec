"""What belongs to one event loop: a connection, and whoever shares it, serve no other."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary, ref

from asgiref.sync import async_to_sync

Thing = TypeVar("Thing")
# How often a thread that waits for a loop looks whether that still runs, in seconds.
LOOK_S = 1.0
_thread = threading.local()


def work_for(loop: asyncio.AbstractEventLoop) -> None:
    """Says that the calling thread, which has no loop of its own, serves what came to `loop`."""
    _thread.loop = loop


def done_on_loop(work: Callable[..., Coroutine[Any, Any, Thing]], *arguments: Any, **more: Any) -> Thing:
    """What `work` returns or raises: on the loop that this thread works for, else on one of its own.

    From a thread that works for a loop asgiref's way is the same, and costs several times as much. Raises
    RuntimeError where the loop stops meanwhile, or the end of a process would wait for this thread for ever.
    """
    loop = getattr(_thread, "loop", None)
    if loop is None or not loop.is_running():
        return async_to_sync(work)(*arguments, **more)
    done = asyncio.run_coroutine_threadsafe(work(*arguments, **more), loop)
    while True:
        try:
            return done.result(LOOK_S)
        except TimeoutError:
            if done.done():  # meanwhile, or the error is its own
                return done.result()
            if not loop.is_running():
                done.cancel()
                raise RuntimeError("The loop has stopped that this thread works for") from None


class PerLoop(Generic[Thing]):
    """One `Thing` for each event loop, made when it is first asked for, and gone with its loop."""

    def __init__(self, make: Callable[[], Thing]) -> None:
        self._make = make
        self._things: WeakKeyDictionary[asyncio.AbstractEventLoop, Thing] = WeakKeyDictionary()
        # A server has one loop and asks several times a request, so the latest is found without a search.
        self._latest: tuple[Callable[[], object], Thing] | None = None

    def here(self) -> Thing:
        """That of the running loop, made if there is none yet."""
        loop = asyncio.get_running_loop()
        thing = self._of(loop)
        if thing is None:
            thing = self._things[loop] = self._make()
        # On the loop itself, where things are dropped too: a thread might bring one back.
        self._latest = ref(loop, self._forget), thing
        return thing

    def made_here(self) -> Thing | None:
        """That of the running loop, or of the one that this thread works for; None where there is none.

        A thread may use of it only what is safe for threads.
        """
        loop = asyncio._get_running_loop() or getattr(_thread, "loop", None)
        return self._of(loop) if loop is not None else None

    def _of(self, loop: asyncio.AbstractEventLoop) -> Thing | None:
        latest = self._latest
        if latest is not None and latest[0]() is loop:
            return latest[1]
        return self._things.get(loop)

    def _forget(self, _: object) -> None:
        self._latest = None

    def drop(self, thing: Thing) -> None:
        """Whoever asks from now on gets another one."""
        self._latest = None
        for loop, known in list(self._things.items()):
            if known is thing:
                del self._things[loop]
