"""A TCP proxy in front of a server's Unix socket: loses answers, goes silent, cuts connections."""

import asyncio
import contextlib
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

CHUNK_BYTES = 65_536
# How long a rule waits for the answer that it is to lose.
ANSWER_S = 10.0


@dataclass
class Rule:
    """What befalls the next request that contains `pattern`, once.

    `forward`: the server gets it. `answer_bytes` of the answer still come through; then the
    connection is cut, or with `silent` stays open and says nothing more.
    """

    pattern: bytes
    forward: bool = True
    answer_bytes: int = 0
    silent: bool = False
    hit: threading.Event = field(default_factory=threading.Event)


class Line:
    """One proxied connection."""

    def __init__(self, proxy: "Proxy", reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.proxy, self.reader, self.writer = proxy, reader, writer
        self.left: int | None = None  # bytes of answers that still come through, None for all
        self.rule: Rule | None = None
        self.server: asyncio.StreamWriter | None = None
        self.answered = asyncio.Event()

    async def run(self) -> None:
        answers, self.server = await asyncio.open_unix_connection(str(self.proxy.target))
        tasks = [asyncio.create_task(self._requests()), asyncio.create_task(self._answers(answers))]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def close(self) -> None:
        for writer in (self.writer, self.server):
            if writer is not None:
                writer.transport.abort()

    async def _requests(self) -> None:
        assert self.server is not None
        while data := await self.reader.read(CHUNK_BYTES):
            await self.proxy.open.wait()
            rule = self.proxy.take_rule(data)
            if rule is not None:
                self.rule, self.left = rule, rule.answer_bytes
                self.answered.clear()
            if rule is None or rule.forward:
                self.server.write(data)
            if rule is not None:
                if rule.forward:
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self.answered.wait(), ANSWER_S)
                rule.hit.set()
                if rule.silent:
                    await asyncio.Event().wait()
                return

    async def _answers(self, answers: asyncio.StreamReader) -> None:
        while data := await answers.read(CHUNK_BYTES):
            await self.proxy.open.wait()
            self.writer.write(data[: self.left])
            if self.left is not None:
                self.left = max(0, self.left - len(data))
                await self.writer.drain()
            self.answered.set()


class Proxy:
    """Listens on a port of 127.0.0.1, on a thread of its own."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.port = 0
        self._rules: list[Rule] = []
        self._lines: set[Line] = set()
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        assert self._ready.wait(10)

    def rule(
        self, pattern: bytes, *, forward: bool = True, answer_bytes: int = 0, silent: bool = False
    ) -> Rule:
        """Sets a rule for one request to come; its `hit` tells when it has come."""
        rule = Rule(pattern, forward, answer_bytes, silent)
        self._rules.append(rule)
        return rule

    def take_rule(self, data: bytes) -> Rule | None:
        for rule in self._rules:
            if rule.pattern in data:
                self._rules.remove(rule)
                return rule
        return None

    def silence(self) -> None:
        """A black hole: connections stay open, are even taken, and nothing passes."""
        self._call(self.open.clear)

    def heal(self) -> None:
        """What hung is cut, and new connections pass."""
        self.cut()
        self._call(self.open.set)

    def cut(self) -> None:
        """Resets every connection."""
        self._call(self._close_lines)

    def close(self) -> None:
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def _close_lines(self) -> None:
        for line in list(self._lines):
            line.close()

    def _call(self, action: Callable[[], None]) -> None:
        done = threading.Event()

        def run() -> None:
            action()
            done.set()

        self._loop.call_soon_threadsafe(run)
        assert done.wait(10)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self.open = asyncio.Event()
        self.open.set()
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.05))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        line = Line(self, reader, writer)
        self._lines.add(line)
        try:
            with contextlib.suppress(OSError):
                await self.open.wait()
                await line.run()
        finally:
            self._lines.discard(line)
            line.close()
