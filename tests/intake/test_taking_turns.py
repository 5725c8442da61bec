"""Nobody takes the event loop from the others: how long another's request waits beside large wrong ones."""

import asyncio
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import User

from tests.support import at_once
from tests.support.serving import daphne
from transactions.intake import answers, batches, decoder

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

MANY, ADD = "/api/add-transactions/", "/api/add-transaction/"
JSON, NDJSON = "application/json", "application/x-ndjson"
# Another's request would wait 4 to 30 seconds, or a day, where these were judged on the event loop.
WAIT_S_MAX = 8.0

BODIES = {
    "wrong records": (MANY, JSON, b"[" + b",".join([b"{}"] * 10_000) + b"]"),
    "wrong lines": (MANY, NDJSON, b"\n".join([b"{}"] * 10_000)),
    "zeros": (MANY, JSON, b"[" + b"0," * 2_600_000 + b"0]"),
    "zeros, a line each": (MANY, NDJSON, b"0\n" * 2_600_000),
    "an open string": (MANY, JSON, b"[]" * 65 + b'"' + b'\\"' * 2_500_000),
    "an open string, alone": (ADD, JSON, b"[]" * 65 + b'"' + b'\\"' * 2_500_000),
}


@pytest.fixture(scope="module")
def url(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log: Path = tmp_path_factory.mktemp("log") / "daphne.log"
    with daphne(log=log, DATA_UPLOAD_MAX_MEMORY_SIZE="6000000") as url:
        yield url


def post_again_and_again(url: str, what: str, until: threading.Event, statuses: list[int]) -> None:
    path, type, body = BODIES[what]
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        while not until.is_set():
            answer = client.post(path, content=body, headers={"Content-Type": type})
            if answer.status_code == 503:  # as clients are told to
                until.wait(int(answer.headers["Retry-After"]))
            else:
                statuses.append(answer.status_code)


@pytest.mark.parametrize("what", BODIES)
def test_another_request_waits_little_beside_a_large_wrong_one(
    url: str, people: list[User], what: str
) -> None:
    enough, statuses = threading.Event(), list[int]()
    threads = [
        threading.Thread(target=post_again_and_again, args=(url, what, enough, statuses)) for _ in range(2)
    ]
    waits = []
    with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
        # In front of Django's threads, so this waits for the event loop alone.
        record = {"transaction_id": "T1", "user": people[0].pk, "amount": 1}
        client.post(ADD, json=record)
        for thread in threads:
            thread.start()
        try:
            start = time.monotonic()
            # Where four are judged within two seconds nobody holds the others up.
            while (lasted := time.monotonic() - start) < 2 or (len(statuses) < 4 and lasted < 6):
                began = time.monotonic()
                assert client.post(ADD, json=record).status_code == 200
                waits.append(time.monotonic() - began)
                time.sleep(0.02)
        finally:
            enough.set()
            for thread in threads:
                thread.join()
    # A batch of wrong records is one all the same.
    assert set(statuses) == {200 if what in ("wrong records", "wrong lines") else 400}
    assert max(waits) < WAIT_S_MAX, sorted(waits)[-5:]


@pytest.mark.parametrize("what", ["wrong records", "wrong lines"])
def test_many_wrong_batches_at_once_leave_threads_for_another_s_get(
    url: str, people: list[User], what: str
) -> None:
    """Thirty thousand bytes are few, and ten thousand records many: what counts is how long they take."""
    path, kind, body = BODIES[what]
    posting = at_once.request(path, body=body, kind=kind)
    getting = at_once.request("/api/transactions/T1/")

    async def both() -> tuple[list[at_once.Answer], at_once.Answer]:
        batches = asyncio.create_task(at_once.ask_all(url, *[posting] * 16))
        await asyncio.sleep(0.3)
        got = await at_once.ask(url, getting)
        return await batches, got

    posted, got = asyncio.run(both())
    assert (got.status, got.seconds < WAIT_S_MAX) == (404, True)
    refused = [answer for answer in posted if answer.status != 200]
    assert {(answer.status, answer.headers["Retry-After"]) for answer in refused} == {(503, "2")}
    assert all(b"Too many large batches at once." in answer.body for answer in refused)
    # Two at a time at the most: the one that is judged, and one that waits.
    assert len(posted) - len(refused) >= 1


@async_to_sync
async def told_between_turns(monkeypatch: pytest.MonkeyPatch, body: bytes) -> tuple[int, dict[str, Any]]:
    """How many records of a batch are refused at the most until others have their turn."""
    records = decoder.records(body)
    assert records is not None
    turns, done, refuse = 0, asyncio.Event(), batches.BatchReport.refuse
    refused_in = Counter[int]()

    def counting(*args: Any) -> None:
        refused_in[turns] += 1
        refuse(*args)

    async def others() -> None:
        nonlocal turns
        while not done.is_set():
            await asyncio.sleep(0)
            turns += 1

    monkeypatch.setattr(batches.BatchReport, "refuse", counting)
    watching = asyncio.create_task(others())
    answer = await answers.to_batch(batches.all_right(records), "name", atomic=False)
    done.set()
    await watching
    return max(refused_in.values(), default=0), answer.body


def test_ten_thousand_conflicts_let_others_in_between(
    people: list[User], monkeypatch: pytest.MonkeyPatch
) -> None:
    def batch(amount: int) -> bytes:
        named = ({"transaction_id": f"T{n}", "user": people[0].pk, "amount": amount} for n in range(10_000))
        return json.dumps(list(named)).encode()

    told_between_turns(monkeypatch, batch(1))
    most, told = told_between_turns(monkeypatch, batch(2))
    assert (told["conflicts"], len(told["errors"]), told["errors_left_out"]) == (10_000, 100, 9_900)
    assert most <= 1_000
