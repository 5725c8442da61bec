"""Faults of clients: that leave, that do not read, that send what nobody can take."""

import asyncio
import json
import random
import re
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.request import urlopen

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from dev.waiting import wait_until
from tests.faults.conftest import Stage
from tests.faults.ledger import Sent
from tests.faults.load import exchange, pause, post_of
from tests.faults.system import System
from transactions.queue.records import stamp

pytestmark = pytest.mark.slow

SOCKET_PATH = "/ws/admin/transactions/"
TOO_SLOW = 4008
# What the feed keeps, at least.
FEED_RECORDS = 10_000
# How long an idle websocket is watched.
IDLE_S = 60.0
DROPS = 1000


def test_fault_14_clients_leave_in_the_middle_of_a_request(stage: Stage) -> None:
    system = stage.set_up()
    chance = random.Random(stage.seed)
    with stage.load() as load:
        for number in range(DROPS):
            _leave(stage, chance, number)
        load.wait(1000)
    # The others never noticed.
    assert set(load.statuses) <= {200, 409}, load.statuses
    assert system["web"].starts == 1
    stage.settle()


def _leave(stage: Stage, chance: random.Random, number: int) -> None:
    """Sends a part of a request, or all of it, and resets the connection."""
    records = [Sent(f"left-{number}-{n}", 1, n, "PENDING") for n in range(chance.choice((1, 30)))]
    entry = stage.ledger.sent(records)
    data = post_of(records)
    with socket.create_connection(("127.0.0.1", stage.system.port), 10) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.sendall(data[: chance.choice((len(data), chance.randrange(1, len(data))))])
        time.sleep(chance.uniform(0, 0.004))
    stage.ledger.answered(entry, None, {})


def watch(system: System, receive_buffer: int | None = None, query: str = "") -> ClientConnection:
    client = socket.socket()
    if receive_buffer is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.connect(("127.0.0.1", system.port))
    url = f"ws://127.0.0.1:{system.port}{SOCKET_PATH}{query}"
    # A queue of one: what the test does not ask for is not read from the connection.
    return connect(url, sock=client, proxy=None, ping_interval=None, max_queue=1, compression=None)


def test_fault_15_websockets_that_read_slowly_or_not_at_all(stage: Stage) -> None:
    system = stage.set_up()
    with watch(system, 4096) as stopped, watch(system, 4096) as slow, watch(system) as reader:
        with ThreadPoolExecutor(1) as pool:
            seen = pool.submit(_count_messages, reader)
            sent = _fill(stage, slow)
            # Everybody else's dashboard has shown it all.
            assert seen.result(60) == sent
        for connection in (stopped, slow):
            _read_to_the_end(connection)
        # Asked of the server: where much is under way the connection is reset, and its client sees no code.
        wait_until(lambda: _closed_as_too_slow(system) == 2, 10, "both are closed as too slow")
        assert reader.ping().wait(10)
    stage.settle()


def _count_messages(connection: ClientConnection) -> int:
    """How many messages come until none has come for a while."""
    count = 0
    while True:
        try:
            connection.recv(timeout=10)
        except TimeoutError:
            return count
        count += 1


def _fill(stage: Stage, slow: ClientConnection) -> int:
    """Posts until far more has been shown than a connection may hold back; reads one now and then."""
    count = 0
    for batch in range(40):
        records = [Sent(f"{'shown' * 10}-{batch}-{n}", 1, n, "PENDING") for n in range(1000)]
        assert stage.post(*records) == 200
        count += len(records)
        pause(0.6)  # under the bound of transactions a second
        try:
            slow.recv(timeout=0.01)
        except (TimeoutError, ConnectionClosed):
            continue
    return count


def _read_to_the_end(connection: ClientConnection) -> None:
    """Fails where the server does not close it."""
    with suppress(ConnectionClosed):
        while True:
            connection.recv(timeout=20)


def _closed_as_too_slow(system: System) -> int:
    """How many websockets the server has closed so, as /metrics tells."""
    with urlopen(f"http://127.0.0.1:{system.port}/metrics", timeout=10) as answer:
        told = answer.read().decode()
    counted = rf'^transactions_websocket_closed_total{{code="{TOO_SLOW}"}} (\S+)$'
    (count,) = re.findall(counted, told, re.MULTILINE)
    return int(float(count))


