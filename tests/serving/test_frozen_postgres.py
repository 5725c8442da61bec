"""A PostgreSQL that is frozen, with its connections open: web says which part it is, and in time."""

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psycopg2
import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.support.at_once import Answer, ask, ask_all, request
from tests.support.outages import postgres_frozen, transactions_locked, until_somebody_waits
from tests.support.serving import daphne, database_url
from tests.support.watching import failures
from transactions.live.readers import ALIVE_S
from transactions.stores import postgres_look

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

SERVED = "frozen_web"
CHIP = "/admin/dashboard/condition/"
BROWSER = "text/html,application/xhtml+xml"


def signed_in() -> str:
    """The cookie of somebody who may see everything."""
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return f"sessionid={client.cookies['sessionid'].value}"


@contextmanager
def all_frozen() -> Iterator[None]:
    """PostgreSQL with all connections of the web server says nothing in this block."""
    with closing(psycopg2.connect(database_url())) as other, other.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE application_name = %s", (SERVED,))
        backends = [pid for (pid,) in cursor.fetchall()]
        with postgres_frozen(other.info.backend_pid):
            for backend in backends:
                with suppress(ProcessLookupError):
                    os.kill(backend, signal.SIGSTOP)
            try:
                yield
            finally:
                for backend in backends:
                    with suppress(ProcessLookupError):
                        os.kill(backend, signal.SIGCONT)


async def until_it_is_well(url: str, sent: bytes) -> Answer:
    for _ in range(30):
        answer = await ask(url, sent)
        if answer.status == 200:
            break
        await asyncio.sleep(1)
    return answer


def test_who_asks_is_told_that_it_is_postgresql_within_the_time_that_pages_wait(
    people: list[User], tmp_path: Path
) -> None:
    """Also once all threads hang; and all is as before once it thaws."""
    cookie = signed_in()
    chip = request(CHIP, Cookie=cookie, Accept="text/html")
    page = request("/admin/system/", Cookie=cookie, Accept=BROWSER)
    figures = request("/admin/dashboard/figures/", Cookie=cookie, Accept="application/json")
    api = request("/api/transactions/", Cookie=cookie, Accept="application/json")

    async def asked(url: str) -> list[list[Answer]]:
        assert {answer.status for answer in await ask_all(url, chip, page, figures, api)} == {200}
        with all_frozen():
            told = [await ask_all(url, chip, page, figures, api, chip, page) for _ in range(3)]
        assert (await until_it_is_well(url, chip)).status == 200
        assert {answer.status for answer in await ask_all(url, chip, page, figures, api)} == {200}
        return told

    with daphne(DJANGO_THREADS="2", PGAPPNAME=SERVED, log=tmp_path / "log") as url:
        rounds = asyncio.run(asked(url))
    for answers in rounds:
        assert [answer.status for answer in answers] == [503] * 6
        assert max(answer.seconds for answer in answers) < ALIVE_S
        assert all(answer.headers["Retry-After"] == "2" for answer in answers)
        for shown in (answers[0], answers[1]):
            text = shown.body.decode()
            assert "<h1>PostgreSQL does not answer</h1>" in text
            assert 'data-part="postgres"' in text
            assert "docs/operations.md" in text
        figures_told = {"detail": "PostgreSQL does not answer in time.", "part": "postgres"}
        assert json.loads(answers[2].body) == figures_told
        assert list(json.loads(answers[3].body)) == ["detail"]
        assert json.loads(answers[3].body)["detail"].startswith("PostgreSQL does not answer in time.")
    assert failures((tmp_path / "log").read_text()) == []


def test_who_waits_behind_what_is_slow_is_not_told_that_postgresql_is_silent(people: list[User]) -> None:
    """A page says that the server is busy: to a browser in a page of ours."""

    async def asked(url: str) -> Answer:
        with transactions_locked():
            slow = asyncio.create_task(ask(url, request("/api/transactions/T1/")))
            await asyncio.to_thread(until_somebody_waits)
            busy = await ask(url, request("/admin/login/", Accept=BROWSER))
        assert (await slow).status == 404
        return busy

    with daphne(DJANGO_THREADS="1", DJANGO_WAITING_MAX="1", FAST_LANE="false") as url:
        answer = asyncio.run(asked(url))
    assert (answer.status, answer.headers["Content-Type"]) == (503, "text/html; charset=utf-8")
    assert "<h1>The server is busy</h1>" in answer.body.decode()


def test_a_look_holds_for_who_comes_next_and_is_over_once_postgresql_thaws() -> None:
    async def looked() -> list[bool]:
        look = postgres_look.PostgresLook()
        found = [await look.is_silent()]
        with all_frozen():
            await asyncio.sleep(postgres_look.HOLDS_S)
            found += [await look.is_silent(), await look.is_silent()]
        for _ in range(30):
            if not await look.is_silent():
                break
            await asyncio.sleep(1)
        return [*found, await look.is_silent()]

    assert asyncio.run(looked()) == [False, True, True, False]
