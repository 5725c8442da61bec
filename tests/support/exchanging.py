"""One request and its answer over a socket, byte for byte."""

import json
import re
import socket
from typing import Any
from urllib.parse import urlsplit


def address_of(url: str) -> tuple[str, int]:
    """Host and port of a server."""
    parts = urlsplit(url)
    return str(parts.hostname), int(parts.port or 0)


def say(address: tuple[str, int], request: bytes) -> tuple[int, dict[str, str], bytes]:
    """One request as it is, byte for byte; status, headers but Date, and body of the answer.

    A request's id is compared as far as the client has given it.
    """
    with socket.create_connection(address, timeout=20) as line:
        line.sendall(request)
        answer = b"".join(iter(lambda: line.recv(65536), b""))
    answer = answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")  # what Expect asks for
    answer = re.sub(rb"(?<=X-Request-Id: )[0-9a-f]{16}(?=\r)", b"ours", answer)
    head, _, body = answer.partition(b"\r\n\r\n")
    status, *lines = head.decode("latin-1").split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    headers.pop("Date", None)
    return int(status.split()[1]), headers, body


def get(path: str, *lines: str, host: str = "localhost", method: str = "GET") -> bytes:
    head = [f"{method} {path} HTTP/1.1", f"Host: {host}", "Connection: close", *lines]
    return "\r\n".join([*head, "", ""]).encode()


def post(path: str, body: Any, *lines: str, host: str = "localhost", type: str = "application/json") -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    head = [f"POST {path} HTTP/1.1", f"Host: {host}", "Connection: close", f"Content-Type: {type}", *lines]
    if not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in lines):
        head.append(f"Content-Length: {len(content)}")
    return "\r\n".join([*head, "", ""]).encode() + content
