"""The client: HTTP over keep-alive connections, light enough not to be what is measured.

One thread and one epoll, no event loop above them: about 10 µs a request, where the fastest server
here takes 50. Of an answer only the status and the length are read.
"""

import gc
import re
import select
import socket
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field

Address = tuple[str, int]
# The bytes of the request of that number.
Make = Callable[[int], bytes]

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_READ_BYTES = 65536
# What a request may take before it counts as unanswered.
SILENCE_S = 30.0


@dataclass(slots=True)
class Load:
    """What came back: latencies in ms and statuses (0: the connection broke) within `seconds`."""

    seconds: float
    latencies_ms: list[float] = field(default_factory=list)
    # When each of them was answered, on the monotonic clock.
    answered_at: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)

    @property
    def good(self) -> int:
        return self.statuses[200]

    @property
    def per_second(self) -> float:
        return self.good / self.seconds

    @property
    def bad(self) -> int:
        return self.statuses.total() - self.good

    def percentile_ms(self, percent: float) -> float:
        return percentile(self.latencies_ms, percent)

    def between(self, start: float, end: float) -> list[float]:
        """Latencies of what was answered between two moments."""
        pairs = zip(self.answered_at, self.latencies_ms, strict=True)
        return [latency for moment, latency in pairs if start <= moment < end]


def percentile(values: list[float], percent: float) -> float:
    """The value that `percent` of `values` do not exceed; NaN of none."""
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


@dataclass(slots=True, eq=False)
class _Line:
    """One connection: the answer as far as it has come, and what of the request is not yet sent."""

    socket: socket.socket
    since: float = 0.0
    received: bytes = b""
    unsent: memoryview = field(default_factory=lambda: memoryview(b""))


class Client:
    """`connections` keep-alive connections to one server."""

    def __init__(self, address: Address, connections: int, make: Make) -> None:
        self._address, self._make = address, make
        self._epoll = select.epoll()
        self._lines: dict[int, _Line] = {}
        self._number = 0
        self._load = Load(1.0)
        self._count_from = 0.0
        for _ in range(connections):
            self._connect()

    def __enter__(self) -> "Client":
        gc.collect()
        gc.disable()
        return self

    def __exit__(self, *error: object) -> None:
        gc.enable()
        for line in self._lines.values():
            line.socket.close()
        self._epoll.close()

    def closed(self, seconds: float, warm_up_s: float) -> Load:
        """Every connection posts again as soon as it is answered; counted after the warm-up."""
        self._start(seconds, warm_up_s)
        end = self._count_from + seconds
        for line in list(self._lines.values()):
            self._post(line, time.monotonic())
        while (now := time.monotonic()) < end:
            for line in self._answered(end - now):
                self._post(line, time.monotonic())
        self._finish()
        return self._load

    def open(self, rate: float, seconds: float, each: Callable[[], None] | None = None) -> Load:
        """`rate` requests a second, come what may; `each` is called about every 100 ms.

        Latency counts from when a request was due, so a server that stalls is charged for all that
        would have come meanwhile.
        """
        self._start(seconds, 0.0)
        begin, total = time.monotonic(), int(rate * seconds)
        idle, due, called = deque(self._lines.values()), deque[float](), begin
        sent = 0
        while sent < total or due or len(idle) < len(self._lines):
            now = time.monotonic()
            if now > begin + seconds + SILENCE_S:
                break
            while sent < total and begin + sent / rate <= now:
                due.append(begin + sent / rate)
                sent += 1
            while due and idle:
                self._post(idle.popleft(), due.popleft())
            if each is not None and now - called > 0.1:
                each()
                called = now
            wait = begin + sent / rate - time.monotonic() if sent < total else 0.1
            idle.extend(self._answered(max(0.0, wait)))
        self._finish()
        return self._load

    def _start(self, seconds: float, warm_up_s: float) -> None:
        self._load = Load(seconds)
        self._count_from = time.monotonic() + warm_up_s

    def _finish(self) -> None:
        """Waits for what is under way, uncounted: the next load begins with idle connections."""
        self._count_from = float("inf")
        end = time.monotonic() + SILENCE_S
        while any(line.since for line in self._lines.values()) and time.monotonic() < end:
            self._answered(0.1)

    def _connect(self) -> _Line:
        line = _Line(socket.create_connection(self._address))
        line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        line.socket.setblocking(False)
        self._lines[line.socket.fileno()] = line
        self._epoll.register(line.socket.fileno(), select.EPOLLIN)
        return line

    def _post(self, line: _Line, since: float) -> None:
        line.since = since
        request = self._make(self._number)
        self._number += 1
        try:
            sent = line.socket.send(request)
        except BlockingIOError:
            sent = 0
        except OSError:
            sent = len(request)  # The broken line shows when it is read.
        if sent < len(request):
            line.unsent = memoryview(request)[sent:]
            self._epoll.modify(line.socket.fileno(), select.EPOLLIN | select.EPOLLOUT)

    def _send_rest(self, line: _Line) -> None:
        line.unsent = line.unsent[line.socket.send(line.unsent) :]
        if not line.unsent:
            self._epoll.modify(line.socket.fileno(), select.EPOLLIN)

    def _answered(self, timeout_s: float) -> list[_Line]:
        """The lines that are free again after at most that long."""
        free = []
        for number, event in self._epoll.poll(timeout_s):
            line = self._lines[number]
            try:
                if event & select.EPOLLOUT and line.unsent:
                    self._send_rest(line)
                if not event & ~select.EPOLLOUT:
                    continue
                data = line.socket.recv(_READ_BYTES)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if not data:
                free.append(self._replace(line))
                continue
            data = line.received = line.received + data
            if _whole(data):
                line.received = b""
                self._note(line, int(data[9:12]))
                free.append(line)
        return free

    def _note(self, line: _Line, status: int) -> None:
        now = time.monotonic()
        if now >= self._count_from:
            self._load.statuses[status] += 1
            if status == 200:
                self._load.latencies_ms.append((now - line.since) * 1000)
                self._load.answered_at.append(now)
        line.since = 0.0

    def _replace(self, line: _Line) -> _Line:
        """A new line for one that the server has closed."""
        self._note(line, 0)
        self._epoll.unregister(line.socket.fileno())
        del self._lines[line.socket.fileno()]
        line.socket.close()
        return self._connect()


def _whole(answer: bytes) -> bool:
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    length = _LENGTH.search(answer, 0, end)
    return length is not None and len(answer) >= end + 4 + int(length[1])
