"""The figures as all dashboards of a process share them: each asked for once, and kept for a moment."""

import logging
from collections.abc import Callable
from datetime import datetime
from typing import Any

from django.db import Error as DatabaseError

from . import figures, sample
from .cached import Kept
from .poll_pace import PollPace

log = logging.getLogger(__name__)

# For how many seconds each is kept at least.
STATUS_S = 1.0
TILES_S = 4.0
THROUGHPUT_S = 4.0
HOUR_S = 60.0
SAMPLE_S = 10.0


class SharedFigures:
    """A figure is {"as_of": the moment up to which it counts, "data": what it says}. Safe for threads."""

    def __init__(self) -> None:
        self._status = Kept(figures.status, STATUS_S)
        self._tiles = Kept(self._ask_tiles, TILES_S)
        self._hour = Kept(self._ask_hour, HOUR_S)
        self._throughput = Kept(self._ask_throughput, THROUGHPUT_S)
        self._sample = Kept(self._ask_sample, SAMPLE_S)
        self._pace = PollPace()

    def everything(self) -> dict[str, Any]:
        """The strip, the figures (None for one that PostgreSQL does not tell in time), and when to ask again.

        Raises redis.RedisError, and django.db.Error where the strip cannot be told.
        """
        return {
            "status": self._status.get(),
            "again_seconds": self._pace.again_s(),
            "tiles": self._if_told("tiles", self.tiles),
            "throughput": self._if_told("throughput", self.throughput),
            "sample": self._if_told("sample", self.sample),
        }

    def tiles(self) -> dict[str, Any]:
        return self._tiles.get()

    def throughput(self) -> dict[str, Any]:
        # First, or what the whole hour costs would count as a cost of its newest minutes.
        self._hour.get()
        return self._throughput.get()

    def sample(self) -> dict[str, Any]:
        return self._sample.get()

    def forget(self) -> None:
        """Forgets every kept answer, for a test that begins."""
        for kept in (self._status, self._tiles, self._hour, self._throughput, self._sample):
            kept.forget()

    def _if_told(self, name: str, get: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
        try:
            return get()
        except DatabaseError as error:
            log.warning("The dashboard's %s cannot be told (%s)", name, type(error).__name__)
            return None

    def _ask_tiles(self) -> dict[str, Any]:
        until = self._as_of()
        return {"as_of": until, "data": figures.tiles(until)}

    def _ask_hour(self) -> figures.Minutes:
        return figures.count_hour(self._as_of())

    def _ask_throughput(self) -> dict[str, Any]:
        until = self._as_of()
        return {"as_of": until, "data": figures.throughput(until, self._hour.get())}

    def _ask_sample(self) -> dict[str, Any]:
        until = self._as_of()
        return {"as_of": until, "data": sample.sample(until)}

    def _as_of(self) -> datetime:
        return figures.as_of(self._status.get()["books"]["last_flush"])


shared_figures = SharedFigures()
