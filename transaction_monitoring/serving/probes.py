"""/livez, /readyz and /metrics, in front of Django: for whatever Host, and without a thread each.

Load balancers ask by address, or name no host at all, and somebody may ask a hundred times at once.
So /livez is answered at once; /readyz from one look, which holds for a second; and where that takes a
thread, all of them wait for the same few. Who shows a token may ask by any name; a session, and the
freedom of a private run, hold for our own hosts alone, as a browser may be led here by another name.

Whom the process knows never waits behind those whom it does not, who pay from the bucket of their address.

The views in `observability` say what is answered, and serve where there is no ASGI server.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context
from functools import partial
from io import BytesIO
from time import monotonic
from typing import Any, TypeVar

from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.handlers.asgi import ASGIRequest
from django.db import Error as DatabaseError
from django.db import close_old_connections
from django.http import JsonResponse

from transactions.access import rate_limits, token_checks
from transactions.access.callers import rights_of_caller
from transactions.access.known_callers import is_remembered, known_caller, token_of
from transactions.access.plain_heads import JSON
from transactions.access.rights import Right
from transactions.live.handshake import load_user
from transactions.stores.per_loop import PerLoop
from transactions.stores.postgres_silence import watched_threads

from ..observability import health
from ..observability.prometheus import metrics
from .early_answers import address_in, answer, header, path_of
from .hosts import is_allowed, refuse

# How long a look holds, and how long anybody waits for one.
LOOK_HOLDS_S = 1.0
LOOK_S_MAX = 5.0
SILENT = "a store is silent"
# Who may wait for a thread at once; more are told less, or to come again.
WAITING_MAX = 32

Returned = TypeVar("Returned")


class Worker:
    """One thread, with a connection while it works, for all that ask at once."""

    def __init__(self, name: str) -> None:
        self._thread = watched_threads(1, name)
        self._waiting = 0

    @property
    def busy(self) -> bool:
        return self._waiting >= WAITING_MAX

    async def run(self, work: Callable[[], Returned]) -> Returned:
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, partial(_alone, work))
        finally:
            self._waiting -= 1


def _alone(work: Callable[[], Returned]) -> Returned:
    close_old_connections()
    try:
        return work()
    finally:
        close_old_connections()


class Readiness:
    """What the last look at the system showed, for one event loop."""

    def __init__(self) -> None:
        self._worker = Worker("readiness")
        self._looking: asyncio.Task[tuple[list[str], dict[str, Any]]] | None = None
        self._seen_at = 0.0

    async def look(self) -> tuple[list[str], dict[str, Any]]:
        """Problems, and what was seen, of a second ago at most."""
        looking = self._looking
        if looking is None or (looking.done() and self._is_over(looking)):
            looking = asyncio.create_task(self._look_now(), context=Context())
            self._looking = looking
        try:
            return await asyncio.wait_for(asyncio.shield(looking), LOOK_S_MAX)
        except TimeoutError:
            return [SILENT], {}

    def _is_over(self, look: "asyncio.Task[Any]") -> bool:
        return look.cancelled() or look.exception() is not None or monotonic() > self._seen_at + LOOK_HOLDS_S

    async def _look_now(self) -> tuple[list[str], dict[str, Any]]:
        seen = await self._worker.run(health.look)
        self._seen_at = monotonic()
        return seen


_readiness = PerLoop(Readiness)
# Who asks, and with which right, where only PostgreSQL could tell; and the figures of all. Those whom
# nobody knows have a thread of their own, so that guesses do not stand in front of Prometheus.
_callers = PerLoop(lambda: Worker("callers"))
strangers = PerLoop(lambda: Worker("strangers"))


class TooOften(Exception):
    """An address asks too often with credentials that nobody knows."""

    def __init__(self, allowance: rate_limits.Allowance) -> None:
        super().__init__(rate_limits.REFUSED)
        self.headers = {name.replace("-", "_"): value for name, value in allowance.headers().items()}


async def _worker_for(scope: HTTPScope) -> Worker:
    """Who is to look at a caller's credentials. Those that nobody knows are paid for. Raises TooOften."""
    authorization, cookies = header(scope, b"authorization") or "", header(scope, b"cookie") or ""
    if known_caller(authorization, cookies) is not None:
        return _callers.here()
    token = token_of(authorization)
    if token is not None and await is_remembered(token):
        return _callers.here()
    if token is not None or settings.SESSION_COOKIE_NAME in cookies:
        allowance = await rate_limits.take(f"address:{address_in(scope)}", 1)
        if allowance is not None and allowance.wait_s:
            raise TooOften(allowance)
    return strangers.here()


