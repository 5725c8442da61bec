"""Transactions that are asked for by their ids on an event loop: one question to each store for a group.

While one group is looked for, the requests that arrive gather, and the next takes all of them: so a busy
process asks little more often than an idle one. A group belongs to no request; whoever leaves takes nobody
with it. It is asked as `detail` asks, Redis before PostgreSQL.
"""

import asyncio
import logging
import time
from collections.abc import Sequence
from contextvars import Context
from datetime import UTC
from typing import Any

import redis.asyncio
import redis.exceptions

from ..queue.waiting import waiting_of
from ..stores.per_loop import PerLoop
from ..stores.postgres_on_loop import PAUSE_S, Questions, fetch
from ..stores.redis_connection import close, intake_connection
from ..tables import TRANSACTIONS
from .detail import COLUMNS, row_as_dict, waiting_as_dict

log = logging.getLogger(__name__)

# Ids of one group. The script keeps Redis from everybody else meanwhile: for some 0.2 ms.
GROUP_MAX = 200
# How long Redis is waited for, in seconds; for PAUSE_S after that it is not asked.
PATIENCE_S = 0.5
# Connections to PostgreSQL that are kept for the next group: there is one group at a time.
KEPT_MAX = 1

# Purpose: the rows of a group's ids, each by the index that keeps ids apart. No id here has a tab.
SELECT_ROWS = f"""
    SELECT {COLUMNS}
      FROM {TRANSACTIONS} WHERE transaction_id = ANY(string_to_array(%s, E'\\t'))
"""

Found = dict[str, Any] | None


class Finder:
    """Finds transactions for the requests of one event loop."""

    def __init__(self) -> None:
        self._redis = intake_connection()
        self._postgres = Questions(KEPT_MAX)
        self._arrived: list[tuple[str, asyncio.Future[Found]]] = []
        self._finding: asyncio.Task[None] | None = None
        self._paused_until = 0.0

    async def find(self, id: str) -> Found:
        """The transaction of that id as the API shows it, waiting or stored.

        None where there is none of either kind, or a store has not answered: `detail` knows more then.
        """
        found: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        self._arrived.append((id, found))
        if self._finding is None:
            # In an empty context: its log lines are about a group, and bear no request's id.
            self._finding = asyncio.create_task(self._find_all(), context=Context())
        return await found

    async def close(self) -> None:
        """Ends once nothing is looked for any more."""
        if self._finding is not None:
            await self._finding
        self._postgres.forget()
        await close(self._redis)

    async def _find_all(self) -> None:
        """Looks for one group after the other."""
        try:
            while self._arrived:
                group = self._arrived[:GROUP_MAX]
                del self._arrived[:GROUP_MAX]
                shown: dict[str, dict[str, Any]] = {}
                try:
                    shown = await self._look(list({id for id, _ in group}))
                except (redis.exceptions.RedisError, OSError) as error:
                    self._paused_until = time.monotonic() + PAUSE_S
                    log.warning("Redis cannot be asked for transactions (%s)", type(error).__name__)
                except Exception:
                    log.exception("A group of transactions was not found")
                for id, found in group:
                    if not found.done():
                        found.set_result(shown.get(id))
        finally:
            self._finding = None

    async def _look(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Those that wait or are stored, by id; none of them where a store does not answer."""
        if time.monotonic() < self._paused_until:
            return {}
        async with asyncio.timeout(PATIENCE_S):
            states = await waiting_of(self._redis, ids)
        rows = await self._postgres.answer(lambda asked: fetch(asked, SELECT_ROWS, "\t".join(ids)))
        if rows is None:
            return {}
        shown = {row[1]: row_as_dict(row) for row in rows}
        for row in shown.values():
            row["created_at"] = row["created_at"].astimezone(UTC)
        for id, state in zip(ids, states, strict=True):
            if state is not None:
                shown[id] = waiting_as_dict(id, state, shown.get(id))
        return shown


_finders = PerLoop(Finder)


def serve_here() -> Finder:
    """That of the running loop, made at the first call; for the loop of a server, which lasts."""
    return _finders.here()


async def find(id: str) -> Found:
    """As `Finder.find`, for a server's loop; None on any other."""
    finder = _finders.made_here()
    return None if finder is None else await finder.find(id)
