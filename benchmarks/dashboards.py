"""Dashboards on one Daphne process while transactions arrive: from the accepted POST to the frame.

Alone: `python -m benchmarks dashboards`. The dashboards are a process of their own (this module as
a program), one epoll over raw sockets that acknowledge every frame; its clock is the poster's. The
n-th answer is taken for the n-th number: within a call to Redis they may be the other way round,
which is milliseconds.
"""

import json
import re
import select
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from benchmarks import posts
from benchmarks.load import Address, Client, Load, percentile
from benchmarks.report import Section, number
from benchmarks.serving import OURS, ROOT, Server, serve
from benchmarks.stage import Stage, say, settle_up

RATE = 500
CONNECTIONS = 64
P99_MS_MAX = 500.0
# A share of the sockets, of whose frames every record counts; of all others the oldest of a frame.
COUNTED_SHARE = 10
HEADS = (
    "sockets",
    "POST p50 ms",
    "POST p99 ms",
    "not 200",
    "frames /s",
    "frame p50 ms",
    "frame p99 ms",
    "oldest p99 ms",
    "worst ms",
)

_RUN = re.compile(rb'\{"type":"run",[^{]*?"first":(\d+),"last":(\d+)')
# Frames that may be collected, and what each stands for: first and last number of records; twice how many
# alerts are open.
KINDS = {"run": _RUN, "alert": re.compile(rb'\{"type":"alert","as_of":"[^"]*","open":((\d+))')}


class Seen(NamedTuple):
    """A frame: which socket, when on the monotonic clock, and what it stands for."""

    socket: int
    at: float
    first: int
    last: int


def run(stage: Stage) -> Section:
    section = Section("Dashboards")
    sockets, seconds = (100, 5.0) if stage.scale.quick else (1000, 30.0)
    rows, loads = [], []
    for count in (0, sockets):
        say(f"dashboards: {count} sockets, {RATE} POSTs/s for {seconds:.0f} s")
        with serve(Server("daphne", OURS)) as address:
            load, seen, base = _turn(stage, address, count, seconds)
        each, oldest = _latencies_ms(load, seen, base)
        frames = len(seen) / seconds
        row = (count, load.percentile_ms(50), load.percentile_ms(99), load.bad, frames)
        late = (percentile(each, 50), percentile(each, 99), percentile(oldest, 99), max(oldest, default=0.0))
        rows.append((*row, *late))
        loads.append(load)
    section.table(HEADS, rows)
    p99, ratio = rows[1][6], rows[1][2] / rows[0][2]
    what = f"{sockets} dashboards, {RATE} transactions/s"
    wanted = f"< {P99_MS_MAX:.0f} ms"
    section.target(f"{what}, POST to frame, p99", wanted, f"{number(p99)} ms", p99 < P99_MS_MAX)
    section.target(f"{what}, POST's own p99", "≤ 2 × without", f"{ratio:.2f} ×", ratio <= 2.0)
    section.note(settle_up())
    return section


def _turn(stage: Stage, address: Address, sockets: int, seconds: float) -> tuple[Load, list[Seen], int]:
    make = posts.single(stage)
    with Client(address, 1, make) as first:
        first.closed(0.05, 0.0)  # the token becomes known
    with Client(address, CONNECTIONS, posts.single(stage)) as client:
        client.open(RATE, 2.0)
        with dashboards(address, sockets, "run") as (base, finish):
            load = client.open(RATE, seconds)
            time.sleep(1.0)
            seen = finish()
    return load, seen, base


def _latencies_ms(load: Load, seen: list[Seen], base: int) -> tuple[list[float], list[float]]:
    """From the answer of a POST to the frame: of the records of some sockets, and of frames' oldest."""
    each, oldest = [], []
    answered = sorted(load.answered_at)
    for frame in seen:
        times = [(frame.at - at) * 1000 for at in answered[frame.first - base - 1 : frame.last - base]]
        oldest += times[:1]
        if frame.socket % COUNTED_SHARE == 0:
            each += times
    return each, oldest


