"""Looking at who may watch: in few threads, caller by caller, and those whom nobody knows pay for it.

Off the event loop, and not on the one thread that all synchronous code of a loop shares by default: while
PostgreSQL is silent nobody waits but who asks. A thousand dashboards that come back at once take no more
than these threads, and a thousand handshakes with made-up credentials wait behind each other alone.
"""

import asyncio

from asgiref.typing import WebSocketScope
from channels.db import database_sync_to_async

from ..access import rate_limits
from ..access.addresses import address_of
from ..access.known_callers import is_remembered, known_caller, token_of
from ..access.rights import Rights
from ..access.turns import Busy, Turns
from ..stores.per_loop import PerLoop
from ..stores.postgres_silence import watched_threads
from .handshake import rights_of_watcher

# So many at once, each on a connection of its own while it lasts.
LOOKS_AT_ONCE_MAX = 4
# More than dashboards that come back at once; and how long one waits, in seconds.
WAITING_MAX = 2_000
WAIT_S = 20.0

_rights_of_watcher = database_sync_to_async(
    rights_of_watcher,
    thread_sensitive=False,
    executor=watched_threads(LOOKS_AT_ONCE_MAX, "handshakes"),
)


class Looks:
    """The places of one event loop."""

    def __init__(self) -> None:
        self._free = LOOKS_AT_ONCE_MAX
        self._waiting: Turns[None] = Turns(WAITING_MAX)

    async def look(self, scope: WebSocketScope, caller: str) -> Rights:
        """What the sender may do. Raises Busy, and django.db.Error where only PostgreSQL could tell."""
        await self._take(caller)
        try:
            rights: Rights = await _rights_of_watcher(scope)
            return rights
        finally:
            self._give()

    async def _take(self, caller: str) -> None:
        if self._free:
            self._free -= 1
            return
        turn = self._waiting.join(caller)
        try:
            async with asyncio.timeout(WAIT_S):
                await asyncio.shield(turn)
        except BaseException as error:
            if not turn.done():
                self._waiting.leave(caller, turn)
            elif turn.exception() is None:
                self._give()
            if isinstance(error, TimeoutError):
                raise Busy from None
            raise

    def _give(self) -> None:
        if (turn := self._waiting.next()) is not None:
            turn.set_result(None)
        else:
            self._free += 1


_looks = PerLoop(Looks)


async def rights_now(scope: WebSocketScope) -> Rights:
    """What the sender of a handshake may do, asked in turn.

    Raises Busy where too many ask at once, or one address too often with credentials that nobody knows, and
    django.db.Error as `rights_of_watcher` does.
    """
    authorization = _header(scope, b"authorization")
    caller = known_caller(authorization, _header(scope, b"cookie"))
    if caller is None:
        caller = f"address:{_address(scope)}"
        token = token_of(authorization)
        if token is not None and await is_remembered(token):
            caller = "remembered"
        elif (allowance := await rate_limits.take(caller, 1)) is not None and allowance.wait_s:
            raise Busy
    return await _looks.here().look(scope, caller)


def _address(scope: WebSocketScope) -> str:
    client = scope.get("client")
    return address_of(client[0] if client else "", _header(scope, b"x-forwarded-for"))


def _header(scope: WebSocketScope, wanted: bytes) -> str:
    """A header's value; of several with one name all, as Django joins them."""
    return ",".join(value.decode("latin-1") for name, value in scope["headers"] if name == wanted)
