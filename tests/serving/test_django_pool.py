"""One request through Django's threads: what it bears along, how it fails, and answers sent in portions."""

import asyncio
import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from django.http import FileResponse, HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path
from pytest_django import Settings

from tests.support.watching import failures
from transaction_monitoring.observability import logs
from transaction_monitoring.serving import django_pool
from transaction_monitoring.serving.django_pool import DjangoPool
from transactions.views import plain_reads

Messages = list[dict[str, Any]]
PART = b"x" * django_pool.PORTION_BYTES


class Parts:
    """A streamed body: `number` parts, the one numbered `fails` never comes."""

    def __init__(self, number: int, fails: int = -1, error: Exception | None = None) -> None:
        self.made, self.closed = 0, 0
        self._number, self._fails = number, fails
        self._error = error or ValueError("broken")

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if self.made == self._fails:
            raise self._error
        if self.made == self._number:
            raise StopIteration
        self.made += 1
        return PART

    def close(self) -> None:
        self.closed += 1


parts = Parts(0)
go_on = threading.Event()


def streamed(request: HttpRequest) -> StreamingHttpResponse:
    go_on.wait(10)
    return StreamingHttpResponse(parts, headers={"X-Kept": "1"}, status=203)


def told(request: HttpRequest) -> HttpResponse:
    response = HttpResponse(f"{logs.request_id.get()} {threading.current_thread().name}")
    response.set_cookie("seen", "1")
    return response


def fails(request: HttpRequest) -> HttpResponse:
    raise ValueError("broken")


def small(request: HttpRequest) -> FileResponse:
    return FileResponse(iter([b"a", b"b"]), content_type="text/plain")


urlpatterns = [
    path("told", told),
    path("api/fails", fails),
    path("fails", fails),
    path("small", small),
    path("streamed", streamed),
]
handler500 = "transaction_monitoring.serving.errors.server_error"


@pytest.fixture
def application(settings: Settings) -> DjangoPool:
    settings.ROOT_URLCONF = __name__
    settings.MIDDLEWARE = settings.MIDDLEWARE[:2]
    settings.DJANGO_THREADS = 1
    go_on.set()
    return DjangoPool()


class Line:
    """Daphne's end of a connection: what was sent, and what of it the client has not taken."""

    def __init__(self, *, reads: bool = True) -> None:
        self.sent: Messages = []
        self.dataBuffer, self.offset, self._tempDataLen = b"", 0, 0
        self.aborted = False
        self.left = asyncio.Event()
        self._reads = reads
        self._asked = False

    async def receive(self) -> dict[str, Any]:
        if not self._asked:
            self._asked = True
            return {"type": "http.request", "body": b""}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)
        if not self._reads:
            self._tempDataLen += len(message.get("body", b""))

    def abortConnection(self) -> None:
        self.aborted = True

    def scope(self, path: str, method: str = "GET") -> dict[str, Any]:
        return {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": b"",
            "headers": [(b"host", b"localhost")],
            "state": {"server_send": SimpleNamespace(args=(SimpleNamespace(transport=self),))},
        }

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.sent[1:] if "body" in message)

    @property
    def complete(self) -> bool:
        return not self.sent[-1].get("more_body", False)


def ask(application: DjangoPool, path: str, method: str = "GET") -> Line:
    async def scenario() -> Line:
        line = Line()
        await application(line.scope(path, method), line.receive, line.send)
        return line

    return asyncio.run(scenario())


