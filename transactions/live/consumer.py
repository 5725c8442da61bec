"""The websocket's consumer: one connection, from its handshake until it is closed."""

import asyncio
import logging
import random

import orjson
from asgiref.typing import (
    ASGIReceiveCallable,
    ASGIReceiveEvent,
    ASGISendCallable,
    ASGISendEvent,
    WebSocketScope,
)
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import Error as DatabaseError
from redis.exceptions import RedisError

from ..access.rights import NONE, Right, Rights
from ..access.turns import Busy
from .close_codes import (
    CREDENTIALS_ENDED,
    TOO_LARGE_MESSAGE,
    TOO_MANY_MESSAGES,
    TOO_SLOW,
    TRY_AGAIN,
    UNREADABLE_QUERY,
)
from .hub import Hub, hub_here
from .looks import rights_now
from .pace import Pace
from .readers import FramedReader, PlainReader
from .subscription import UnreadableQuery, subscription_of
from .unsent import unsent_bytes

log = logging.getLogger(__name__)

# Bytes that may wait in this process for one connection's client to read.
UNSENT_BYTES_MAX = 1024 * 1024
# Messages a second from a client of the plain stream. Nobody reads them: heartbeats, say.
HEARD_PER_SECOND_MAX = 10
# The same with frames. There are ten a second to acknowledge, but a client may do it in bursts.
ACKNOWLEDGED_PER_SECOND_MAX = 50
# Bytes of one message from a client.
HEARD_BYTES_MAX = 1024
# Longest time between two looks at a connection's credentials, in seconds.
LOOK_AGAIN_S = 60.0


def acknowledged(text: str | None) -> int | None:
    """The number in a client's `{"ack": number}`; None for anything else."""
    try:
        said = orjson.loads(text or "")
    except orjson.JSONDecodeError:
        return None
    number = said.get("ack") if isinstance(said, dict) else None
    return number if type(number) is int else None


class TransactionStream(AsyncWebsocketConsumer):  # type: ignore[misc]
    """/ws/admin/transactions/: each accepted transaction, in order, as a plain stream or in frames.

    A handshake without the right to read, or of a foreign page, is answered 403. The two forms are in
    `readers`, the codes with which the server closes in `close_codes`; docs/architecture.md describes both.
    """

    async def __call__(
        self, scope: WebSocketScope, receive: ASGIReceiveCallable, send: ASGISendCallable
    ) -> None:
        self._ended = False
        self._heard = Pace(HEARD_PER_SECOND_MAX)
        self._reader: PlainReader | FramedReader | None = None
        self._hub: Hub | None = None
        self._watch: asyncio.Task[None] | None = None
        self.scope, self.base_send = scope, self._sending(send)
        self._server_send = scope.get("state", {}).get("server_send")
        try:
            # In place of channels' own loop, which starts a task for every message and has a channel
            # for every connection: of the group, only the hub hears.
            while True:
                await self.dispatch(await receive())
        except StopConsumer:
            pass
        except (RedisError, OSError) as error:
            log.warning("Redis failed (%s); a dashboard has to connect again", type(error).__name__)
            await self.end(TRY_AGAIN)
        finally:
            if self._watch is not None:
                self._watch.cancel()
            if self._hub is not None and self._reader is not None:
                await self._hub.leave(self._reader)

    def _sending(self, send: ASGISendCallable) -> ASGISendCallable:
        """`send`, for a connection that may be closed already: whoever cannot be sent to is gone.

        A server raises then what it likes. Its word that the client has gone is on the way.
        """

        async def sending(message: ASGISendEvent) -> None:
            try:
                await send(message)
            except Exception as error:
                if not self._ended:
                    log.info("A dashboard is gone: it cannot be sent to (%s)", type(error).__name__)
                self._is_over()

        return sending

    def _is_over(self) -> None:
        """Nothing is sent from now on."""
        self._ended = True
        if self._reader is not None:
            self._reader.ready = False

    async def dispatch(self, message: ASGIReceiveEvent) -> None:
        """Calls the handler. Channels' own goes to a thread at every message, to close connections to the
        database; no handler here opens one.
        """
        await getattr(self, message["type"].replace(".", "_"))(message)

    async def connect(self) -> None:
        try:
            rights = await rights_now(self.scope)
        except Busy:
            rights = NONE
        except DatabaseError as error:
            log.warning("A websocket's credentials cannot be checked (%s)", type(error).__name__)
            rights = NONE
        if Right.READ not in rights:
            await self.end(CREDENTIALS_ENDED)
            return
        try:
            subscription = subscription_of(self.scope["query_string"])
        except UnreadableQuery:
            await self.accept()
            await self.end(UNREADABLE_QUERY)
            return
        if subscription.frames:
            self._heard = Pace(ACKNOWLEDGED_PER_SECOND_MAX)
            self._reader = FramedReader(self.tell, self.end, subscription)
        else:
            self._reader = PlainReader(self.tell, self.end)
        self._heed(rights)
        self._hub = hub_here()
        # Before the client learns that it is connected: it sees everything that is accepted after that.
        await self._hub.join(self._reader)
        self._reader.begin(self._hub.ring)
        await self.accept()
        await self._reader.hello(self._hub)
        self._reader.ready = not self._ended
        self._watch = asyncio.create_task(self._look_again())

    def _heed(self, rights: Rights) -> None:
        """From now on who has this right, and nobody else, is sent frames of alerts."""
        if isinstance(self._reader, FramedReader):
            self._reader.sees_alerts = Right.VIEW_ALERTS in rights

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        size = len(bytes_data or b"") if text_data is None else len(text_data.encode())
        if size > HEARD_BYTES_MAX:
            await self.end(TOO_LARGE_MESSAGE)
        elif self._heard.exceeded_by(1):
            await self.end(TOO_MANY_MESSAGES)
        elif self._reader is not None and (seq := acknowledged(text_data)) is not None:
            self._reader.acknowledge(seq)

    async def tell(self, text: str) -> None:
        """Sends a message, unless the client is too far behind in reading."""
        if self._ended:
            return
        if (unsent := unsent_bytes(self._server_send)) > UNSENT_BYTES_MAX:
            log.info("A dashboard was closed: it reads too slowly, %d bytes wait for it", unsent)
            await self.end(TOO_SLOW)
            return
        await self.base_send({"type": "websocket.send", "bytes": None, "text": text})

    async def end(self, code: int) -> None:
        """Closes the connection, once; before it is accepted the client sees a 403 instead of the code."""
        if not self._ended:
            self._is_over()
            await self.close(code)

    async def _look_again(self) -> None:
        """Closes the connection once its client may no longer watch, and shows no alerts once it may not see
        those; asks now and then.
        """
        while not self._ended:
            # Not all at one moment: after a restart everybody has connected at once.
            await asyncio.sleep(LOOK_AGAIN_S * random.uniform(0.5, 1.0))
            try:
                rights = await rights_now(self.scope)
                if Right.READ not in rights:
                    await self.end(CREDENTIALS_ENDED)
                    return
                self._heed(rights)
            except (DatabaseError, Busy) as error:
                # While nobody can tell, a client that was let in stays.
                log.warning("A dashboard could not be looked at again (%s)", type(error).__name__)