def probes(application: ASGI3Application) -> ASGI3Application:
    """`application` behind the probes."""

    async def probed(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] != "http" or (view := VIEWS.get(path_of(scope))) is None:
            await application(scope, receive, send)
        elif scope["method"] not in ("GET", "HEAD"):
            told = JsonResponse({"detail": f'Method "{scope["method"]}" not allowed.'}).content
            await answer(scope, send, 405, told, JSON, Allow="GET, HEAD")
        else:
            try:
                await view(scope, send)
            except TooOften as refused:
                told = JsonResponse({"detail": str(refused)}).content
                await answer(scope, send, 429, told, JSON, **refused.headers)

    return probed


async def live(scope: HTTPScope, send: ASGISendCallable) -> None:
    await answer(scope, send, 200, b'{"status": "alive"}', JSON)


async def ready(scope: HTTPScope, send: ASGISendCallable) -> None:
    # Both at once: together they take no longer than one of them.
    (problems, details), told = await asyncio.gather(_readiness.here().look(), _may_read_in_time(scope))
    body: dict[str, Any] = {"status": "not ready" if problems else "ready"}
    if told:
        body |= {"problems": problems, **details}
    await answer(scope, send, 503 if problems else 200, JsonResponse(body).content, JSON)


async def figures(scope: HTTPScope, send: ASGISendCallable) -> None:
    if _token(scope) is None and not is_allowed(scope):
        await refuse(scope, send)
    elif (worker := await _worker_for(scope)).busy:
        await answer(scope, send, 503, b'{"detail": "Too many ask at once."}', JSON, Retry_After="1")
    else:
        response = await worker.run(lambda: metrics(_with_user(scope)))
        more = {name.replace("-", "_"): value for name, value in response.items() if name != "Content-Type"}
        content_type = response["Content-Type"]
        await answer(scope, send, response.status_code, response.content, content_type, **more)


VIEWS = {
    f"/{name}{slash}": view
    for name, view in (("livez", live), ("readyz", ready), ("metrics", figures))
    for slash in ("", "/")
}


def _request_of(scope: HTTPScope) -> ASGIRequest:
    """The request, for Django's own reading of headers; a probe has no content that were of a type."""
    headers = [each for each in scope["headers"] if each[0] != b"content-type"]
    return ASGIRequest({**scope, "headers": headers}, BytesIO())


def _token(scope: HTTPScope) -> str | None:
    return token_of(header(scope, b"authorization") or "")


def _with_user(scope: HTTPScope) -> ASGIRequest:
    """The request with the user of its session. Blocks."""
    request = _request_of(scope)
    load_user(request)
    return request


async def _may_read(scope: HTTPScope) -> bool:
    """Whether the caller has the right to read; PostgreSQL is asked only where somebody claims it."""
    token = _token(scope)
    if token is None and not is_allowed(scope):
        return False
    # Looked for, and not parsed: that is for a thread.
    if token is None and settings.SESSION_COOKIE_NAME not in (header(scope, b"cookie") or ""):
        request = _request_of(scope)
        request.user = AnonymousUser()
        return Right.READ in rights_of_caller(request)
    if token is not None and (access := token_checks.known(token)) is not None:
        return Right.READ in access.rights
    worker = await _worker_for(scope)
    return not worker.busy and await worker.run(lambda: _reads(scope))


async def _may_read_in_time(scope: HTTPScope) -> bool:
    """Like `_may_read`, and False where that cannot be told in time."""
    try:
        return await asyncio.wait_for(_may_read(scope), LOOK_S_MAX)
    except TimeoutError:
        return False


def _reads(scope: HTTPScope) -> bool:
    try:
        return Right.READ in rights_of_caller(_with_user(scope))
    except DatabaseError:
        return False
