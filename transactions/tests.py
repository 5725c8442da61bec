"""The story of one transaction, from HTTP to the dashboard and the books; and many at once."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from django.contrib.auth.models import User
from django.test import TransactionTestCase
from websockets.asyncio.client import connect

from tests.support.serving import daphne, uvicorn
from transactions.books.balance import read
from transactions.models import Transaction
from transactions.storing.flush import flush

USERS = 50
REQUESTS_EACH = 50
OBTAINED = {"message": "Transaction detail was obtained successfully."}


@pytest.fixture(params=[daphne, uvicorn], ids=["under Daphne", "under uvicorn"])
def served(request: pytest.FixtureRequest, transactional_db: None) -> Iterator[str]:
    with request.param() as url:
        yield url


def test_the_story_of_one_transaction(served: str, people: list[User]) -> None:
    """Posted, shown, found while it waits, stored, settled, counted in the day's average, balanced."""
    posted = {"transaction_id": "TRX123456", "user": people[0].pk, "amount": 1000, "status": "PENDING"}

    async def post_and_watch(record: dict[str, Any]) -> dict[str, Any]:
        address = served.replace("http", "ws") + "/ws/admin/transactions/"
        async with connect(address) as dashboard, httpx.AsyncClient(base_url=served) as client:
            answer = await client.post("/api/add-transaction/", json=record)
            assert (answer.status_code, answer.json()) == (200, OBTAINED)
            return json.loads(await asyncio.wait_for(dashboard.recv(), 10))  # type: ignore[no-any-return]

    def get(path: str) -> Any:
        return httpx.get(served + path).raise_for_status().json()

    assert asyncio.run(post_and_watch(posted)) == posted
    assert get("/api/transactions/TRX123456/")["id"] is None
    flush()
    assert get("/api/transactions/TRX123456/")["id"] == Transaction.objects.get().pk
    settled = {**posted, "status": "SUCCESS"}
    assert asyncio.run(post_and_watch(settled)) == settled
    flush()
    assert get("/api/transactions/TRX123456/")["status"] == "SUCCESS"
    (day,) = get("/api/transactions/average/")["data"]
    assert (day["count"], day["total"], day["average"]) == (1, 1000, 1000)
    books = get("/api/pipeline/")
    assert (books["accepted"], books["stored"], books["settled"], books["balanced"]) == (2, 1, 1, True)


class HighLoadTransactionTest(TransactionTestCase):
    """50 users, 50 concurrent requests each, over real HTTP against Daphne in a process of its own."""

    def setUp(self) -> None:
        self.users = User.objects.bulk_create(User(username=f"user-{number}") for number in range(USERS))

    def test_every_one_of_2500_concurrent_requests_is_stored(self) -> None:
        with daphne() as url:
            answers = asyncio.run(self.post_all(url))
        assert answers == [(200, OBTAINED)] * USERS * REQUESTS_EACH
        flush()
        stored = Transaction.objects.values_list("transaction_id", "user_id", "amount", "status")
        sent = {(f"{user.pk}-{number}", user.pk, number, "SUCCESS") for user, number in self.requests()}
        assert len(stored) == USERS * REQUESTS_EACH
        assert set(stored) == sent
        assert read().balanced is True

    def requests(self) -> list[tuple[User, int]]:
        return [(user, number) for user in self.users for number in range(REQUESTS_EACH)]

    async def post_all(self, url: str) -> list[tuple[int, Any]]:
        """Every request of every user at once, each on a connection of its own."""
        address = urlsplit(url)
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(self.post(str(address.hostname), int(address.port or 0), user, number))
                for user, number in self.requests()
            ]
        return [task.result() for task in tasks]

    async def post(self, host: str, port: int, user: User, number: int) -> tuple[int, Any]:
        """Numbers as strings, which the API takes too."""
        record = {
            "transaction_id": f"{user.pk}-{number}",
            "user": str(user.pk),
            "amount": str(number),
            "status": "SUCCESS",
        }
        body = json.dumps(record)
        head = f"POST /api/add-transaction/ HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        reader, writer = await asyncio.open_connection(host, port)
        writer.write((head + body).encode())
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        top, _, content = answer.partition(b"\r\n\r\n")
        return int(top.split()[1]), json.loads(content)