@pytest.mark.parametrize(
    "change",
    [
        {"query_string": b"\xff"},
        {"headers": [(b"host", b"localhost"), (b"content-type", b"a/b; charset*=nix''a")]},
        {"headers": [(b"host", b"localhost"), (b"content-type", b"a/b; charset*=\xff''a")]},
    ],
)
def test_what_django_cannot_make_a_request_of_is_a_400(
    application: DjangoPool, change: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> Line:
        line = Line()
        await application(line.scope("told") | change, line.receive, line.send)
        return line

    line = asyncio.run(scenario())
    assert (line.status, list(json.loads(line.body))) == (400, ["detail"])
    assert failures(caplog.text) == []


def test_a_request_bears_its_name_along_and_comes_back_with_its_cookies(application: DjangoPool) -> None:
    token = logs.request_id.set("request-1")
    try:
        line = ask(application, "/told")
    finally:
        logs.request_id.reset(token)
    assert line.body == b"request-1 django-1_0"
    assert (b"Set-Cookie", b"seen=1; Path=/") in line.sent[0]["headers"]


@pytest.mark.parametrize(
    ("path", "body"),
    [("/api/fails", b'{"detail": "A server error occurred."}'), ("/fails", b"<h1>Server Error")],
)
def test_a_view_that_fails_is_a_500_and_its_thread_goes_on(
    application: DjangoPool, path: str, body: bytes
) -> None:
    async def scenario() -> list[Line]:
        lines = [Line(), Line()]
        for line, asked in zip(lines, (path, "/told"), strict=True):
            await application(line.scope(asked), line.receive, line.send)
        return lines

    failed, after = asyncio.run(scenario())
    assert failed.status == 500
    assert body in failed.body
    assert after.status == 200


def test_a_fault_of_the_short_way_is_told_in_the_log_and_django_answers(
    application: DjangoPool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(*_: Any) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(plain_reads, "answer", answer)
    assert ask(application, "/told").status == 200
    assert "ZeroDivisionError: ours" in caplog.text


def test_what_fails_when_nobody_waits_for_it_any_more_is_told_in_the_log(
    application: DjangoPool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    begun, go = threading.Event(), threading.Event()

    def answer(*_: Any) -> None:
        begun.set()
        go.wait(10)
        raise ZeroDivisionError("ours")

    monkeypatch.setattr(application, "_answer", answer)

    async def scenario() -> None:
        line = Line()
        task = asyncio.create_task(application(line.scope("/told"), line.receive, line.send))
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        await asyncio.sleep(0.05)
        go.set()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    assert "ZeroDivisionError: ours" in caplog.text


def test_signals_are_sent_and_the_answer_closed_in_the_thread_of_the_view(application: DjangoPool) -> None:
    threads: list[str] = []

    def note(**_: Any) -> None:
        threads.append(threading.current_thread().name)

    request_started.connect(note)
    request_finished.connect(note)
    try:
        line = ask(application, "/told")
    finally:
        request_started.disconnect(note)
        request_finished.disconnect(note)
    assert threads == [line.body.split()[-1].decode()] * 2


def test_a_small_file_is_read_and_closed_in_one_visit(application: DjangoPool) -> None:
    line = ask(application, "/small")
    assert [message["type"] for message in line.sent] == ["http.response.start", "http.response.body"]
    assert (line.status, line.body, line.complete) == (200, b"ab", True)


def test_a_stream_comes_whole_and_in_order(application: DjangoPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "parts", Parts(5))
    line = ask(application, "/streamed")
    assert (line.status, line.body, line.complete) == (203, PART * 5, True)
    assert (b"X-Kept", b"1") in line.sent[0]["headers"]
    assert parts.closed == 1


def test_a_head_request_makes_no_portion(application: DjangoPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "parts", Parts(5))
    line = ask(application, "/streamed", "HEAD")
    assert (line.status, line.body, line.complete) == (203, b"", True)
    assert (parts.made, parts.closed) == (0, 1)


def test_nothing_is_made_for_who_does_not_read_and_after_a_while_the_connection_is_cut(
    application: DjangoPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "parts", Parts(50))
    monkeypatch.setattr(django_pool, "PORTION_S", 0.3)

    async def scenario() -> Line:
        line = Line(reads=False)
        await application(line.scope("/streamed"), line.receive, line.send)
        return line

    line = asyncio.run(scenario())
    assert parts.made == 2
    assert (line.aborted, line.complete, parts.closed) == (True, False, 1)


class SlowLine(Line):
    """A connection whose kernel is full, and whose client reads a little now and then."""

    def __init__(self) -> None:
        super().__init__(reads=False)
        self._ours, self._theirs = socket.socketpair()
        self._ours.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self._ours.send(b"x" * 1024)
        self.fileno = self._ours.fileno

    def read_a_little(self) -> None:
        self._theirs.recv(1024)

    def close(self) -> None:
        self._ours.close()
        self._theirs.close()


def test_a_client_that_reads_a_little_now_and_then_is_waited_for(
    application: DjangoPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "parts", Parts(50))
    now = 1_000.0
    monkeypatch.setattr(django_pool, "time", SimpleNamespace(monotonic=lambda: now))

    async def scenario() -> None:
        nonlocal now
        line = SlowLine()
        with contextlib.closing(line):
            task = asyncio.create_task(application(line.scope("/streamed"), line.receive, line.send))
            for _ in range(3):
                # Until it is looked, which is not seldom.
                await asyncio.sleep(2 * django_pool.LOOK_S_MAX)
                line.read_a_little()
                await asyncio.sleep(2 * django_pool.LOOK_S_MAX)
                now += 0.9 * django_pool.PORTION_S
            await asyncio.sleep(2 * django_pool.LOOK_S_MAX)
            assert not line.aborted
            now += django_pool.PORTION_S
            await task
        assert line.aborted

    asyncio.run(scenario())
    assert parts.closed == 1


def test_a_stream_that_gives_up_is_cut_with_a_line_and_no_traceback(
    application: DjangoPool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(globals(), "parts", Parts(5, fails=2, error=TimeoutError("others wait")))
    with caplog.at_level("INFO"):
        line = ask(application, "/streamed")
    assert (line.complete, line.aborted, parts.closed) == (False, True, 1)
    assert "others wait" in caplog.text
    assert failures(caplog.text) == []


def test_a_server_that_waits_in_send_is_waited_for_no_longer(
    application: DjangoPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As uvicorn does while its client does not read."""
    monkeypatch.setitem(globals(), "parts", Parts(50))
    monkeypatch.setattr(django_pool, "PORTION_S", 0.3)

    async def scenario() -> int:
        line = Line()

        async def send(message: Any) -> None:
            await line.send(message)
            if len(line.sent) > 3:
                await asyncio.Event().wait()

        await application(line.scope("/streamed"), line.receive, send)
        return len(line.sent)

    assert asyncio.run(scenario()) == 4
    assert (parts.made, parts.closed) == (3, 1)


def test_a_client_that_leaves_amid_a_stream_ends_it(
    application: DjangoPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "parts", Parts(50))

    async def scenario() -> Line:
        line = Line()

        async def send(message: Any) -> None:
            await line.send(message)
            if len(line.sent) == 3:
                line.left.set()

        await application(line.scope("/streamed"), line.receive, send)
        return line

    line = asyncio.run(scenario())
    assert (line.complete, line.aborted, parts.closed) == (False, False, 1)
    assert parts.made < 5


def test_a_stream_that_breaks_off_is_told_in_the_log_and_never_looks_complete(
    application: DjangoPool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(globals(), "parts", Parts(5, fails=2))
    line = ask(application, "/streamed")
    assert (line.body, line.complete, line.aborted, parts.closed) == (PART * 2, False, True, 1)
    assert "broke off" in caplog.text
    assert failures(caplog.text)


def test_a_stream_that_fails_before_its_first_portion_is_a_500(
    application: DjangoPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(globals(), "parts", Parts(5, fails=0))
    line = ask(application, "/streamed")
    assert (line.status, line.complete, line.aborted, parts.closed) == (500, True, False, 1)


def test_an_answer_that_nobody_waits_for_any_more_is_closed(
    application: DjangoPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Daphne cancels what goes on for long after its client has left."""
    monkeypatch.setitem(globals(), "parts", Parts(50))

    async def scenario(until: Callable[[], bool]) -> None:
        go_on.clear()
        line = Line()
        task = asyncio.create_task(application(line.scope("/streamed"), line.receive, line.send))
        await asyncio.sleep(0.05)
        task.cancel()
        await asyncio.sleep(0.05)
        assert not task.done()  # the loop is kept for a view that waits for it
        go_on.set()
        with pytest.raises(asyncio.CancelledError):
            await task
        async with asyncio.timeout(10):
            while not until():  # noqa: ASYNC110  (a thread says nothing to the loop)
                await asyncio.sleep(0.01)

    asyncio.run(scenario(lambda: parts.closed == 1))
    assert parts.made == 1
