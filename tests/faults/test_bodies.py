"""Fault 18: bodies that nobody can take. The client's error, in bounded memory and time."""

import json
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from dev.waiting import wait_until
from tests.faults.conftest import Stage
from tests.faults.ledger import Sent
from tests.faults.system import System

pytestmark = pytest.mark.slow

LIMIT_BYTES = 5 * 1024 * 1024
GOOD = {"transaction_id": "bad", "user": 1, "amount": 5, "status": "PENDING"}

BODIES = {
    "nothing": b"",
    "white space": b" \n",
    "malformed": b'{"transaction_id": "bad", "user": 1,',
    "not UTF-8": b'{"transaction_id": "\xff\xfe", "user": 1, "amount": 5}',
    "NaN": b'{"transaction_id": "bad", "user": 1, "amount": NaN}',
    "infinity": b'{"transaction_id": "bad", "user": 1, "amount": -Infinity}',
    "1,100 deep": b'{"transaction_id": ' + b"[" * 1100 + b"]" * 1100 + b"}",
    "100,000 deep": b"[" * 100_000,
    "lone surrogate": b'{"transaction_id": "\\ud800", "user": 1, "amount": 5}',
    "NUL": b'{"transaction_id": "a\\u0000b", "user": 1, "amount": 5}',
    "10^400": b'{"transaction_id": "bad", "user": 1, "amount": 1' + b"0" * 400 + b"}",
    "1e400": b'{"transaction_id": "bad", "user": 1, "amount": 1e400}',
    "2^63": json.dumps({**GOOD, "amount": 2**63}).encode(),
    "2^64 as a user": json.dumps({**GOOD, "user": 2**64}).encode(),
    "minus one": json.dumps({**GOOD, "amount": -1}).encode(),
    "true": json.dumps({**GOOD, "amount": True}).encode(),
    "one and a half": json.dumps({**GOOD, "amount": 1.5}).encode(),
    "unknown user": json.dumps({**GOOD, "user": 10**9}).encode(),
    "naive date": json.dumps({**GOOD, "created_at": "2026-01-31T12:00:00"}).encode(),
    "a list": b"[]",
    "a string": b'"bad"',
    "null": b"null",
}


def head(length: int | None, path: str = "/api/add-transaction/", kind: str = "application/json") -> bytes:
    framing = "Transfer-Encoding: chunked" if length is None else f"Content-Length: {length}"
    lines = (
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Content-Type: {kind}",
        framing,
        "Connection: close",
    )
    return "\r\n".join((*lines, "", "")).encode()


def chunked(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(body), body)


def exchange(system: System, *parts: bytes, pause_s: float = 0.0, within_s: float = 30.0) -> int | None:
    """Sends parts and reads to the end; the status, None where the connection was reset without one."""
    with socket.create_connection(("127.0.0.1", system.port), within_s) as client:
        try:
            for part in parts:
                client.sendall(part)
                if select.select([client], [], [], pause_s)[0]:
                    break  # it is answered: nobody need send the rest
        except (BrokenPipeError, ConnectionResetError):
            pass
        received = b""
        try:
            while data := client.recv(65_536):
                received += data
        except ConnectionResetError:
            pass
    return int(received.split()[1]) if received else None


def megabytes(count: int) -> Iterator[bytes]:
    for _ in range(count):
        yield chunked(b" " * 1024 * 1024)


def test_fault_18_bodies_that_nobody_can_take(stage: Stage) -> None:
    system = stage.set_up()
    with stage.load(connections=4) as load:
        for what, body in BODIES.items():
            assert exchange(system, head(len(body)), body) == 400, what
            # A list is a batch, be it an empty one.
            status = 200 if what == "a list" else 400
            assert exchange(system, head(len(body), "/api/add-transactions/"), body) == status, what
            assert exchange(system, head(None), chunked(body), b"0\r\n\r\n" if body else b"") == 400, what
        _refuse_duplicate_keys(system)
        _take_chunks(stage)
        _refuse_large_ones(stage)
        _bear_slow_heads(stage)
        load.wait(1000)
        # A broken off one takes nothing with it.
        assert exchange(system, head(100), b'{"transaction_id"', within_s=25) == 408
    assert set(load.statuses) <= {200, 409}, load.statuses
    assert system["web"].starts == 1
    stage.settle()


def _refuse_duplicate_keys(system: System) -> None:
    body = b'{"transaction_id": "twice", "user": 1, "amount": 7, "amount": 8, "status": "PENDING"}'
    assert exchange(system, head(len(body)), body) == 400
    assert exchange(system, head(None), chunked(body), b"0\r\n\r\n") == 400


def _take_chunks(stage: Stage) -> None:
    body = b'{"transaction_id": "in-chunks", "user": 1, "amount": 8, "status": "PENDING"}'
    entry = stage.ledger.sent([Sent("in-chunks", 1, 8, "PENDING")])
    status = exchange(stage.system, head(None), chunked(body[:9]), chunked(body[9:]), b"0\r\n\r\n")
    stage.ledger.answered(entry, status, {})
    assert status == 200


def _refuse_large_ones(stage: Stage) -> None:
    system = stage.system
    before_mb = system["web"].rss_max_mb
    # Answered from what is announced, before a byte of it is sent.
    assert exchange(system, head(2 * 1024**3)) == 413
    assert exchange(system, head(2 * 1024**3, "/admin/login/", "multipart/form-data; boundary=x")) == 413
    assert exchange(system, head(LIMIT_BYTES + 1), b" " * (LIMIT_BYTES + 1)) == 413
    # Without a length: cut off where it passes the limit.
    assert exchange(system, head(None), *megabytes(64)) == 413
    # A byte now and then.
    began = time.monotonic()
    assert exchange(system, head(1000), *[b" "] * 30, pause_s=0.7) == 408
    assert time.monotonic() - began < 25
    wait_until(lambda: system.get("/livez")[0] == 200, 5, "the web process answers")
    assert system["web"].rss_max_mb - before_mb < 60


def _bear_slow_heads(stage: Stage) -> None:
    """Heads that never end: each costs a connection and a few kilobytes, until it is over the limit."""
    system = stage.system
    before_mb = system["web"].rss_max_mb
    with ExitStack() as held:
        clients = [
            held.enter_context(socket.create_connection(("127.0.0.1", system.port), 10)) for _ in range(200)
        ]
        for client in clients:
            client.sendall(b"POST /api/add-transaction/ HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ")
        assert stage.post(Sent("beside-slow-heads", 1, 1, "PENDING")) == 200
        endless = [b"X-%d: %s\r\n" % (number, b"x" * 1000) for number in range(1000)]
        # Slower than the server: its answer would be lost where the connection is reset amid a part.
        assert exchange(system, head(10)[:-2], *endless, pause_s=0.02) == 431
    assert system["web"].rss_max_mb - before_mb < 60
