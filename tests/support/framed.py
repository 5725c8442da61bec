"""Clients of the websocket's frames, in this process and over a server."""

import json
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from asgiref.sync import async_to_sync
from asgiref.testing import ApplicationCommunicator
from django.contrib.auth.models import User
from websockets.sync.client import ClientConnection

from tests.support.accepting import record
from tests.support.watching import PATH, PATIENCE_S, heard, watch
from transaction_monitoring.routing import websocket_application
from transactions.intake import ingest
from transactions.intake.ingest import CALL_RECORDS_MAX
from transactions.live import feed
from transactions.queue.records import Record

Frame = dict[str, Any]
FRAMES = f"{PATH}?frames=1"


class Dashboard:
    """A client of the consumer in this very process, connected and accepted."""

    def __init__(self, socket: Any) -> None:
        self._socket = socket
        self.acknowledges = True

    @classmethod
    async def connect(cls, query: str = "frames=1", **headers: str) -> "Dashboard":
        communicator: Any = ApplicationCommunicator
        named = {"Host": "testserver", **headers}
        scope = {
            "type": "websocket",
            "path": PATH,
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in named.items()],
        }
        socket = communicator(websocket_application, scope)
        await socket.send_input({"type": "websocket.connect"})
        assert (await socket.receive_output(PATIENCE_S))["type"] == "websocket.accept"
        return cls(socket)

    async def message(self) -> dict[str, Any]:
        """What the server sends or does next, in ASGI's words."""
        told: dict[str, Any] = await self._socket.receive_output(PATIENCE_S)
        return told

    async def frame(self, kind: str) -> Frame:
        """The next frame, which is of that type; those of alerts come beside all others, at any time."""
        frame: Frame = json.loads((await self.message())["text"])
        while frame["type"] == "alert" != kind:
            frame = json.loads((await self.message())["text"])
        assert frame["type"] == kind, frame
        if kind == "run" and self.acknowledges:
            await self.say(json.dumps({"ack": frame["last"]}))
        return frame

    async def runs(self, upto: int) -> list[Frame]:
        """The runs up to number `upto`."""
        frames = [await self.frame("run")]
        while frames[-1]["last"] < upto:
            frames.append(await self.frame("run"))
        return frames

    async def say(self, text: str) -> None:
        await self._socket.send_input({"type": "websocket.receive", "text": text})

    async def silent(self, seconds: float) -> bool:
        return bool(await self._socket.receive_nothing(seconds, 0.05))

    async def leave(self) -> None:
        await self._socket.send_input({"type": "websocket.disconnect", "code": 1000})
        await self._socket.wait(PATIENCE_S)


def play(scenario: Callable[[], Awaitable[None]]) -> None:
    """Runs a scenario on a loop of its own."""
    async_to_sync(scenario)()


async def put(records: Iterable[Record]) -> None:
    """Accepts records as one request does, and waits until they are announced."""
    await ingest.accept(list(records), "test")
    await feed.drain()


async def accept(user: User, *ids: str) -> None:
    """The same, of records that differ in nothing but their ids, a script call's worth at a time."""
    for at in range(0, len(ids), CALL_RECORDS_MAX):
        await ingest.accept([record(id, user) for id in ids[at : at + CALL_RECORDS_MAX]], "test")
    await feed.drain()


def numbered(first: int, last: int) -> list[str]:
    return [f"TRX{number}" for number in range(first, last + 1)]


def ids_of(frames: Iterable[Frame]) -> list[str]:
    return [shown["transaction_id"] for frame in frames for shown in frame["records"]]


def follow_on(frames: Iterable[Frame], after: int) -> int:
    """Asserts that runs leave nothing out from number `after` on and count rightly; gives the last number."""
    for frame in frames:
        assert frame["first"] == after + 1
        assert frame["count"] == frame["last"] - after
        assert frame["sampled"] == (len(frame["records"]) < frame["count"])
        numbers = [shown["seq"] for shown in frame["records"]]
        assert numbers == sorted(set(numbers))
        assert after < numbers[0]
        assert numbers[-1] == frame["last"]
        after = frame["last"]
    return after


@contextmanager
def attend(url: str, query: str = "") -> Iterator[tuple[ClientConnection, Frame]]:
    """A client over a server, and the hello that it got."""
    with watch(url, FRAMES + query) as websocket:
        hello = heard(websocket)
        assert hello["type"] == "hello"
        yield websocket, hello


def runs_from(websocket: ClientConnection, upto: int) -> list[Frame]:
    """The runs up to number `upto`, each acknowledged; other frames are left out."""
    frames: list[Frame] = []
    while not frames or frames[-1]["last"] < upto:
        frame = heard(websocket)
        assert frame["type"] in ("run", "stored", "alive"), frame
        if frame["type"] == "run":
            frames.append(frame)
            websocket.send(json.dumps({"ack": frame["last"]}))
    return frames
