"""Django's requests: so many at once, the others wait their turn, and those beyond are told to come again."""

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from contextvars import copy_context
from typing import Any

import psycopg2
import pytest
from django.contrib.auth.models import User
from django.core.exceptions import RequestAborted
from django.db import OperationalError
from django.db import connection as database

from tests.support.accepting import record, take
from tests.support.at_once import Answer, ask, ask_all, opened, request
from tests.support.outages import postgres_frozen, transactions_locked, until_somebody_waits
from tests.support.rules import eventually
from tests.support.serving import STOP_S, daphne, database_url, uvicorn
from tests.support.watching import failures, post
from transaction_monitoring.serving.probes import LOOK_HOLDS_S
from transaction_monitoring.serving.threads import Busy, Threads
from transactions.access.rights import Right
from transactions.access.tokens import create
from transactions.books.balance import read
from transactions.queue.keys import QUEUE
from transactions.stores import postgres_silence
from transactions.stores.redis_connection import connection
from transactions.storing.flush import flush

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ONE = "/api/transactions/T1/"
LIMITED = "limited_web"
SERVED = "served"
# Longer than anything takes on a busy machine, and shorter than waiting behind everybody.
SOON_S = 5.0


@contextmanager
def few_connections(number: int) -> Iterator[str]:
    """DATABASE_URL of a role that PostgreSQL lets have so many connections and no more."""
    owner = psycopg2.connect(database_url())
    owner.autocommit = True
    cursor = owner.cursor()
    cursor.execute(f"CREATE ROLE {LIMITED} LOGIN CONNECTION LIMIT {number}")
    try:
        cursor.execute(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {LIMITED}")
        cursor.execute(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {LIMITED}")
        yield database_url().replace("transactions@", f"{LIMITED}@", 1)
    finally:
        cursor.execute(f"DROP OWNED BY {LIMITED}")
        cursor.execute(f"DROP ROLE {LIMITED}")
        owner.close()


def backends() -> list[int]:
    """The connections of a server that was started as SERVED."""
    with closing(psycopg2.connect(database_url())) as other, other.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE application_name = %s ORDER BY pid", (SERVED,))
        return [pid for (pid,) in cursor.fetchall()]


def form(id: str, user: User) -> bytes:
    body = f"transaction_id={id}&user={user.pk}&amount=1".encode()
    return request("/api/add-transaction/", body=body, kind="application/x-www-form-urlencoded")


async def told(url: str, sent: bytes) -> Answer:
    """The answer of a client that comes again when it is told to: on a busy machine it may have to."""
    for _ in range(20):
        answer = await ask(url, sent)
        if answer.status != 503 or b"too many requests at once" not in answer.body:
            break
        await asyncio.sleep(int(answer.headers["Retry-After"]))
    return answer


async def told_all(url: str, *sent: bytes) -> list[Answer]:
    """The same of requests that are sent at once."""
    return await asyncio.gather(*(told(url, each) for each in sent))


# --- Under a server ------------------------------------------------------------------------------


@pytest.mark.parametrize("serve", [daphne, uvicorn], ids=["Daphne", "uvicorn"])
def test_150_requests_at_once_need_no_more_connections_than_there_are_threads(
    people: list[User], serve: Callable[..., Any]
) -> None:
    """Posts and flushes go on, and a probe of another connection is answered soon."""
    assert take(record("T1", people[0])) == ["N"]
    flush()

    async def all_at_once(url: str) -> list[Any]:
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(told_all(url, *[request(ONE)] * 150, *[request("/readyz")] * 60))
            await asyncio.sleep(0.05)
            posting = group.create_task(told_all(url, *(form(f"P{n}", people[1]) for n in range(40))))
            alive = await ask(url, request("/livez"))
            await asyncio.to_thread(flush)
        return [alive, *reading.result(), *posting.result()]

    # 3 threads, 3 for probes, 2 for look-ups.
    with few_connections(8) as limited, serve(DATABASE_URL=limited, DJANGO_THREADS="3") as url:
        alive, *answers = asyncio.run(all_at_once(url))
    assert [answer.status for answer in answers] == [200] * 250
    assert (alive.status, alive.seconds < SOON_S) == (200, True)
    flush()
    books = read()
    assert (books.stored, books.balanced) == (41, True)


def test_who_finds_no_place_is_told_when_to_come_again(people: list[User]) -> None:
    """In JSON where the API is, with the headers of every other answer; probes are answered all the same."""

    async def all_at_once(url: str) -> None:
        with transactions_locked():
            waiting = asyncio.create_task(ask_all(url, *[request(ONE)] * 3))
            await asyncio.to_thread(until_somebody_waits)
            await asyncio.sleep(1.0)  # The two others were sent with it.
            refused, page, posted = await ask_all(
                url, request(ONE), request("/admin/login/"), form("T2", people[0])
            )
            alive = await ask(url, request("/livez"))
        assert [answer.status for answer in await waiting] == [404, 404, 404]
        assert (refused.status, refused.headers["Retry-After"]) == (503, "2")
        assert "too many requests at once" in json.loads(refused.body)["detail"]
        assert refused.headers["Content-Type"] == "application/json"
        assert refused.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'self'" in refused.headers["Content-Security-Policy"]
        assert "X-Request-Id" in refused.headers
        assert (page.status, page.headers["Content-Type"]) == (503, "text/plain; charset=utf-8")
        assert (posted.status, connection().llen(QUEUE)) == (503, 0)
        assert (alive.status, alive.seconds < SOON_S) == (200, True)
        # Once there is room, the same is taken.
        assert (await ask(url, form("T2", people[0]))).status == 200

    with daphne(DJANGO_THREADS="1", DJANGO_WAITING_MAX="2", FAST_LANE="false") as url:
        asyncio.run(all_at_once(url))


def test_a_client_that_leaves_while_it_waits_frees_its_place(people: list[User]) -> None:
    async def come_and_go(url: str) -> None:
        with transactions_locked():
            served = asyncio.create_task(ask(url, request(ONE)))
            await asyncio.to_thread(until_somebody_waits)
            _, leaving = await opened(url, request(ONE))
            await asyncio.sleep(1.0)
            assert (await ask(url, request(ONE))).status == 503
            leaving.close()
            for _ in range(100):
                waiting = asyncio.create_task(ask(url, request(ONE)))
                # Who finds no place is told so at once.
                if not (await asyncio.wait((waiting,), timeout=3.0))[0]:
                    break
            else:
                pytest.fail("the place of who left is not free")
        assert [(await each).status for each in (served, waiting)] == [404, 404]

    with daphne(DJANGO_THREADS="1", DJANGO_WAITING_MAX="1", FAST_LANE="false") as url:
        asyncio.run(come_and_go(url))


def test_connections_last_and_are_renewed_once_postgresql_has_ended_them(
    people: list[User], tmp_path: Any
) -> None:
    """As a restart of PostgreSQL ends them: no client notices."""
    assert take(record("T1", people[0])) == ["N"]
    flush()
    with daphne(DJANGO_THREADS="1", PGAPPNAME=SERVED, log=tmp_path / "log") as url:
        for path in (ONE, "/readyz"):
            assert asyncio.run(ask(url, request(path))).status == 200
        # That of the thread; a probe's ends with its look.
        eventually(lambda: len(backends()) == 1, "more than one connection is kept")
        kept = backends()
        assert [answer.status for answer in asyncio.run(ask_all(url, *[request(ONE)] * 10))] == [200] * 10
        assert backends() == kept
        with closing(psycopg2.connect(database_url())) as other:
            for pid in kept:
                other.cursor().execute("SELECT pg_terminate_backend(%s)", (pid,))
        time.sleep(LOOK_HOLDS_S)  # or readiness would not ask
        assert backends() == []
        again = asyncio.run(ask_all(url, *[request(ONE)] * 5, request("/readyz")))
        assert [answer.status for answer in again] == [200] * 6
        assert len(backends()) == 1
    assert failures((tmp_path / "log").read_text()) == []


def test_posts_from_threads_share_the_intake_of_their_server(people: list[User]) -> None:
    """One connection to Redis for all of them, not one for each."""
    with daphne(DJANGO_THREADS="4") as url:
        post(url, people[0], "T0")
        asyncio.run(ask_all(url, *(form(f"A{n}", people[0]) for n in range(8))))
        before = connection().info("stats")["total_connections_received"]
        answers = asyncio.run(ask_all(url, *(form(f"B{n}", people[0]) for n in range(60))))
        after = connection().info("stats")["total_connections_received"]
    assert [answer.status for answer in answers] == [200] * 60
    assert after - before < 8


def test_a_server_that_is_stopped_ends_though_a_view_waits_for_its_loop(people: list[User]) -> None:
    """A thread that nobody answers any more would hold the process for ever."""
    with daphne() as url:
        post(url, people[0], "T0")

        async def post_amid_silence() -> None:
            connection().client_pause(2_000)
            await opened_and_left(url, form("T1", people[0]))

        asyncio.run(post_amid_silence())
        began = time.monotonic()
    assert time.monotonic() - began < STOP_S


async def opened_and_left(url: str, sent: bytes) -> None:
    _, writer = await opened(url, sent)
    await asyncio.sleep(0.5)
    writer.close()


# --- The threads themselves ----------------------------------------------------------------------


async def never() -> None:
    await asyncio.Event().wait()


def test_who_waits_is_served_in_turn_and_one_that_has_begun_before_all() -> None:
    async def scenario() -> list[str]:
        threads, order = Threads("test", 1, 2, 60.0), list[str]()
        gone = asyncio.ensure_future(never())
        held = await threads.take(gone)

        async def come(name: str, *, first: bool = False) -> None:
            thread = await threads.take(gone, first=first)
            await threads.start(thread, copy_context(), lambda: order.append(name))

        waiting = [asyncio.create_task(come(name)) for name in ("a", "b")]
        await asyncio.sleep(0)
        with pytest.raises(Busy):
            await threads.take(gone)
        waiting.append(asyncio.create_task(come("begun", first=True)))
        await asyncio.sleep(0)
        await threads.start(held, copy_context(), lambda: None)
        await asyncio.gather(*waiting)
        gone.cancel()
        return order

    assert asyncio.run(scenario()) == ["begun", "a", "b"]


def test_callers_have_their_turns_one_after_the_other_however_many_requests_each_has_sent() -> None:
    async def scenario() -> tuple[list[str], int]:
        threads, order, refused = Threads("test", 1, 6, 60.0), list[str](), 0
        gone = asyncio.ensure_future(never())
        held = await threads.take(gone)

        async def come(caller: str) -> None:
            thread = await threads.take(gone, caller)
            await threads.start(thread, copy_context(), lambda: order.append(caller))

        waiting = [asyncio.create_task(come(caller)) for caller in "aaaaaabbc"]
        await asyncio.sleep(0)
        await threads.start(held, copy_context(), lambda: None)
        for told in await asyncio.gather(*waiting, return_exceptions=True):
            refused += isinstance(told, Busy)
        gone.cancel()
        return order, refused

    # The places of those who came last are taken from whoever has the most.
    assert asyncio.run(scenario()) == (["a", "b", "c", "a", "b", "a"], 3)


def test_many_without_credentials_do_not_push_a_token_s_request_aside(people: list[User]) -> None:
    """From the very same address: whom the process knows has turns of its own."""
    token, _ = create("poster", rights=frozenset({Right.POST}))
    posting = form("T1", people[0]).replace(
        b"\r\n\r\n", f"\r\nAuthorization: Bearer {token}\r\n\r\n".encode(), 1
    )

    async def all_at_once(url: str) -> tuple[Any, Any]:
        assert (
            await ask(url, request(ONE, Authorization=f"Bearer {token}"))
        ).status == 403  # the process knows it from now on
        pages = asyncio.create_task(ask_all(url, *[request("/admin/login/")] * 200))
        await asyncio.sleep(0.3)
        posted = await ask(url, posting)
        under_way = not pages.done()
        await pages
        return posted, under_way

    with daphne(ALLOW_ANONYMOUS_API="false", DJANGO_THREADS="1", DJANGO_WAITING_MAX="100") as url:
        posted, under_way = asyncio.run(all_at_once(url))
    assert (posted.status, under_way) == (200, True)


def test_who_waits_too_long_or_leaves_takes_no_thread_with_it() -> None:
    async def scenario() -> None:
        threads = Threads("test", 1, 5, 0.05)
        stays = asyncio.ensure_future(never())
        held = await threads.take(stays)
        with pytest.raises(Busy):
            await threads.take(stays)
        leaves: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        leaving = asyncio.create_task(threads.take(leaves))
        cancelled = asyncio.create_task(threads.take(stays))
        await asyncio.sleep(0)
        leaves.set_result(None)
        cancelled.cancel()
        for task, error in ((leaving, RequestAborted), (cancelled, asyncio.CancelledError)):
            with pytest.raises(error):
                await task
        with pytest.raises(ZeroDivisionError):  # what fails gives its thread back too
            await threads.start(held, copy_context(), lambda: 1 / 0)
        assert await threads.take(stays) is held
        stays.cancel()

    asyncio.run(scenario())


def test_a_turn_that_comes_as_its_owner_leaves_goes_to_the_next() -> None:
    async def scenario() -> None:
        threads = Threads("test", 1, 5, 60.0)
        stays = asyncio.ensure_future(never())
        held = await threads.take(stays)
        leaving, next_one = (asyncio.create_task(threads.take(stays)) for _ in range(2))
        await asyncio.sleep(0)
        threads.start(held, copy_context(), lambda: None)
        while len(threads._waiting) == 2:  # noqa: ASYNC110  (this very moment is meant)
            await asyncio.sleep(0)
        leaving.cancel()  # the thread is its own, and it has not heard of it
        assert await asyncio.wait_for(next_one, 5) is held
        with pytest.raises(asyncio.CancelledError):
            await leaving
        stays.cancel()

    asyncio.run(scenario())


def test_what_a_thread_waits_for_is_watched(people: list[User], monkeypatch: pytest.MonkeyPatch) -> None:
    """A PostgreSQL that is frozen holds no request for ever."""
    monkeypatch.setattr(postgres_silence, "WAIT_S_MAX", 2.0)

    def backend() -> int:
        with database.cursor() as cursor:
            cursor.execute("SELECT pg_backend_pid()")
            return int(cursor.fetchone()[0])

    def close() -> None:
        database.close()

    async def scenario() -> None:
        threads = Threads("test", 1, 5, 60.0)
        stays = asyncio.ensure_future(never())

        async def run(work: Callable[[], Any]) -> Any:
            return await threads.start(await threads.take(stays), copy_context(), work)

        before = await run(backend)
        with postgres_frozen(before), pytest.raises(OperationalError):
            await asyncio.wait_for(run(backend), 60)
        await run(close)
        assert await run(backend) != before
        await run(close)
        stays.cancel()

    asyncio.run(scenario())


def test_a_thread_is_not_free_before_its_work_is_done() -> None:
    """Also where whoever asked has been cancelled."""

    async def scenario() -> None:
        threads, go_on = Threads("test", 1, 5, 60.0), threading.Event()
        stays = asyncio.ensure_future(never())
        held = await threads.take(stays)
        work = threads.start(held, copy_context(), go_on.wait)

        async def wait_for_it() -> None:
            await asyncio.shield(work)

        task = asyncio.create_task(wait_for_it())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.sleep(0.05)
        assert threads.take_idle() is None
        go_on.set()
        assert await asyncio.wait_for(threads.take(stays), 5) is held
        stays.cancel()

    asyncio.run(scenario())
