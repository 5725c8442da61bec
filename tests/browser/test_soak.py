"""A dashboard that is left open while 500 transactions a second arrive: what it costs the browser.

SOAK_S=600 makes it ten minutes; what is measured is printed (`make browser ARGS="-k soak -s"`).
"""

import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from playwright.sync_api import CDPSession

from tests.browser.board import Board
from transactions.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

SOAK_S = float(os.environ.get("SOAK_S", "15"))
RATE = 500
BATCH = 50
HEAP_BYTES_MAX = 150 * 1024 * 1024
# Counts the frames that the browser draws; `frames` over `since` is what it manages.
COUNT_FRAMES = """() => {
  window.drawn = { frames: 0, since: performance.now(), longest: 0 };
  let last = performance.now();
  const draw = (now) => {
    drawn.frames += 1;
    drawn.longest = Math.max(drawn.longest, now - last);
    last = now;
    requestAnimationFrame(draw);
  };
  requestAnimationFrame(draw);
}"""


@contextmanager
def posting(board: Board) -> Iterator[list[int]]:
    """Posts RATE records a second, in batches, as long as the block lasts; yields the statuses."""
    done, statuses = threading.Event(), []
    url = f"{board.server}/api/add-transactions/"
    user = board.people[0].pk

    def run() -> None:
        with httpx.Client(trust_env=False, timeout=30) as client:
            due = time.monotonic()
            while not done.is_set():
                body = [
                    {"transaction_id": f"S-{secrets.token_hex(6)}", "user": user, "amount": 1000 + n}
                    for n in range(BATCH)
                ]
                statuses.append(client.post(url, json=body).status_code)
                due += BATCH / RATE
                time.sleep(max(0.0, due - time.monotonic()))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield statuses
    finally:
        done.set()
        thread.join()


def heap_bytes(session: CDPSession) -> int:
    session.send("HeapProfiler.collectGarbage")
    metrics: Any = session.send("Performance.getMetrics")["metrics"]
    return int(next(each["value"] for each in metrics if each["name"] == "JSHeapUsedSize"))


def test_its_memory_is_bounded_while_500_arrive_a_second(board: Board) -> None:
    session = board.page.context.new_cdp_session(board.page)
    session.send("Performance.enable")
    at_first = heap_bytes(session)
    board.page.evaluate(COUNT_FRAMES)
    with posting(board) as statuses:
        until = time.monotonic() + SOAK_S
        while time.monotonic() < until:
            board.page.wait_for_timeout(5_000)
            flush()
    drawn = board.page.evaluate(
        "() => ({ fps: 1000 * drawn.frames / (performance.now() - drawn.since), longest: drawn.longest })"
    )
    at_last = heap_bytes(session)
    nodes = board.page.evaluate("document.querySelectorAll('*').length")
    print(
        f"\n{len(statuses) * BATCH:,} records; heap {at_first / 1e6:.1f} MB, then {at_last / 1e6:.1f} MB;"
        f" {nodes:,} elements; {drawn['fps']:.1f} frames/s, the longest {drawn['longest']:.0f} ms"
    )
    assert set(statuses) == {200}
    assert at_last < HEAP_BYTES_MAX
    assert len(board.ids()) <= 200
    board.is_live()
