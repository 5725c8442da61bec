"""Waiting for something of which there are few: caller by caller, so that nobody's many push others aside."""

import asyncio
from collections import deque
from typing import Generic, TypeVar

Thing = TypeVar("Thing")


class Busy(Exception):
    """All of them are taken, and more wait already than may; or one has waited too long."""


class Turns(Generic[Thing]):
    """Those who wait, on one event loop, by caller: a future each, of whatever they wait for.

    `waiting_max` may wait. Whoever comes then takes the place of the last of the caller who has the most
    there, unless that is the caller itself.
    """

    def __init__(self, waiting_max: int) -> None:
        self._waiting_max = waiting_max
        self._first: deque[asyncio.Future[Thing]] = deque()
        # The first caller is next, and goes to the end then.
        self._by_caller: dict[str, deque[asyncio.Future[Thing]]] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._first) + self._count

    def join(self, caller: str, *, first: bool = False) -> "asyncio.Future[Thing]":
        """A turn, which is Busy once another needs the place. Raises Busy where there is none.

        `first`: before all others, however many they are.
        """
        turn: asyncio.Future[Thing] = asyncio.get_running_loop().create_future()
        if first:
            self._first.appendleft(turn)
            return turn
        if self._count >= self._waiting_max:
            self._make_room(caller)
        self._by_caller.setdefault(caller, deque()).append(turn)
        self._count += 1
        return turn

    def leave(self, caller: str, turn: "asyncio.Future[Thing]") -> None:
        """Gives up a turn that has not come."""
        if turn in self._first:
            self._first.remove(turn)
            return
        waiting = self._by_caller[caller]
        waiting.remove(turn)
        self._count -= 1
        if not waiting:
            del self._by_caller[caller]

    def next(self) -> "asyncio.Future[Thing] | None":
        """Whose turn it is."""
        if self._first:
            return self._first.popleft()
        caller = next(iter(self._by_caller), None)
        if caller is None:
            return None
        waiting = self._by_caller.pop(caller)
        turn = waiting.popleft()
        self._count -= 1
        if waiting:
            self._by_caller[caller] = waiting
        return turn

    def _make_room(self, caller: str) -> None:
        most = max(self._by_caller, key=lambda each: len(self._by_caller[each]), default=caller)
        waiting = self._by_caller.get(most, deque())
        if len(waiting) <= len(self._by_caller.get(caller, ())) + 1:
            raise Busy
        waiting.pop().set_exception(Busy())
        self._count -= 1
