"""The worker that tells does so by itself when no tick comes: that Beat is dead is just what is to be told.

A tick is a message: Celery Beat sends it through Redis. So a thread of the worker's main process notes when
the last one came, and once that is SILENCE_S ago it does what ticks ask for, until they come again. It needs
nothing but PostgreSQL. What is done twice by this is told once.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from django.db import Error as DatabaseError
from django.db import connection

log = logging.getLogger(__name__)

# Seconds without a tick after which the clock goes by itself: five of them are missing by then.
SILENCE_S = 10.0
LOOK_S = 1.0


class Chore(NamedTuple):
    """Something that ticks ask for, and how often the clock does it in their place, in seconds."""

    every_s: float
    act: Callable[[], object]


class Clock:
    """Knows when a tick came last, and goes by itself while none does."""

    def __init__(self) -> None:
        self._heard_at = time.monotonic()

    def hear(self) -> None:
        """A tick came."""
        self._heard_at = time.monotonic()

    def silent_s(self) -> float:
        """Seconds since a tick came, or since the start."""
        return time.monotonic() - self._heard_at

    def start(self, *chores: Chore) -> threading.Event:
        """Starts the thread, which dies with the process; the event that is returned ends it."""
        ended = threading.Event()
        threading.Thread(target=self._run, args=(ended, chores), name="clock", daemon=True).start()
        return ended

    def _run(self, ended: threading.Event, chores: tuple[Chore, ...]) -> None:
        due_at = dict.fromkeys(chores, 0.0)
        is_told = False
        while not ended.wait(LOOK_S):
            if self.silent_s() < SILENCE_S:
                is_told = False
                continue
            if not is_told:
                log.warning("No tick for %.0f s: messages are told without one", self.silent_s())
                is_told = True
            for chore in chores:
                if time.monotonic() >= due_at[chore]:
                    due_at[chore] = time.monotonic() + chore.every_s
                    _take(chore)


def _take(chore: Chore) -> None:
    try:
        chore.act()
    except DatabaseError as error:
        log.error("What no tick asked for failed: %s", str(error).partition("\n")[0])
    except Exception:
        log.exception("What no tick asked for failed")
    finally:
        connection.close()
