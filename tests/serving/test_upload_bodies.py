"""Files that people upload: the one path that takes more than a body may have, and its own bound."""

import contextlib
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client

from tests.support.exchanging import say
from tests.support.serving import daphne
from tests.support.uploads import importer
from tests.support.watching import failures
from transactions.uploads.content import opened
from transactions.uploads.limits import UPLOAD_PATH
from transactions.uploads.models import Upload

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

LIMIT_OF_OTHERS = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
LIMIT = 2 * LIMIT_OF_OTHERS


@pytest.fixture(scope="module")
def url(django_db_setup: None, log: Path) -> Iterator[str]:
    """A server that takes files twice as large as any other body."""
    with daphne(log=log, UPLOAD_BYTES_MAX=str(LIMIT)) as url:
        yield url


def session(url: str, client: Client) -> httpx.Client:
    return httpx.Client(base_url=url, cookies={"sessionid": client.cookies["sessionid"].value}, timeout=60)


def announced(length: int, path: str = UPLOAD_PATH) -> bytes:
    lines = (f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: multipart/form-data; boundary=x")
    return "\r\n".join([*lines, f"Content-Length: {length}", "", ""]).encode()


def address(url: str) -> tuple[str, int]:
    parts = urlsplit(url)
    return str(parts.hostname), int(parts.port or 80)


def test_a_file_may_be_larger_than_any_other_body_and_comes_in_whole(
    url: str, people: list[User], log: Path
) -> None:
    client, _ = importer()
    content = b"0123456789abcdef" * (LIMIT // 16 - 256)
    assert len(content) > 1.9 * LIMIT_OF_OTHERS
    with session(url, client) as browser:
        page = browser.get(UPLOAD_PATH).text
        found = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        assert found is not None
        form = {"csrfmiddlewaretoken": found[1]}
        answer = browser.post(UPLOAD_PATH, data=form, files={"file": ("large.csv", content)})
        assert answer.status_code == 302, answer.text
    upload = Upload.objects.get()
    with opened(upload) as file:
        assert file.read() == content
    assert failures(log.read_text()) == []


def test_over_its_bound_it_is_refused_before_it_has_come(url: str, people: list[User]) -> None:
    status, _, body = say(address(url), announced(LIMIT + 1))
    assert (status, body) == (413, b'{"detail":"The body is over the limit of %d bytes."}' % LIMIT)


@pytest.mark.parametrize("path", ["/admin/uploads/upload/", "/api/add-transactions/", f"{UPLOAD_PATH}more/"])
def test_nowhere_else_a_body_may_be_so_large(url: str, people: list[User], path: str) -> None:
    status, _, body = say(address(url), announced(LIMIT, path))
    assert status == 413
    assert str(LIMIT_OF_OTHERS).encode() in body


def test_files_that_come_at_once_hold_no_more_than_one_may(url: str, people: list[User], log: Path) -> None:
    with ExitStack() as stack:
        coming = []
        for _ in range(3):
            each = stack.enter_context(socket.create_connection(address(url), 30))
            coming.append(each)
            with contextlib.suppress(OSError):
                each.sendall(announced(LIMIT) + b"x" * (LIMIT - 1_000))
            each.settimeout(0.5)
        told = []
        for each in coming:
            try:
                told.append(each.recv(13))
            except TimeoutError:
                told.append(b"")
        # The first have given way to the last.
        assert told == [b"HTTP/1.1 503 ", b"HTTP/1.1 503 ", b""]
        # What clients post has room of its own.
        headers = {"Content-Type": "application/json"}
        posted = httpx.post(f"{url}/api/add-transactions/", content=b" " * LIMIT_OF_OTHERS, headers=headers)
        assert posted.status_code == 400
    assert failures(log.read_text()) == []
