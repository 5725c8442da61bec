"""Clients of three machines: those that post, at whichever web answers, and one that watches."""

import contextlib
import json
import threading
import time
from collections.abc import Sequence
from http import HTTPStatus

from websockets.exceptions import ConnectionClosed, InvalidHandshake
from websockets.sync.client import ClientConnection

from tests.faults.ledger import Ledger
from tests.faults.load import Connection, Load, Post
from tests.machines.cluster import Cluster
from tests.machines.machine import WEB_PORT
from tests.machines.network import Namespace
from tests.support.watching import PATH, watch

CONNECTIONS = 12
# A run comes within this, in seconds, or `alive`: else the watcher takes the connection for dead.
SILENCE_S = 15.0


class MachineLoad(Load):
    """Clients of the webs of some machines; `where` is the namespace that they post from."""

    def __init__(
        self,
        cluster: Cluster,
        ledger: Ledger,
        seed: int,
        name: str,
        machines: Sequence[str],
        where: Namespace | None = None,
        connections: int = CONNECTIONS,
    ) -> None:
        super().__init__(WEB_PORT, ledger, seed, name, connections)
        self.addresses = [(cluster.addresses[each], WEB_PORT) for each in machines]
        self.headers = f"Authorization: Bearer {cluster.token}\r\n"
        self.where = where
        for connection in self.connections:
            connection.at = connection.number
        # In seconds: the longest that nobody was answered 200.
        self.longest_gap_s = 0.0
        self._taken_at = time.monotonic()

    def _run(self) -> None:
        if self.where is not None:
            self.where.enter()
        self._taken_at = time.monotonic()
        super()._run()

    def _learn(self, connection: Connection, post: Post, status: int | None, refused: dict[int, str]) -> None:
        super()._learn(connection, post, status, refused)
        if status == HTTPStatus.OK:
            now = time.monotonic()
            self.longest_gap_s = max(self.longest_gap_s, now - self._taken_at)
            self._taken_at = now


class Watcher:
    """A dashboard that resumes wherever it finds a web, and counts what it was not shown."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.shown = self.connects = self.reloads = 0
        self.holes: list[str] = []
        self._epoch, self._last = "", -1
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> "Watcher":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(SILENCE_S + 30)

    def _run(self) -> None:
        while not self._ended.is_set():
            for machine in self.cluster.alive:
                if not self._ended.is_set():
                    with contextlib.suppress(OSError, TimeoutError, ConnectionClosed, InvalidHandshake):
                        self._follow(f"http://{machine.address}:{WEB_PORT}")
            self._ended.wait(0.3)

    def _follow(self, url: str) -> None:
        since = f"&since={self._last}&epoch={self._epoch}" if self._last >= 0 else ""
        headers = {"Authorization": f"Bearer {self.cluster.token}"}
        with watch(url, f"{PATH}?frames=1{since}", host="127.0.0.1", **headers) as feed:
            self.connects += 1
            while not self._ended.is_set():
                self._take(feed, json.loads(feed.recv(timeout=SILENCE_S)))

    def _take(self, feed: ClientConnection, frame: dict[str, object]) -> None:
        kind, epoch = str(frame["type"]), str(frame.get("epoch", ""))
        if kind == "hello" and self._last < 0:
            self._epoch, self._last = epoch, int(str(frame["seq"]))
        elif kind == "reload":
            self.reloads += 1
            self._epoch, self._last = epoch, int(str(frame["seq"]))
        elif kind == "run":
            first, last = int(str(frame["first"])), int(str(frame["last"]))
            if first != self._last + 1:
                self.holes.append(f"after {self._last} came {first} to {last}")
            self.shown += last - first + 1
            self._epoch, self._last = epoch, last
            feed.send(json.dumps({"ack": last}))
