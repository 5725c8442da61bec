"""How long a turn of this process's event loop takes to come: that of the requests, the lane and the feed.

Who asks does so in another thread, so a loop that is stuck is seen from beside it.
"""

import asyncio
from threading import Event
from time import perf_counter

# Seconds that are waited for a turn.
PATIENCE_S = 3.0

_serving: list[asyncio.AbstractEventLoop] = []


def serve_here() -> None:
    """The running loop is the one that serves."""
    _serving[:] = [asyncio.get_running_loop()]


def delay_s() -> float | None:
    """Seconds until the serving loop takes a turn, PATIENCE_S at most.

    None where none serves, and on the loop itself, which cannot wait for its own turn.
    """
    if not _serving or not _serving[0].is_running() or _serving[0] is _here():
        return None
    turn, began = Event(), perf_counter()
    try:
        _serving[0].call_soon_threadsafe(turn.set)
    except RuntimeError:  # it was closed meanwhile
        return None
    turn.wait(PATIENCE_S)
    return min(perf_counter() - began, PATIENCE_S)


def _here() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
