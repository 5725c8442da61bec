"""One reading for all who ask while another is under way.

What is read by several statements of both stores costs them the same however many ask. So one thread reads at
a time, and those that come meanwhile share the next reading: nobody is told what was read before it asked.
(The idea is that of group commit, for reads.)
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

Told = TypeVar("Told")


class SharedReading(Generic[Told]):
    """`read`, for a process's threads: called, it gives or raises what a reading did that began later."""

    def __init__(self, read: Callable[[], Told]) -> None:
        self._read = read
        self._one_at_a_time = threading.Lock()
        self._joining = threading.Lock()
        self._next: Future[Told] | None = None

    def __call__(self) -> Told:
        with self._joining:
            reading, begins = self._next, self._next is None
            if reading is None:
                reading = self._next = Future()
        if begins:
            with self._one_at_a_time:
                with self._joining:
                    self._next = None  # It begins now: who comes from here on has to have the next.
                try:
                    reading.set_result(self._read())
                except BaseException as error:
                    reading.set_exception(error)
        try:
            return reading.result()
        finally:
            del reading  # An error that it raises would hold it, and it the error.
