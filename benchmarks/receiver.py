"""`python -m benchmarks.receiver`: a receiver of webhooks in a process of its own, which takes everything.

Its first line is the port. For each line that it reads it prints, as one line of JSON, what has come since
the line before: when, on the monotonic clock, by which path, and the body.
"""

import asyncio
import json
import re
import sys
import time

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")
_got: list[tuple[float, str, str]] = []


async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One message on one connection."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = _LENGTH.search(head)
    body = await reader.readexactly(int(length[1]) if length else 0)
    _got.append((time.monotonic(), head.split(b" ", 2)[1].decode(), body.decode()))
    writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    await writer.drain()
    writer.close()


async def main() -> None:
    server = await asyncio.start_server(take, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    while await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(_got), flush=True)
        _got.clear()


if __name__ == "__main__":
    asyncio.run(main())
