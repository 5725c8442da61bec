"""Bodies in chunks and packed ones are taken like all others, within the same limit; a bomb is none."""

import asyncio
import gzip
import json
import os
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from django.contrib.auth.models import User
from hypothesis import example, given
from hypothesis import strategies as st

from dev.waiting import wait_until
from tests.support.serving import daphne, uvicorn
from transaction_monitoring.serving import whole_bodies
from transaction_monitoring.serving.whole_bodies import Unpacker, UnreadableBody
from transactions.access.rights import Right
from transactions.access.tokens import create

pytestmark = pytest.mark.django_db(transaction=True)

ADD, MANY = "/api/add-transaction/", "/api/add-transactions/"
LIMIT = 5 * 1024 * 1024
JSON, NDJSON = "application/json", "application/x-ndjson"
FORM, MULTIPART = "application/x-www-form-urlencoded", "multipart/form-data; boundary=b"
_numbers = count(1)


@pytest.fixture(scope="module", params=["daphne, lane", "daphne, no lane", "uvicorn"])
def url(request: pytest.FixtureRequest, django_db_setup: None) -> Iterator[str]:
    kind = request.param
    serve: Any = uvicorn if kind == "uvicorn" else daphne
    with serve(FAST_LANE=str("no lane" not in kind).lower()) as url:
        yield url


class Answer:
    """What came back, byte for byte."""

    def __init__(self, received: bytes) -> None:
        head, _, self.body = received.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        self.status = int(first.split()[1])
        self.headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}

    def json(self) -> Any:
        return json.loads(self.body)


def send(url: str, path: str, type: str, body: bytes, *lines: str, version: str = "1.1") -> Answer:
    parts = urlsplit(url)
    head = [f"POST {path} HTTP/{version}", "Host: localhost", "Connection: close", f"Content-Type: {type}"]
    with socket.create_connection((str(parts.hostname), int(parts.port or 0)), timeout=30) as line:
        line.sendall("\r\n".join([*head, *lines, "", ""]).encode() + body)
        return Answer(b"".join(iter(lambda: line.recv(65536), b"")))


