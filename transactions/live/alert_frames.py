"""Alert frames: how the alerts stand, told to who may see them, once something of it has changed.

A frame tells the whole, so that one stands for any number of changes, and the latest is all that counts.
What it says is made above this room, by the dashboard, which answers polls with the same.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping

from channels.db import database_sync_to_async
from django.core.serializers.json import DjangoJSONEncoder
from django.db import Error as DatabaseError

from ..stores.postgres_silence import watched_threads

log = logging.getLogger(__name__)

# Seconds between two frames of a process, at the least; and in which PostgreSQL is asked again once it has
# failed.
PAUSE_S = 0.5
AGAIN_S = 5.0
# A pause is so many times as long as it took to ask, at the least: reckoned where it is asked, so that a busy
# event loop, which has the answer later, does not hold up the next frame too.
TIMES_ITS_COST = 10.0

# How the alerts stand, no older than the call. Blocks, and raises django.db.Error.
Ask = Callable[[], Mapping[str, object]]
_how_they_stand: Ask = dict


def made_by(ask: Ask) -> None:
    """From now on frames say what `ask` finds."""
    global _how_they_stand
    _how_they_stand = ask


class AlertFrames:
    """Those of one event loop: the latest, encoded once for everybody, and how many there have been."""

    def __init__(self) -> None:
        self.number = 0
        self.latest = ""
        self._changed = asyncio.Event()

    def hear(self) -> None:
        """Alerts have changed, and that is committed."""
        self._changed.set()

    async def keep_up(self) -> None:
        """Asks whenever something has changed, with a pause in between."""
        while True:
            await self._changed.wait()
            # Before it is asked: what changes from now on is asked for again.
            self._changed.clear()
            try:
                self.latest, seconds = await _ask()
            except Exception as error:
                # Transactions are shown all the same. A fault of ours deserves its traceback.
                is_ours = not isinstance(error, DatabaseError)
                log.warning("Dashboards cannot be told how the alerts stand (%r)", error, exc_info=is_ours)
                self._changed.set()
                await asyncio.sleep(AGAIN_S)
            else:
                self.number += 1
                await asyncio.sleep(max(PAUSE_S, TIMES_ITS_COST * seconds))


def _encoded() -> tuple[str, float]:
    """The frame, and the seconds that it took to ask for it."""
    began = time.monotonic()
    told = {"type": "alert", **_how_they_stand()}
    seconds = time.monotonic() - began
    return json.dumps(told, cls=DjangoJSONEncoder, ensure_ascii=False, separators=(",", ":")), seconds


_ask = database_sync_to_async(_encoded, thread_sensitive=False, executor=watched_threads(1, "alerts"))
