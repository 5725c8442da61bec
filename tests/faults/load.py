"""Clients that post over keep-alive connections and note everything in a ledger, as a thread."""

import asyncio
import contextlib
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

from dev.waiting import wait_until
from tests.faults.ledger import Ledger, Sent
from tests.faults.system import USERS

CONNECTIONS = 8
ANSWER_S = 15.0
BATCH_MAX = 60
# Ids in every form that may be stored: a backslash and a slash, other scripts, an emoji.
SHAPES = ("{}", "{}", "{}", "inv/{}", "back\\slash\\n-{}", "zürich-{}", "收据-{}", "🧾 {}")
CREATED_AT = "2024-02-29T12:00:00.123456Z"
ACKNOWLEDGED_MIN = 1000
# Every fifth record has one of these amounts, for rules that look for them; the others have any.
AMOUNTS = (0, 999, 1000, 50_000)
AMOUNT_MAX = 2**63 - 2


OPPOSITE = {"SUCCESS": "FAILED", "FAILED": "SUCCESS"}


class Post(NamedTuple):
    """What one request carries, and whether it is what an honest client would send."""

    records: list[Sent]
    honest: bool = True


@dataclass
class Connection:
    """One client's connection, its own chances, and the transactions that are its alone."""

    number: int
    chance: random.Random
    reader: asyncio.StreamReader | None = None
    writer: asyncio.StreamWriter | None = None
    again: list[Post] = field(default_factory=list)
    pending: list[Sent] = field(default_factory=list)
    done: list[Sent] = field(default_factory=list)
    made: int = 0
    # Which of several addresses it uses: the next one, once this is of no use.
    at: int = 0