def test_fault_16_the_feed_moves_on_while_a_socket_is_away(stage: Stage) -> None:
    system = stage.set_up(web_processes=2)
    assert stage.post(Sent("before", 1, 1, "PENDING")) == 200
    with watch(system, query="?frames=1&since=0") as dashboard:
        _frame(dashboard, "hello")
        seen = _frame(dashboard, "run")
    batches = FEED_RECORDS // 1000 + 2
    for batch in range(batches):
        assert stage.post(*(Sent(f"away-{batch}-{n}", 1, n, "PENDING") for n in range(1000))) == 200
    with watch(system, query=f"?frames=1&since={seen['last']}&epoch={seen['epoch']}") as dashboard:
        _frame(dashboard, "hello")
        reload = _frame(dashboard, "reload")
        assert (reload["reason"], reload["seq"]) == ("gone", 1 + 1000 * batches)
        # What it loads anew and what follows leave nothing out between them.
        assert stage.post(Sent("after", 1, 1, "PENDING")) == 200
        run = _frame(dashboard, "run")
        assert (run["first"], run["records"][0]["transaction_id"]) == (reload["seq"] + 1, "after")
        assert system.get("/api/pipeline/")[1]["accepted"] == run["last"]
    stage.settle()


def _frame(dashboard: ClientConnection, kind: str) -> dict[str, Any]:
    """The next frame of that type."""
    while True:
        frame: dict[str, Any] = json.loads(dashboard.recv(timeout=20))
        if frame["type"] == kind:
            return frame


def test_fault_17_an_idle_websocket(stage: Stage) -> None:
    system = stage.set_up()
    with watch(system) as connection:
        time.sleep(IDLE_S)
        with stage.load() as load:
            load.wait(1000)
            assert "transaction_id" in str(connection.recv(timeout=10))
        assert "failed" not in system.logs("web")
    stage.settle()


def test_fault_20_one_id_with_differing_payloads_from_many(stage: Stage) -> None:
    system = stage.set_up(web_processes=2)
    asyncio.run(_race(stage, ids=1100, clients=8))
    with system.sql() as cursor:
        wait_until(system.drained, 60, "all is stored")
        cursor.execute("SELECT count(*) FROM transactions_transaction")
        assert cursor.fetchone()[0] == 1100
    verdict = stage.settle()
    assert (verdict.acknowledged, verdict.rejected) == (1100, 0)


async def _race(stage: Stage, ids: int, clients: int) -> None:
    for number in range(ids):
        rivals = [Sent(f"one-{number}", 1 + at, at, "SUCCESS") for at in range(clients)]
        numbers = [stage.ledger.sent([rival]) for rival in rivals]
        answers = await asyncio.gather(*(exchange(stage.system.port, [rival]) for rival in rivals))
        for entry, (status, refused) in zip(numbers, answers, strict=True):
            stage.ledger.answered(entry, status, refused)
        assert sorted(str(status) for status, _ in answers) == ["200", *["409"] * (clients - 1)]


def test_fault_21_a_backlog_of_a_million(stage: Stage) -> None:
    system = stage.set_up(rules=True)
    system.hold("worker")
    client = system.redis_client()
    count = 1_000_000
    line = "1\tunaccounted-{}\tPENDING\t{}\t1000\t\\N\t{}\ttest"
    began = datetime(2026, 1, 31, 12, tzinfo=UTC)
    for start in range(0, count, 10_000):
        pipeline = client.pipeline()
        numbers = range(start, start + 10_000)
        # Ten a second.
        when = {n: stamp(began + n * timedelta(milliseconds=100)) for n in numbers}
        pipeline.rpush("transactions_list", *(line.format(n, 1 + n % 50, when[n]) for n in numbers))
        pipeline.hincrby("{transactions_list}:books", "accepted", 10_000)
        pipeline.execute()
    with stage.load() as load:
        system.release("worker")
        load.wait(1000)
    # Much else may run beside it: what rules owe for a million has taken four minutes there.
    stage.settle(drain_s=600, unaccounted=count)
    assert system["worker"].rss_max_mb > 0
