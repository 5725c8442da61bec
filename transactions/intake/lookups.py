"""What PostgreSQL knows of ids and users, asked from the hot path and never waited for long.

Without an answer in time, intake goes on from Redis alone and what PostgreSQL could have told is decided
at the flush.
"""

import time
from collections.abc import Iterable
from typing import Any

from ..queue.records import escape, state_text
from ..stores.postgres_on_loop import Questions, fetch
from ..tables import TRANSACTIONS, USER_KEY, USERS

# Connections that are kept for the next question.
KEPT_MAX = 2
# How long a user once seen is taken to exist. One deleted since is refused at the flush.
USER_KNOWN_S = 60.0
USERS_MAX = 200_000

# Purpose: the stored state of each id of a group, for the second-POST rules. The ids come as one
# text: a thousand constants would take longer to read than to look up. No id holds a tab.
SELECT_STATES = f"""
    SELECT transaction_id, status, user_id, amount, created_at, accepted_at, settled_as_of
      FROM {TRANSACTIONS} WHERE transaction_id = ANY(string_to_array(%s, E'\\t'))
"""
# Purpose: which of these users exist.
SELECT_USERS = f"SELECT {USER_KEY} FROM {USERS} WHERE {USER_KEY} = ANY(%s)"


class Lookups(Questions):
    """Connections to PostgreSQL for look-ups, and the users seen lately; one per process."""

    def __init__(self) -> None:
        super().__init__(KEPT_MAX)
        self._users: dict[int, float] = {}

    def unknown_users(self, users: Iterable[int]) -> set[int]:
        """Those of `users` that nobody has seen lately."""
        now = time.monotonic()
        return {user for user in users if self._users.get(user, 0.0) < now}

    async def ask(self, ids: list[str], users: set[int]) -> tuple[dict[str, str], set[int]] | None:
        """States by escaped id and those of `users` that do not exist; None without an answer in time."""

        async def questions(connection: Any) -> tuple[dict[str, str], set[int]]:
            return await self._states(connection, ids), await self._missing(connection, users)

        return await self.answer(questions)

    async def _states(self, connection: Any, ids: list[str]) -> dict[str, str]:
        rows = await fetch(connection, SELECT_STATES, "\t".join(ids))
        return {escape(id): state_text(*state) for id, *state in rows}

    async def _missing(self, connection: Any, users: set[int]) -> set[int]:
        if not users:
            return set()
        found = {row[0] for row in await fetch(connection, SELECT_USERS, list(users))}
        self._remember(found)
        return users - found

    def _remember(self, users: set[int]) -> None:
        if len(self._users) > USERS_MAX:
            self._users.clear()
        until = time.monotonic() + USER_KNOWN_S
        self._users.update(dict.fromkeys(users, until))

    def forget(self) -> None:
        """Forgets the users and closes the connections, for a test that begins or a database that goes."""
        self._users.clear()
        super().forget()


lookups = Lookups()
