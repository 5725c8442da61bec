"""Many requests at once, each on a connection of its own, without a client library's pool."""

import asyncio
import time
from typing import NamedTuple
from urllib.parse import urlsplit

import httpx

# Longer than any answer takes on a busy machine.
PATIENCE_S = 60.0


class Answer(NamedTuple):
    status: int
    headers: httpx.Headers
    body: bytes
    seconds: float


def request(path: str, *, body: bytes | None = None, kind: str = "", **headers: str) -> bytes:
    """The bytes of a request: a POST where there is a body of that content type."""
    lines = [f"{'GET' if body is None else 'POST'} {path} HTTP/1.1", "Host: localhost", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if body is not None:
        lines += [f"Content-Type: {kind}", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


async def opened(url: str, sent: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection on which a request has been sent, and nothing read."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(sent)
    return reader, writer


async def ask(url: str, sent: bytes) -> Answer:
    """The answer, read to its end. Raises TimeoutError after PATIENCE_S."""
    began = time.monotonic()
    reader, writer = await opened(url, sent)
    try:
        async with asyncio.timeout(PATIENCE_S):
            top, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    first, *lines = top.decode().split("\r\n")
    headers = httpx.Headers([(name, value) for name, _, value in (line.partition(": ") for line in lines)])
    return Answer(int(first.split()[1]), headers, body, time.monotonic() - began)


async def ask_all(url: str, *sent: bytes) -> list[Answer]:
    """The answers, in the order of the requests, which are sent at once."""
    return await asyncio.gather(*(ask(url, each) for each in sent))
