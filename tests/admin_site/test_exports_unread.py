"""Exports whose readers are slow, stop, or leave: what they cost the server and the others."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from django.contrib.auth.models import User
from django.db.models import Value
from django.db.models.functions import Concat

from tests.support.admin_pages import insert_many
from tests.support.at_once import ask, opened, request
from tests.support.serving import daphne, resident_mb, uvicorn
from tests.support.watching import session_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

# Few rows that are long: what nobody reads is counted in bytes, and to make and to read a row costs the same.
ROWS = 80_000
NAME = "\N{SNOWMAN}" * 130
# A quarter of what the two would be told.
GROWN_MB_MAX = 20
PATIENCE_S = 60.0


EXPORT = "/admin/transactions/transaction/export/"


@pytest.fixture
def cookie(people: list[User]) -> str:
    """The session of who may export ROWS rows, some 40 MB."""
    User.objects.filter(pk__in=[user.pk for user in people]).update(username=Concat("username", Value(NAME)))
    insert_many(people, ROWS)
    return session_of(User.objects.create_superuser("root"))


def posted(user: User) -> bytes:
    body = f"transaction_id=P1&user={user.pk}&amount=1".encode()
    return request("/api/add-transaction/", body=body, kind="application/x-www-form-urlencoded")


def read_whole(url: str, cookie: str) -> list[str]:
    """The lines of an export, asked for until there is a place."""
    until = time.monotonic() + PATIENCE_S
    while True:
        answer = httpx.get(url + EXPORT, headers={"Cookie": cookie}, timeout=PATIENCE_S, trust_env=False)
        if answer.status_code == 200 or time.monotonic() > until:
            return answer.text.splitlines()
        time.sleep(0.2)


@pytest.mark.parametrize("serve", [daphne, uvicorn], ids=["Daphne", "uvicorn"])
def test_two_that_nobody_reads_cost_little_and_a_third_is_told_to_come_again(
    people: list[User], cookie: str, serve: Callable[..., Any]
) -> None:
    wanted = request(EXPORT, Cookie=cookie)

    async def scenario(url: str) -> None:
        # What a first export costs for ever is no matter here. Its place is free a moment after its end.
        assert (await ask(url, request(f"{EXPORT}?amount_max=2000", Cookie=cookie))).status == 200
        await asyncio.sleep(1.0)
        before_mb = resident_mb()
        unread = [await opened(url, wanted) for _ in range(2)]
        await asyncio.sleep(5.0)
        assert resident_mb() - before_mb < GROWN_MB_MAX
        third = await ask(url, wanted)
        assert (third.status, third.headers["Retry-After"]) == (503, "30")
        assert third.headers["Content-Type"] == "text/plain; charset=utf-8"
        assert b"Two exports are being read already" in third.body
        # Whoever waited for the two would wait for longer than `ask` does.
        assert (await ask(url, posted(people[0]))).status == 200
        for _, writer in unread:
            writer.transport.abort()

    with serve() as url:
        asyncio.run(scenario(url))
        lines = read_whole(url, cookie)
    assert [line.split(",")[0] for line in lines[1:]] == [f'"M{number}"' for number in range(ROWS, 0, -1)]
