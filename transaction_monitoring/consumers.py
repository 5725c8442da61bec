"""The websocket: what is accepted, shown as it is accepted."""

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Any

import orjson
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import Error as DatabaseError
from redis.exceptions import RedisError

from transactions.feed import GROUP

from .handshake import may_watch, request_of

log = logging.getLogger(__name__)

# Records shown to one connection in a second; about 250 kB.
SHOWN_PER_SECOND_MAX = 2_000
# Bytes that may wait in this process for one connection's client to read.
UNSENT_BYTES_MAX = 1024 * 1024
# What a client may say, which nobody listens to: a heartbeat of its own, say.
HEARD_PER_SECOND_MAX = 10
HEARD_BYTES_MAX = 1024
# Longest time between two looks at a connection's credentials, in seconds.
LOOK_AGAIN_S = 60.0

FIELDS = ("transaction_id", "user", "amount", "status")

# Daphne lets an application close with 3000 to 4999 alone; these are like 1008, 1009 and 1013.
CREDENTIALS_ENDED = 4003
TOO_SLOW = 4008
TOO_LARGE_MESSAGE = 4009
TRY_AGAIN = 4013
TOO_MANY_MESSAGES = 4029

Scope = dict[str, Any]
Send = Callable[[dict[str, Any]], Any]

# Off the loop, and not on the one thread that all synchronous code of a loop shares by default:
# while PostgreSQL is silent nobody waits but who asks.
_may_watch = database_sync_to_async(may_watch, thread_sensitive=False)


class Pace:
    """Counts events of the running second and says when they are too many."""

    def __init__(self, per_second_max: int) -> None:
        self._max = per_second_max
        self._second = 0
        self._count = 0

    def exceeded_by(self, events: int) -> bool:
        second = int(asyncio.get_running_loop().time())
        if second != self._second:
            self._second, self._count = second, 0
        self._count += events
        return self._count > self._max


def unsent_bytes(send: Send) -> int:
    """Bytes that Daphne has taken for a connection and the kernel has not; 0 under another server.

    ASGI has no word for this and Daphne takes without bound, so this looks into Daphne's `send`
    and its Twisted transport. A test with a client that does not read fails if they change.
    """
    protocol = next(iter(getattr(send, "args", ())), None)
    transport = getattr(protocol, "transport", None)
    waiting = len(getattr(transport, "dataBuffer", b"")) - getattr(transport, "offset", 0)
    return int(waiting + getattr(transport, "_tempDataLen", 0))


class TransactionStream(AsyncWebsocketConsumer):  # type: ignore[misc]
    """/ws/admin/transactions/: a JSON text message for each accepted transaction, in order.

    A handshake without the right to read, or of a foreign page, is answered 403. A client need not
    say anything. The server closes with

    - 4003  the session has ended, the token was revoked, or the right to read was taken away,
    - 4008  more than SHOWN_PER_SECOND_MAX transactions came in a second, or the client reads so
            slowly that more than UNSENT_BYTES_MAX bytes wait for it,
    - 4009  the client sent a message of more than HEARD_BYTES_MAX bytes,
    - 4013  the channel layer failed: connect again, in a while,
    - 4029  the client sent more than HEARD_PER_SECOND_MAX messages in a second.

    A message over Daphne's own limit (1 MiB), or no answer to its pings, cuts the connection off.
    """

    async def __call__(self, scope: Scope, receive: Callable[[], Any], send: Send) -> None:
        self._ended = False
        self._shown = Pace(SHOWN_PER_SECOND_MAX)
        self._heard = Pace(HEARD_PER_SECOND_MAX)
        self._watch: asyncio.Task[None] | None = None
        try:
            await super().__call__(scope, receive, send)
        except (RedisError, OSError) as error:
            log.warning(
                "The channel layer failed (%s); a dashboard has to connect again", type(error).__name__
            )
            await self.end(TRY_AGAIN)
        finally:
            if self._watch is not None:
                self._watch.cancel()

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Without channels' visit to a thread at every message: handlers here leave the database alone.

        A group message of a type unknown here comes from a later release during its roll-out.
        """
        handler = getattr(self, message["type"].replace(".", "_"), None)
        if handler is not None:
            await handler(message)

    async def connect(self) -> None:
        request = request_of(self.scope)
        try:
            admitted = await _may_watch(request)
        except DatabaseError as error:
            log.warning("A websocket's credentials cannot be checked (%s)", type(error).__name__)
            admitted = False
        if not admitted:
            await self.end(CREDENTIALS_ENDED)
            return
        # Before the client learns that it is connected: what is accepted after that, it sees.
        await self.channel_layer.group_add(GROUP, self.channel_name)
        await self.accept()
        self._watch = asyncio.create_task(self._look_again())

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(GROUP, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        size = len(bytes_data or b"") if text_data is None else len(text_data.encode())
        if size > HEARD_BYTES_MAX:
            await self.end(TOO_LARGE_MESSAGE)
        elif self._heard.exceeded_by(1):
            await self.end(TOO_MANY_MESSAGES)

    async def transactions_accepted(self, event: dict[str, Any]) -> None:
        """Shows the records of a group message of `transactions.feed`."""
        records = event["records"]
        if self._ended:
            return
        if self._shown.exceeded_by(len(records)):
            log.info("A dashboard was closed: more came in a second than it is shown")
            await self.end(TOO_SLOW)
            return
        if (unsent := unsent_bytes(self.base_send)) > UNSENT_BYTES_MAX:
            log.info("A dashboard was closed: it reads too slowly, %d bytes wait for it", unsent)
            await self.end(TOO_SLOW)
            return
        for record in records:
            await self.send(text_data=orjson.dumps({name: record[name] for name in FIELDS}).decode())

    async def end(self, code: int) -> None:
        """Closes the connection, once; before it is accepted the client sees a 403 instead of the code."""
        if not self._ended:
            self._ended = True
            await self.close(code)

    async def _look_again(self) -> None:
        """Now and then: may the client still watch, and does the group still know of it?

        The group forgets its members after a day, and when Redis is emptied.
        """
        while not self._ended:
            # Spread, since a restart makes everybody connect at once.
            await asyncio.sleep(LOOK_AGAIN_S * random.uniform(0.5, 1.0))
            try:
                if not await _may_watch(request_of(self.scope)):
                    await self.end(CREDENTIALS_ENDED)
                    return
                await self.channel_layer.group_add(GROUP, self.channel_name)
            except (DatabaseError, RedisError, OSError) as error:
                # Who was let in stays while nobody can tell.
                log.warning("A dashboard could not be looked at again (%s)", type(error).__name__)