def in_chunks(url: str, path: str, type: str, body: bytes, *lines: str) -> Answer:
    pieces = [body[at : at + 7] for at in range(0, len(body), 7)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return send(url, path, type, chunks + b"0\r\n\r\n", "Transfer-Encoding: chunked", *lines)


def packed(name: str, pack: Callable[[bytes], bytes]) -> Callable[..., Answer]:
    def post(url: str, path: str, type: str, body: bytes, *lines: str) -> Answer:
        content = pack(body)
        return send(
            url, path, type, content, f"Content-Length: {len(content)}", f"Content-Encoding: {name}", *lines
        )

    return post


def in_chunks_and_packed(url: str, path: str, type: str, body: bytes, *lines: str) -> Answer:
    return in_chunks(url, path, type, gzip.compress(body), "Content-Encoding: gzip", *lines)


def in_members(body: bytes) -> bytes:
    middle = len(body) // 2
    return gzip.compress(body[:middle]) + gzip.compress(b"") + gzip.compress(body[middle:]) + bytes(20)


WAYS = {
    "in chunks": in_chunks,
    "gzip": packed("gzip", gzip.compress),
    "gzip, in capitals": packed("GZIP", gzip.compress),
    "x-gzip": packed("x-gzip", gzip.compress),
    "gzip of several members": packed("gzip", in_members),
    "deflate": packed("deflate", zlib.compress),
    "identity": packed("identity", bytes),
    "gzip in chunks": in_chunks_and_packed,
}


def record(user: User) -> dict[str, Any]:
    return {"transaction_id": f"W{next(_numbers)}", "user": user.pk, "amount": 5}


def bodies(user: User) -> Iterator[tuple[str, str, bytes]]:
    """Path, type and content of each kind of request that posts."""
    yield ADD, JSON, json.dumps(record(user)).encode()
    yield ADD, FORM, "&".join(f"{name}={value}" for name, value in record(user).items()).encode()
    fields = (
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in record(user).items()
    )
    yield ADD, MULTIPART, "".join([*fields, "--b--\r\n"]).encode()
    for path in (MANY, f"{MANY}?atomic=true"):
        yield path, JSON, json.dumps([record(user), record(user)]).encode()
        yield path, NDJSON, "\n".join(json.dumps(record(user)) for _ in range(2)).encode()


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
def test_a_good_record_is_taken_however_it_comes(url: str, people: list[User], way: str) -> None:
    token, _ = create("poster", rights=frozenset({Right.POST}))
    for lines in ((), (f"Authorization: Bearer {token}",)):
        for path, type, body in bodies(people[0]):
            answer = WAYS[way](url, path, type, body, *lines)
            assert answer.status == 200, (path, type, answer.body)
            assert path == ADD or answer.json()["accepted"] == 2
            assert "x-request-id" in answer.headers


@pytest.mark.slow
def test_without_a_length_http_1_0_has_no_body(url: str, people: list[User]) -> None:
    body = json.dumps(record(people[0])).encode()
    answer = send(url, ADD, JSON, body, version="1.0")
    told = {"detail": "The Content-Length is missing, and so is the body."}
    assert (answer.status, answer.json()) == (411, told)


@pytest.mark.slow
def test_what_cannot_be_unpacked_is_told_what_would_be_right(url: str) -> None:
    content = gzip.compress(b"[" * 1000)
    wrong = bytearray(content)
    wrong[-6] ^= 1  # of the checksum
    broken = (content[:-9], content[:5], b"[]", bytes(wrong), content + b"more", zlib.compress(b"[]"))
    for body in broken:
        answer = send(url, MANY, JSON, body, f"Content-Length: {len(body)}", "Content-Encoding: gzip")
        assert answer.status == 400, body
        assert answer.json() == {"detail": "The body is no gzip, or not all of it."}
    for encoding in ("br", "zstd", "compress", "gzip, gzip", "gzip, br", "x" * 200):
        lines = (f"Content-Length: {len(content)}", f"Content-Encoding: {encoding}", "X-Request-Id: mine")
        answer = send(url, MANY, JSON, content, *lines)
        assert (answer.status, answer.headers["accept-encoding"]) == (415, "gzip, deflate")
        assert f'Unsupported Content-Encoding "{encoding[:60]}"' in answer.json()["detail"]
        assert answer.headers["x-request-id"] == "mine"


@pytest.mark.slow
def test_over_the_limit_it_is_413_however_it_comes(url: str) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    for body, lines in (
        (bomb, ("Content-Encoding: gzip",)),
        (gzip.compress(b" " * (LIMIT + 1)), ("Content-Encoding: gzip",)),
        (gzip.compress(b" " * 3_000_000) * 2, ("Content-Encoding: gzip",)),
    ):
        answer = send(url, MANY, JSON, body, f"Content-Length: {len(body)}", *lines)
        assert (answer.status, answer.json()) == (
            413,
            {"detail": f"The body is over the limit of {LIMIT} bytes."},
        )
    whole = gzip.compress(b"[" + b" " * (LIMIT - 2) + b"]")
    answer = send(url, MANY, JSON, whole, f"Content-Length: {len(whole)}", "Content-Encoding: gzip")
    assert (answer.status, answer.json()["accepted"]) == (200, 0)


@pytest.mark.slow
def test_bombs_hold_nobody_up(url: str, people: list[User]) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    sent = record(people[0])

    def longest_wait_s() -> float:
        enough = threading.Event()

        def throw() -> None:
            while not enough.is_set():
                send(url, MANY, JSON, bomb, f"Content-Length: {len(bomb)}", "Content-Encoding: gzip")

        threads = [threading.Thread(target=throw) for _ in range(4)]
        return longest_post_s(url, sent, threads, enough)

    # A busy machine holds somebody up now and then; bombs that are unpacked beside others do so each time.
    assert any(longest_wait_s() < 1 for _ in range(4))


def longest_post_s(url: str, sent: Any, threads: list[threading.Thread], enough: threading.Event) -> float:
    """The longest that a post waits in three seconds in which `threads` run."""
    waits = []
    with httpx.Client(base_url=url, timeout=30, trust_env=False) as client:
        client.post(ADD, json=sent)
        for thread in threads:
            thread.start()
        try:
            until = time.monotonic() + 3
            while time.monotonic() < until:
                began = time.monotonic()
                assert client.post(ADD, json=sent).status_code == 200
                waits.append(time.monotonic() - began)
                time.sleep(0.01)
        finally:
            enough.set()
            for thread in threads:
                thread.join()
    return max(waits)


# --- The unpacker -----------------------------------------------------------------------------


def unpack(body: bytes, encoding: str = "gzip", steps: int | None = None) -> bytes:
    unpacker = Unpacker(body, encoding)
    if steps is not None:
        while not unpacker.run(steps):
            """A little more each time."""
    unpacker.run(None)
    return unpacker.result()


@given(
    st.lists(st.binary(max_size=200) | st.integers(0, 200_000).map(lambda size: b"x" * size), min_size=1),
    st.sampled_from([None, 1, 1000, 65536]),
    st.sampled_from([16, 1000, whole_bodies.PORTION_BYTES]),
)
@example([os.urandom(100_000)], 1000, 16)
@example([b"x" * 100_000], 100_000, 1000)
def test_it_is_what_was_packed_whatever_the_portions(
    parts: list[bytes], steps: int | None, portion: int
) -> None:
    before, whole_bodies.PORTION_BYTES = whole_bodies.PORTION_BYTES, portion
    try:
        if steps == 1 and sum(map(len, parts)) > 2000:
            steps = 1000
        assert unpack(b"".join(map(gzip.compress, parts)), steps=steps) == b"".join(parts)
        joined = b"".join(parts)
        assert unpack(zlib.compress(joined), "deflate", steps) == joined
    finally:
        whole_bodies.PORTION_BYTES = before


def test_thousands_of_empty_members_are_given_up_soon() -> None:
    body = (gzip.compress(b"") * 250_000)[:LIMIT]
    began = time.thread_time()
    with pytest.raises(UnreadableBody):
        unpack(body)
    assert time.thread_time() - began < 2
    assert unpack(gzip.compress(b"x") * whole_bodies.MEMBERS_MAX) == b"x" * whole_bodies.MEMBERS_MAX


# --- How many there are at once ----------------------------------------------------------------


class Serving:
    """An application behind `with_whole_bodies` that answers once it is `let` to; it counts what it holds."""

    def __init__(self) -> None:
        self.bodies: list[int] = []
        self.let = asyncio.Event()
        self.statuses: list[int] = []
        self.retry_after: set[bytes] = set()
        self._whole = whole_bodies.with_whole_bodies(self._application)

    async def _application(self, scope: Any, receive: Any, send: Any) -> None:
        self.bodies.append(len((await receive())["body"]))
        if self.bodies[-1] > whole_bodies.ON_LOOP_BYTES:
            await self.let.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def post(self, body: bytes, path: str = MANY, *headers: tuple[bytes, bytes]) -> int:
        messages = iter([{"type": "http.request", "body": gzip.compress(body), "more_body": False}])

        async def receive() -> Any:
            return next(messages)

        status = 0

        async def send(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self.retry_after |= {value for name, value in message["headers"] if name == b"Retry-After"}

        given = [(b"content-encoding", b"gzip"), *headers]
        scope: Any = {"type": "http", "method": "POST", "path": path, "headers": given}
        await self._whole(scope, receive, send)
        self.statuses.append(status)
        return status

    async def until_read(self, bodies: int) -> None:
        """Waits until so many are unpacked."""
        await asyncio.to_thread(wait_until, lambda: len(self.bodies) == bodies, 30, f"{bodies} are unpacked")


def test_few_large_packed_bodies_are_unpacked_at_once_and_small_ones_pass_them(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.ALLOW_ANONYMOUS_API = True
    monkeypatch.setattr(whole_bodies, "WAIT_S", 0.3)
    most, large = whole_bodies.LARGE_AT_ONCE, b" " * 1_000_000

    async def act() -> None:
        serving = Serving()
        posting = [asyncio.create_task(serving.post(large)) for _ in range(most + 20)]
        await serving.until_read(most)
        assert serving.bodies == [len(large)] * most
        assert await serving.post(b"[]") == 200
        await asyncio.to_thread(wait_until, lambda: len(serving.statuses) == 21, 30, "21 are answered")
        assert sorted(serving.statuses) == [200, *[503] * 20]
        assert serving.retry_after == {b"2"}
        serving.let.set()
        await asyncio.gather(*posting)
        assert await serving.post(large) == 200
        assert len(serving.bodies) == most + 2

    asyncio.run(act())


def test_a_client_that_shows_no_credentials_has_nothing_unpacked(settings: Any) -> None:
    settings.ALLOW_ANONYMOUS_API = False
    cookie = f"a=b; {settings.SESSION_COOKIE_NAME}=x".encode()

    async def act() -> None:
        serving = Serving()
        for path in (MANY, ADD, MANY.rstrip("/"), "/api/delete-transactions/"):
            await serving.post(b"[1, 2]", path)
            await serving.post(b"[1, 2]", path, (b"cookie", b"a=b"))
            await serving.post(b"[1, 2]", path, (b"authorization", b"Bearer x"))
            await serving.post(b"[1, 2]", path, (b"cookie", cookie))
        assert serving.bodies == [0, 0, 6, 6] * 4
        await serving.post(b"user=x", "/admin/login/")
        assert serving.bodies[-1] == 6

    asyncio.run(act())


def test_nothing_but_a_batch_is_unpacked_past_what_it_can_need(settings: Any) -> None:
    settings.ALLOW_ANONYMOUS_API = True
    most = whole_bodies.ON_LOOP_BYTES

    async def act() -> None:
        serving = Serving()
        for path in (ADD, ADD.rstrip("/"), "/admin/login/", "/"):
            assert await serving.post(b" " * most, path) == 200
            assert await serving.post(b" " * (most + 1), path) == 413
        serving.let.set()
        assert await serving.post(b" " * (most + 1), MANY.rstrip("/")) == 200

    asyncio.run(act())


def test_an_unknown_token_has_no_large_body_unpacked_and_pays_with_its_address(
    transactional_db: None, settings: Any
) -> None:
    settings.ALLOW_ANONYMOUS_API = False
    settings.RATE_LIMIT_BURST, settings.RATE_LIMIT_RECORDS_PER_SECOND = 5, 1
    large = b" " * 1_000_000

    async def act() -> None:
        serving = Serving()
        for number in range(8):
            await serving.post(large, MANY, (b"authorization", b"Bearer txmon_%043d" % number))
        assert serving.statuses == [401] * 5 + [429] * 3
        await serving.post(large, MANY, (b"authorization", b"Bearer x"))
        assert (serving.statuses[-1], serving.bodies) == (429, [])

    asyncio.run(act())


def test_a_good_token_s_large_body_passes_those_with_made_up_sessions(
    transactional_db: None, settings: Any
) -> None:
    """New to the process or not; the made-up sessions have one place, and wait for each other."""
    settings.ALLOW_ANONYMOUS_API = False
    token, _ = create("poster", rights=frozenset({Right.POST}))
    large, bearer = b" " * 1_000_000, (b"authorization", f"Bearer {token}".encode())

    async def act() -> None:
        serving = Serving()
        cookies = [(b"cookie", f"{settings.SESSION_COOKIE_NAME}={n}".encode()) for n in range(20)]
        made_up = [asyncio.create_task(serving.post(large, MANY, cookie)) for cookie in cookies]
        await serving.until_read(1)
        good = [
            asyncio.create_task(serving.post(large, MANY, bearer)) for _ in range(whole_bodies.LARGE_AT_ONCE)
        ]
        await serving.until_read(1 + whole_bodies.LARGE_AT_ONCE)
        serving.let.set()
        assert set(await asyncio.gather(*good)) == {200}
        await asyncio.gather(*made_up)

    asyncio.run(act())