@contextmanager
def dashboards(address: Address, sockets: int, kind: str) -> Iterator[tuple[int, Any]]:
    """The process of dashboards: the number they begin after, and a call that ends it for its frames of a
    kind.
    """
    command = [sys.executable, "-m", "benchmarks.dashboards", address[0], str(address[1]), str(sockets), kind]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        output, control = process.stdout, process.stdin

        def finish() -> list[Seen]:
            control.close()
            return [Seen(*frame) for frame in json.loads(output.read())]

        try:
            yield int(output.readline()), finish
        finally:
            process.kill()


# --- The process of dashboards -----------------------------------------------------------------


class Dashboard:
    """One socket: what of its stream is not yet a whole message."""

    def __init__(self, address: Address) -> None:
        self.socket = socket.create_connection(address)
        self.buffer = b""
        self.base = self.frames = 0
        self.acknowledge_every = 1
        self.socket.sendall(
            b"GET /ws/admin/transactions/?frames=1 HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
            b"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )

    def greet(self) -> None:
        """Reads the answer to the handshake and the hello."""
        while not (parts := self.buffer.partition(b"\r\n\r\n"))[1]:
            self.read()
        if b" 101 " not in parts[0][:20]:
            raise ConnectionError(parts[0].decode())
        self.buffer = parts[2]
        while not (messages := list(self.messages())):
            self.read()
        hello = json.loads(messages[0])
        self.base, self.acknowledge_every = hello["seq"], hello["acknowledge_every"]

    def read(self) -> None:
        data = self.socket.recv(1 << 18)
        if not data:
            raise ConnectionError("A dashboard was closed.")
        self.buffer += data

    def messages(self) -> Iterator[bytes]:
        """The texts that have come whole. Pings are answered, a close is an error."""
        while len(self.buffer) >= 2:
            kind, length, at = self.buffer[0] & 15, self.buffer[1] & 127, 2
            if length == 126:
                length, at = int.from_bytes(self.buffer[2:4], "big"), 4
            elif length == 127:
                length, at = int.from_bytes(self.buffer[2:10], "big"), 10
            if len(self.buffer) < at + length:
                return
            content, self.buffer = self.buffer[at : at + length], self.buffer[at + length :]
            if kind == 8:
                raise ConnectionError(f"A dashboard was closed with {struct.unpack('>H', content[:2])[0]}.")
            if kind == 9:
                self.send(10, content)
            else:
                yield content

    def acknowledge(self, last: bytes) -> None:
        self.frames += 1
        if self.frames % self.acknowledge_every == 0:
            self.send(1, b'{"ack":%s}' % last)

    def send(self, kind: int, content: bytes) -> None:
        """A short message, masked with zeros."""
        self.socket.sendall(bytes((128 | kind, 128 | len(content), 0, 0, 0, 0)) + content)


def watch(address: Address, count: int, kind: str) -> list[Seen]:
    """Opens the sockets, says so on stdout, and collects frames until stdin ends."""
    watching = {}
    epoll = select.epoll()
    for _ in range(count):
        dashboard = Dashboard(address)
        dashboard.greet()
        watching[dashboard.socket.fileno()] = dashboard
        epoll.register(dashboard.socket.fileno(), select.EPOLLIN)
    print(max((dashboard.base for dashboard in watching.values()), default=0), flush=True)
    epoll.register(sys.stdin.fileno(), select.EPOLLIN | select.EPOLLHUP)
    seen: list[Seen] = []
    while True:
        for file, _ in epoll.poll():
            if file == sys.stdin.fileno():
                return seen
            dashboard = watching[file]
            dashboard.read()
            now = time.monotonic()
            for message in dashboard.messages():
                if found := KINDS[kind].match(message):
                    seen.append(Seen(file, now, int(found[1]), int(found[2])))
                if run := _RUN.match(message):
                    dashboard.acknowledge(run[2])


if __name__ == "__main__":
    frames = watch((sys.argv[1], int(sys.argv[2])), int(sys.argv[3]), sys.argv[4])
    print(json.dumps(frames))
