"""Whether PostgreSQL says anything at all, asked on an event loop by a connection of its own.

A PostgreSQL that is frozen keeps whoever asks it waiting for minutes (see `postgres_silence`). Who has waited
for a while, and has others to answer, asks here: a look waits for LOOK_S and no longer, and all that ask at
once share it. One that is refused was answered too; one that waits for a session behind a pooler was not.
Where nothing comes PostgreSQL is silent, until a look shows that it is not: one after the other from then on.
"""

import asyncio
import logging
from contextvars import Context
from time import monotonic

from .per_loop import PerLoop
from .postgres_on_loop import connect

log = logging.getLogger(__name__)

# How long a look waits, for how long it holds, and how long after one in vain the next begins, in seconds.
LOOK_S = 3.0
HOLDS_S = 1.0
AGAIN_S = 1.0


class PostgresLook:
    """What the last look showed, for one event loop."""

    def __init__(self) -> None:
        self.silent = False
        self._looking: asyncio.Task[None] | None = None
        self._answered_at = float("-inf")

    async def is_silent(self) -> bool:
        """Whether nothing comes from PostgreSQL: told within LOOK_S, and at once while it is known."""
        if not self.silent and monotonic() > self._answered_at + HOLDS_S:
            if self._looking is None or self._looking.done():
                self._looking = asyncio.create_task(self._look(), context=Context())
            await asyncio.shield(self._looking)
        return self.silent

    async def _look(self) -> None:
        if await _answers():
            self._answered_at = monotonic()
            return
        log.error("PostgreSQL says nothing: who waits for it is told so")
        self.silent = True
        self._looking = asyncio.create_task(self._until_it_answers(), context=Context())

    async def _until_it_answers(self) -> None:
        try:
            while True:
                await asyncio.sleep(AGAIN_S)
                if await _answers():
                    break
            log.warning("PostgreSQL answers again")
        finally:
            self.silent, self._answered_at = False, monotonic()


postgres_look = PerLoop(PostgresLook)


async def _answers() -> bool:
    try:
        async with asyncio.timeout(LOOK_S):
            # Whoever is let in has asked something already, be it through a pooler.
            connection = await connect()
    except TimeoutError:
        return False
    except Exception as error:  # whatever it is, it is no silence, and who waits hears of it by himself
        log.info("A look at PostgreSQL was refused: %s", type(error).__name__)
        return True
    connection.close()
    return True
