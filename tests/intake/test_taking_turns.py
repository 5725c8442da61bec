"""Nobody takes the event loop from the others: how long another's request waits beside large wrong ones."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from django.contrib.auth.models import User

from tests.support.serving import daphne

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
            statuses.append(client.post(path, content=body, headers={"Content-Type": type}).status_code)


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
            until = time.monotonic() + 6
            while time.monotonic() < until:
                began = time.monotonic()
                assert client.post(ADD, json=record).status_code == 200
                waits.append(time.monotonic() - began)
                time.sleep(0.02)
        finally:
            enough.set()
            for thread in threads:
                thread.join()
    # A batch of wrong records is one all the same. One whose turn comes too late is told to come again.
    assert set(statuses) - {503} == {200 if what in ("wrong records", "wrong lines") else 400}
    assert max(waits) < WAIT_S_MAX, sorted(waits)[-5:]
