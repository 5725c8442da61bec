"""Static files that never change are answered as Django answers them, and Django is asked once."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import async_to_sync

from tests.support.asgi import http_scope
from tests.support.exchanging import address_of, say
from tests.support.serving import ROOT, daphne
from transaction_monitoring.serving.kept_files import KeptAnswer, KeptAnswers, kept_files

FILE = "/static/base.0123456789ab.css"
NEVER_CHANGES = (b"Cache-Control", b"max-age=315360000, public, immutable")


class Django:
    """In the place of Django: tells `body` in `pieces`, and counts how often it was asked."""

    def __init__(self, *headers: tuple[bytes, bytes], status: int = 200, pieces: int = 1) -> None:
        self.headers, self.status, self.pieces = headers, status, pieces
        self.asked = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked += 1
        await send({"type": "http.response.start", "status": self.status, "headers": self.headers})
        for piece in range(self.pieces, 0, -1):
            await send({"type": "http.response.body", "body": b"all", "more_body": piece > 1})


def ask(application: Any, *headers: tuple[bytes, bytes], **more: Any) -> Any:
    """Status, headers and body of an answer."""
    sent: list[Any] = []
    scope = http_scope("GET", FILE, *headers, **more)

    async def send(message: Any) -> None:
        sent.append(message)

    async_to_sync(application)(scope, None, send)
    return sent[0]["status"], list(sent[0]["headers"]), b"".join(each["body"] for each in sent[1:])


def test_whoever_asks_for_the_same_is_told_what_the_first_was_told() -> None:
    django = Django(NEVER_CHANGES, (b"X-Any", b"thing"))
    kept = kept_files(django)
    told = [ask(kept) for _ in range(3)]
    assert told == [(200, [NEVER_CHANGES, (b"X-Any", b"thing")], b"all")] * 3
    assert django.asked == 1


@pytest.mark.parametrize(
    ("headers", "more"),
    [
        ([(b"accept-encoding", b"br")], {}),
        ([], {"path": "/static/other.0123456789ab.css"}),
        ([], {"scheme": "https"}),
    ],
    ids=["packed otherwise", "another file", "by TLS"],
)
def test_what_may_be_answered_otherwise_is_kept_apart(headers: Any, more: Any) -> None:
    django = Django(NEVER_CHANGES)
    kept = kept_files(django)
    ask(kept)
    for _ in range(2):
        ask(kept, *headers, **more)
    assert django.asked == 2


@pytest.mark.parametrize(
    ("headers", "more"),
    [
        *(
            ([(name, b"x")], {})
            for name in (b"range", b"if-none-match", b"if-modified-since", b"content-type", b"content-length")
        ),
        ([(b"accept-encoding", b"gzip, " * 20)], {}),
        ([], {"query_string": b"x=1"}),
        ([], {"method": "HEAD"}),
        ([], {"method": "get"}),
        ([], {"path": "/api/pipeline/"}),
    ],
    ids=str,
)
def test_what_is_asked_for_in_another_way_is_asked_of_django_each_time(headers: Any, more: Any) -> None:
    django = Django(NEVER_CHANGES)
    kept = kept_files(django)
    for _ in range(2):
        ask(kept)
        ask(kept, *headers, **more)
    assert django.asked == 3


@pytest.mark.parametrize(
    "django",
    [
        Django((b"Cache-Control", b"max-age=60, public")),
        Django(),
        Django(NEVER_CHANGES, status=404),
        Django(NEVER_CHANGES, pieces=2),
    ],
    ids=["may change", "says nothing", "is not there", "in pieces"],
)
def test_only_what_is_whole_and_never_changes_is_kept(django: Django) -> None:
    kept = kept_files(django)
    assert ask(kept) == ask(kept)
    assert django.asked == 2


def test_without_lanes_django_is_asked_each_time(settings: Any) -> None:
    settings.FAST_LANE = False
    django = Django(NEVER_CHANGES)
    assert kept_files(django) is django


def test_what_is_kept_has_a_bound_and_the_oldest_goes_first() -> None:
    answers = KeptAnswers(bytes_max=10_000)
    keys = [(f"/static/{number}.css", "", False) for number in range(3)]
    for key in keys[:2]:
        answers.put(key, KeptAnswer([], b"x" * 3_000))
        answers.put(key, KeptAnswer([], b"x" * 3_000))
    assert answers.get(keys[0]) is not None  # now the other is the oldest
    answers.put(keys[2], KeptAnswer([], b"x" * 3_000))
    assert [answers.get(key) is not None for key in keys] == [True, False, True]
    answers.put(keys[1], KeptAnswer([], b"x" * 20_000))
    assert [answers.get(key) for key in keys] == [None] * 3


def requests(paths: list[str]) -> Iterator[bytes]:
    for path in paths:
        for line in (
            "X-Any: thing",
            *(f"Accept-Encoding: {each}" for each in ("gzip", "br", "gzip, br", "identity", "*", "x" * 65)),
            *(
                "Range: bytes=0-9",
                "If-None-Match: *",
                "Cookie: sessionid=x",
                "If-Modified-Since: Fri, 27 Nov 2099 00:00:00 GMT",
                "Origin: http://evil.example",
            ),
            *("Content-Type: text/plain; charset=foo", "X-Forwarded-Proto: https", "Accept: image/png"),
            *("Host: evil.example", "Authorization: Bearer wrong", "X-Request-Id: mine"),
        ):
            for method in ("GET", "GET", "HEAD", "POST", "OPTIONS"):
                head = [f"{method} {path} HTTP/1.1", "Host: localhost", "Connection: close", line]
                yield "\r\n".join([*head, "", ""]).encode()


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all static files are, as in production."""
    directory = tmp_path_factory.mktemp("collected")
    command = [sys.executable, "manage.py", "collectstatic", "--noinput", "-v", "0"]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "STATIC_ROOT": str(directory)}, check=True)
    return directory


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("tls_alone", [False, True])
def test_both_ways_give_the_same_answers(collected: Path, tls_alone: bool) -> None:
    """Of files packed and plain, small and large, under names that tell their content and others."""
    files = [path for path in collected.rglob("transactions/looks/frame*") if path.suffix != ".gz"]
    files += sorted(collected.rglob("*.js"), key=lambda path: path.stat().st_size)[-1:]
    paths = [f"/static/{path.relative_to(collected)}" for path in files]
    told = []
    for lane in ("true", "false"):
        with daphne(
            FAST_LANE=lane,
            SECURE_SSL_REDIRECT=str(tls_alone),
            SECURE_HSTS_SECONDS="60",
            SECURE_PROXY_SSL_HEADER="X-Forwarded-Proto,https",
            STATIC_ROOT=str(collected),
        ) as url:
            address = address_of(url)
            asked = [*paths, "/static/nothing.css", "/static/", "/static"]
            told.append([(each, say(address, each)) for each in requests(asked)])
    for (each, fast), (_, slow) in zip(*told, strict=True):
        assert fast == slow, each
    statuses = {answer[0] for _, answer in told[0]}
    assert statuses >= ({200, 301} if tls_alone else {200, 206, 304, 400, 404, 405})
