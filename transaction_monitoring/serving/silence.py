"""Who waits while PostgreSQL says nothing is told so, soon, and does not wait for what is behind it.

A PostgreSQL that is frozen holds every thread that asks it, for minutes. Whoever has waited for SLOW_S has it
looked whether PostgreSQL says anything; see `stores.postgres_look`.
"""

import asyncio
from time import monotonic
from typing import Any

from transactions.access.turns import Busy
from transactions.stores.postgres_look import postgres_look

# With a look, pages hear of it before they call the server dead (ALIVE_MS in looks/system.js).
SLOW_S = 2.0


class PostgresSilent(Busy):
    """There is no answer, as PostgreSQL says nothing."""


async def unless_silent(*awaited: "asyncio.Future[Any]", timeout_s: float = float("inf")) -> None:
    """Returns once one of them is done, or the time is over. Raises PostgresSilent."""
    until = monotonic() + timeout_s
    while (left_s := until - monotonic()) > 0:
        if await _one_of(*awaited, timeout_s=min(SLOW_S, left_s)) or left_s <= SLOW_S:
            return
        look = asyncio.ensure_future(postgres_look.here().is_silent())
        try:
            if await _one_of(*awaited, look) and not any(each.done() for each in awaited) and look.result():
                raise PostgresSilent
        finally:
            look.cancel()


async def _one_of(*awaited: "asyncio.Future[Any]", timeout_s: float | None = None) -> bool:
    """Whether one of them is done in time."""
    return bool((await asyncio.wait(awaited, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED))[0])
