"""A client that posts until it is told 200, and whether everything that it was told so is there."""

import threading
import time
from collections.abc import Callable
from typing import Any, Protocol

from dev.waiting import NotInTime, wait_until

PATIENCE_S = 180.0
# Between two looks, each of which starts a program or posts.
LOOK_EACH_S = 0.3
# Between two posts.
PAUSE_S = 0.05


def until(found: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Waits with the patience that a whole system needs. Raises NotInTime, which says `what`."""
    wait_until(found, patience_s, what, LOOK_EACH_S)


class System(Protocol):
    """What is posted to."""

    def post(self, name: str) -> int:
        """Posts a transaction of this id: the status of the answer, 0 where none came."""

    def rows(self) -> list[str]:
        """The ids of what is stored, in order."""

    def books(self) -> dict[str, Any]:
        """What `manage.py verify` says; it fails where they do not balance."""


class Sender:
    def __init__(self, system: System) -> None:
        self._system = system
        self.acknowledged: list[str] = []

    def until_taken(self, name: str) -> None:
        """Posts it, again and again where it is not taken."""
        until(lambda: self._system.post(name) == 200, f"{name} is taken")
        self.acknowledged.append(name)

    def during(self, prefix: str, work: Callable[[], object], clients: int = 1) -> None:
        """Posts all the while, so many clients at once, and one before and one after."""
        over = threading.Event()
        failed: list[NotInTime] = []

        def send(client: int) -> None:
            try:
                number = 0
                while not over.is_set():
                    self.until_taken(f"{prefix} {client} {number}")
                    number += 1
                    time.sleep(PAUSE_S)
            except NotInTime as error:
                failed.append(error)

        threads = [threading.Thread(target=send, args=(client,)) for client in range(clients)]
        self.until_taken(f"{prefix} before")
        for thread in threads:
            thread.start()
        try:
            work()
        finally:
            over.set()
            for thread in threads:
                thread.join()
        assert not failed
        self.until_taken(f"{prefix} after")

    def nothing_is_lost(self) -> None:
        """Each that was acknowledged is stored, once, and nothing else; the books balance."""
        until(lambda: self._system.books()["buffered"] == 0, "the queue is stored")
        until(
            lambda: self._system.rows() == sorted(self.acknowledged),
            "exactly what was acknowledged is stored",
            30,
        )
        books = self._system.books()
        assert (books["balanced"], books["accepted"]) == (True, len(self.acknowledged))
