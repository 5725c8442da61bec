"""What belongs to one event loop: a connection, and whoever shares it, serve no other."""

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

Thing = TypeVar("Thing")


class PerLoop(Generic[Thing]):
    """One `Thing` for each event loop, made when it is first asked for, and gone with its loop."""

    def __init__(self, make: Callable[[], Thing]) -> None:
        self._make = make
        self._things: WeakKeyDictionary[asyncio.AbstractEventLoop, Thing] = WeakKeyDictionary()

    def here(self) -> Thing:
        """That of the running loop, made if there is none yet."""
        loop = asyncio.get_running_loop()
        if loop not in self._things:
            self._things[loop] = self._make()
        return self._things[loop]

    def made_here(self) -> Thing | None:
        """That of the running loop, None where none has been made."""
        return self._things.get(asyncio.get_running_loop())

    def drop(self, thing: Thing) -> None:
        """Whoever asks from now on gets another one."""
        for loop, known in list(self._things.items()):
            if known is thing:
                del self._things[loop]
