"""Bodies that never end, many at once: what they may take of a process, and what the others are told."""

import contextlib
import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from twisted.web.http_headers import Headers

from dev.waiting import wait_until
from tests.support.bystanders import LONG_S, longest_wait_s
from tests.support.exchanging import say
from tests.support.serving import daphne, the_server
from tests.support.watching import failures
from transaction_monitoring.serving import bodies_at_once
from transactions.access import token_checks
from transactions.access.rights import Right
from transactions.access.tokens import create

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

MANY = "/api/add-transactions/"
LIMIT = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
# The bounds, in bodies of the limit: of all, and of those whose credentials nobody knows.
AT_ONCE, STRANGERS = 16, 4


def connected(url: str) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((str(parts.hostname), parts.port or 80), 30)


def head(length: int, *lines: str) -> bytes:
    lines = (f"POST {MANY} HTTP/1.1", "Host: localhost", "Content-Type: application/json", *lines)
    return "\r\n".join([*lines, f"Content-Length: {length}", "", ""]).encode()


def begin(url: str, stack: ExitStack, *lines: str) -> socket.socket:
    """A body of the limit, all but its end."""
    client = stack.enter_context(connected(url))
    with contextlib.suppress(OSError):  # told 503 while it sends
        client.sendall(head(LIMIT, *lines) + b" " * (LIMIT - 1000))
    return client


def told(client: socket.socket) -> bytes:
    """What a client has been answered so far."""
    client.settimeout(0.2)
    try:
        return client.recv(65_536)
    except TimeoutError:
        return b""


def kept_bytes() -> int:
    """Of files without a name, as temporary ones are, that the server has open."""
    found = 0
    for each in Path(f"/proc/{the_server()}/fd").iterdir():
        with contextlib.suppress(OSError):
            if str(each.readlink()).endswith("(deleted)"):
                found += each.stat().st_size
    return found


def batch_of(people: list[User], *, bytes_least: int = 0) -> bytes:
    batch = [{"transaction_id": f"T{number}", "user": people[0].pk, "amount": 1} for number in range(10)]
    return json.dumps(batch).encode() + b" " * bytes_least


def whole(url: str, body: bytes, *lines: str) -> tuple[int, dict[str, str], bytes]:
    parts = urlsplit(url)
    address = str(parts.hostname), int(parts.port or 80)
    return say(address, head(len(body), "Connection: close", *lines) + body)


@pytest.mark.parametrize("credentials", ["", "Authorization: Bearer nobody", "Cookie: sessionid=x"])
def test_without_known_credentials_a_few_large_bodies_come_at_once(
    people: list[User], tmp_path: Path, credentials: str
) -> None:
    token, _ = create("posting", rights=frozenset({Right.POST}))
    bearer = f"Authorization: Bearer {token}"
    log = tmp_path / "log"
    lines = [credentials] if credentials else []
    with daphne(log=log, ALLOW_ANONYMOUS_API="false") as url, ExitStack() as stack:
        # From now on the process knows the token.
        assert whole(url, batch_of(people), bearer)[0] == 200
        unended: list[socket.socket] = []

        def send_many() -> None:
            unended.extend(begin(url, stack, *lines) for _ in range(3 * STRANGERS))

        assert longest_wait_s(url, send_many) < LONG_S
        assert kept_bytes() <= STRANGERS * LIMIT
        answers = [told(each) for each in unended]
        refused = [answer for answer in answers if answer]
        assert len(refused) == 2 * STRANGERS
        for answer in refused:
            assert answer.startswith(b"HTTP/1.1 503 ")
            assert b"\r\nRetry-After: 2\r\n" in answer
            assert b"again" in answer
        # Those that came first have given way.
        assert [bool(answer) for answer in answers] == [True] * 2 * STRANGERS + [False] * STRANGERS
        # Nobody else notices.
        body = batch_of(people, bytes_least=LIMIT // 2)
        assert whole(url, body, bearer)[0] == 200
        assert whole(url, batch_of(people), *lines)[0] == 401
        # Nor do they keep what they held.
        for each in unended:
            each.close()
        wait_for_room()
        assert whole(url, body, *lines)[0] == 401
    assert log.read_text().count("Bodies take all the room") == 1
    assert failures(log.read_text().replace(token, "")) == []


@dataclass(eq=False)
class Body:
    """A request whose body comes."""

    requestHeaders: Headers
    body_bytes: int = 9_000
    held_bytes: int = 0
    share: bodies_at_once.Share | None = None


def test_a_large_body_is_not_the_one_that_asks_again_about_its_token(clock: list[float]) -> None:
    """Whoever is to ask PostgreSQL is told that once, and here nobody asks."""
    token, _ = create("till", rights=frozenset({Right.POST}))
    assert token_checks.check(token) is not None
    clock[0] += token_checks.KNOWN_S
    headers = Headers({b"Authorization": [f"Bearer {token}".encode()]})
    request = Body(headers)
    bodies_at_once.hold(request, 9_000, lambda _: pytest.fail("gives way"))
    assert request.share is bodies_at_once._known
    bodies_at_once.let_go(request)
    assert token_checks.known(token) is None, "the next one asks"


def wait_for_room() -> None:
    until = time.monotonic() + 10
    while kept_bytes() and time.monotonic() < until:
        time.sleep(0.05)
    assert kept_bytes() == 0


def test_on_a_private_run_sixteen_large_bodies_come_at_once(people: list[User]) -> None:
    with daphne() as url, ExitStack() as stack:
        unended = [begin(url, stack) for _ in range(AT_ONCE + 4)]
        # One that is being refused may have begun to be kept.
        wait_until(lambda: kept_bytes() <= AT_ONCE * LIMIT, 10, "sixteen are kept")
        assert [bool(told(each)) for each in unended] == [True] * 4 + [False] * AT_ONCE
        assert whole(url, batch_of(people, bytes_least=LIMIT // 2))[0] == 200


@pytest.fixture
def small_directory(tmp_path: Path) -> Iterator[Path]:
    """A temporary directory with room for two large bodies."""
    directory = tmp_path / "small"
    directory.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={2 * LIMIT + 4096}", "tmpfs", str(directory)]
    if os.geteuid() or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("Nobody here may mount a directory of its own.")
    try:
        yield directory
    finally:
        subprocess.run(["umount", "-l", str(directory)], check=True)


def test_without_room_on_the_disk_there_is_an_answer_too(
    people: list[User], tmp_path: Path, small_directory: Path
) -> None:
    log = tmp_path / "log"
    with daphne(log=log, TMPDIR=str(small_directory)) as url, ExitStack() as stack:
        unended = [begin(url, stack) for _ in range(4)]
        answers = [told(each)[:13] for each in unended]
        assert sorted(answers) == [b"", b"", b"HTTP/1.1 503 ", b"HTTP/1.1 503 "]
        assert whole(url, batch_of(people))[0] == 200
        status, headers, _ = whole(url, batch_of(people, bytes_least=LIMIT // 2))
        assert (status, headers["Retry-After"]) == (503, "2")
        for each, answer in zip(unended, answers, strict=True):
            if not answer:
                each.close()
        wait_for_room()
        assert whole(url, batch_of(people, bytes_least=LIMIT // 2))[0] == 200
    assert "No space left on device" in log.read_text()
    assert failures(log.read_text()) == []