class Load:
    """`with Load(...)`: clients post until `stop`; what they saw is in the ledger and in `statuses`."""

    def __init__(
        self, port: int, ledger: Ledger, seed: int, name: str = "load", connections: int = CONNECTIONS
    ) -> None:
        self.ledger, self.seed, self.name = ledger, seed, name
        # Where the service is, in as many places as there are; what requests say beside their documents.
        self.addresses = [("127.0.0.1", port)]
        self.headers = ""
        self.statuses: Counter[int | None] = Counter()
        self.acknowledged = 0
        self.connections = [
            Connection(number, random.Random(f"{seed}/{name}/{number}")) for number in range(connections)
        ]
        self._stopping = False
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends the load once each client has its last answer. Raises what went wrong in a client."""
        self._stopping = True
        self._thread.join(60)
        assert not self._thread.is_alive(), "a client still waits for its answer"
        if self._failure is not None:
            raise self._failure

    def wait(self, more: int = ACKNOWLEDGED_MIN, seconds: float = 60.0) -> None:
        """Returns once `more` records than by now are acknowledged."""
        wanted = self.acknowledged + more
        reached = lambda: self.acknowledged >= wanted or self._failure  # noqa: E731
        wait_until(reached, seconds, f"{more} more records acknowledged (of {self.statuses})")

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failure = error

    async def _serve(self) -> None:
        await asyncio.gather(*(self._client(connection) for connection in self.connections))

    async def _client(self, connection: Connection) -> None:
        while not self._stopping:
            post = self._next(connection)
            status, refused = await self._post(connection, post.records)
            self._learn(connection, post, status, refused)
            await asyncio.sleep(connection.chance.uniform(0, 0.02) if status == 200 else 0.1)
        await self._hang_up(connection)

    # --- What a client does next --------------------------------------------------------------

    def _next(self, connection: Connection) -> Post:
        chance = connection.chance
        if connection.again and chance.random() < 0.8:
            return connection.again.pop(0)
        what = chance.random()
        if what < 0.15 and connection.pending:
            first = connection.pending.pop(chance.randrange(len(connection.pending)))
            return Post([first._replace(status=chance.choice(("SUCCESS", "FAILED")))])
        if what < 0.20 and connection.done:  # a late retry
            return Post([chance.choice(connection.done)], honest=False)
        if what < 0.25 and connection.done:
            return Post([self._wrong(connection)], honest=False)
        count = 1 if what < 0.65 else chance.randint(2, BATCH_MAX)
        return Post([self._new(connection) for _ in range(count)])

    def _wrong(self, connection: Connection) -> Sent:
        """The id of an acknowledged record with another payload."""
        record = connection.chance.choice(connection.done)
        if record.status in OPPOSITE and connection.chance.random() < 0.5:
            return record._replace(status=OPPOSITE[record.status])
        return record._replace(amount=record.amount + 1)

    def _new(self, connection: Connection) -> Sent:
        chance = connection.chance
        connection.made += 1
        id = chance.choice(SHAPES).format(f"{self.name}-{connection.number}-{connection.made}")
        created_at = CREATED_AT if chance.random() < 0.2 else ""
        status = chance.choices(("PENDING", "SUCCESS", "FAILED"), (7, 2, 1))[0]
        amount = chance.choice(AMOUNTS) if chance.random() < 0.2 else chance.randint(0, AMOUNT_MAX)
        return Sent(id, chance.randint(1, USERS), amount, status, created_at)

    def _learn(self, connection: Connection, post: Post, status: int | None, refused: dict[int, str]) -> None:
        self.statuses[status] += 1
        if status in (None, 503):
            if connection.chance.random() < 0.95:  # else given up: it may be stored, or not
                connection.again.append(post)
            return
        taken = [record for at, record in enumerate(post.records) if status == 200 and at not in refused]
        self.acknowledged += len(taken)
        if post.honest:
            connection.done += taken
            connection.pending += (record for record in taken if record.status == "PENDING")

    # --- HTTP ---------------------------------------------------------------------------------

    async def _post(self, connection: Connection, records: list[Sent]) -> tuple[int | None, dict[int, str]]:
        number = self.ledger.sent(records)
        status: int | None = None
        refused: dict[int, str] = {}
        try:
            async with asyncio.timeout(ANSWER_S):
                if connection.writer is None:
                    address = self.addresses[connection.at % len(self.addresses)]
                    connected = await asyncio.open_connection(*address)
                    connection.reader, connection.writer = connected
                assert connection.reader is not None
                connection.writer.write(post_of(records, self.headers))
                await connection.writer.drain()
                status, refused = await answer(connection.reader)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
            connection.at += 1
            await self._hang_up(connection)
        self.ledger.answered(number, status, refused)
        return status, refused

    async def _hang_up(self, connection: Connection) -> None:
        if connection.writer is not None:
            connection.writer.close()
            with contextlib.suppress(OSError, TimeoutError):
                await asyncio.wait_for(connection.writer.wait_closed(), 1)
        connection.reader = connection.writer = None


def request(path: str, document: object, headers: str = "") -> bytes:
    """The bytes of a POST of JSON; further `headers` each end with CR LF."""
    body = json.dumps(document).encode()
    head = f"POST /api/{path}/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def post_of(records: Sequence[Sent], headers: str = "") -> bytes:
    """The request that carries one record, or many."""
    if len(records) == 1:
        return request("add-transaction", records[0].document(), headers)
    return request("add-transactions", [record.document() for record in records], headers)


async def answer(reader: asyncio.StreamReader) -> tuple[int, dict[int, str]]:
    """The status, and the codes of a batch's refused records by index.

    Raises IncompleteReadError where the server hung up, ValueError for junk.
    """
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    status = int(head.split()[1])
    length = int(head.partition("content-length:")[2].split("\r\n")[0])
    body = json.loads(await reader.readexactly(length))
    return status, {error["index"]: error["code"] for error in body.get("errors", [])}


async def exchange(port: int, records: Sequence[Sent]) -> tuple[int | None, dict[int, str]]:
    """The same on a connection of its own; no status where no whole answer came."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(ANSWER_S):
            writer.write(post_of(records))
            return await answer(reader)
    except (OSError, TimeoutError, asyncio.IncompleteReadError, ValueError):
        return None, {}
    finally:
        writer.close()


def pause(seconds: float) -> None:
    """Time for a fault to last."""
    time.sleep(seconds)
