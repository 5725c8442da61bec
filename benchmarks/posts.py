"""The requests that are posted: new transactions of known users."""

import secrets
from collections.abc import Sequence

from benchmarks.load import Make
from benchmarks.stage import Stage

SINGLE = "/api/add-transaction/"
BATCH = "/api/add-transactions/"
# Every record has the same length: users' keys have four digits, amounts five.
_RECORD = b'{"transaction_id":"%s-%%09d","user":%%d,"amount":%%d,"status":"SUCCESS"}'


def head(path: str, length: int, token: str | None, more: Sequence[str] = ()) -> bytes:
    """Request line and headers: those that any client library sends, and `more` lines."""
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "User-Agent: benchmarks",
        "Accept: */*",
        "Content-Type: application/json",
        f"Content-Length: {length}",
    ]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    return "\r\n".join([*lines, *more, "", ""]).encode()


def single(stage: Stage, path: str = SINGLE, *, token: bool = True, headers: Sequence[str] = ()) -> Make:
    """Makes single POSTs, each of a new transaction, with these header lines too."""
    record = _RECORD % secrets.token_hex(4).encode()
    length = len(record % (0, stage.users[0], 10_000))
    start = head(path, length, stage.token if token else None, headers)
    whole = start.replace(b"%", b"%%") + record
    first, count = stage.users[0], len(stage.users)

    def make(number: int) -> bytes:
        return whole % (number, first + number % count, 10_000 + number % 80_000)

    return make


def batches(stage: Stage, count: int, size: int) -> Make:
    """`count` batches of `size` new records, made beforehand; asked for more, it begins again (replays)."""
    record = _RECORD % secrets.token_hex(4).encode()
    users = stage.users
    made = []
    for at in range(0, count * size, size):
        records = (record % (n, users[n % len(users)], 10_000 + n % 80_000) for n in range(at, at + size))
        content = b"[" + b",".join(records) + b"]"
        made.append(head(BATCH, len(content), stage.token) + content)

    def make(number: int) -> bytes:
        return made[number % count]

    return make
