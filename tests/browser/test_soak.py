"""A dashboard that is left open while 500 transactions a second arrive: what it costs, and what it misses.

SOAK_S=600 makes it ten minutes; what is measured is printed (`make browser ARGS="-k soak -s"`).
"""

import json
import os
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import CDPSession, Page, expect

from tests.browser.dashboard import Dashboard
from transactions.storing.flush import flush

pytestmark = pytest.mark.django_db(transaction=True)

SOAK_S = float(os.environ.get("SOAK_S", "15"))
RATE = 500
BATCH = 50
WINDOW_S = 5.0
HEAP_BYTES_MAX = 150 * 1024 * 1024
FRAMES_PER_SECOND_MIN = 30.0
# Counts the frames that the browser draws, since it was last asked.
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
TELL_FRAMES = """() => {
  const { frames, since, longest } = drawn;
  Object.assign(drawn, { frames: 0, since: performance.now(), longest: 0 });
  return { rate: 1000 * frames / (performance.now() - since), longest };
}"""


class Runs:
    """The websocket's runs, as they come to the page."""

    def __init__(self, page: Page) -> None:
        self.last: int | None = None
        self.records = 0
        self.holes: list[dict[str, Any]] = []
        self.connections = 0
        page.on("websocket", self._opened)

    def _opened(self, socket: Any) -> None:
        self.connections += 1
        socket.on("framereceived", self._received)

    def _received(self, text: str) -> None:
        frame = json.loads(text)
        if frame["type"] != "run":
            return
        last = frame["first"] - 1 if self.last is None else self.last
        if frame["first"] > last + 1:
            self.holes.append({name: frame[name] for name in ("first", "last")})
        # What a resumed connection repeats does not count twice.
        self.records += frame["count"] - min(frame["count"], last + 1 - frame["first"])
        self.last = max(last, frame["last"])


@contextmanager
def posting(dashboard: Dashboard) -> Iterator[list[int]]:
    """Posts RATE records a second, in batches, as long as the block lasts; yields the statuses."""
    done, statuses = threading.Event(), []
    url = f"{dashboard.server}/api/add-transactions/"
    user = dashboard.people[0].pk

    def run() -> None:
        with httpx.Client(trust_env=False, timeout=30) as client:
            due = time.monotonic()
            while not done.is_set():
                body = [
                    {"transaction_id": f"S-{secrets.token_hex(6)}", "user": user, "amount": 1000 + n}
                    for n in range(BATCH)
                ]
                for _ in range(3):
                    statuses.append(client.post(url, json=body).status_code)
                    if statuses[-1] != 503:  # "Send the same again".
                        break
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


def renderer_bytes() -> int:
    """PSS of the largest renderer among the processes that this one started."""
    mine, sizes = {os.getpid()}, [0]
    processes = sorted(int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
    for process in processes:
        try:
            parent = int((Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()[1])
            command = (Path("/proc") / str(process) / "cmdline").read_bytes()
            if parent not in mine:
                continue
            mine.add(process)
            if b"--type=renderer" in command:
                told = (Path("/proc") / str(process) / "smaps_rollup").read_text()
                sizes.append(1024 * int(told.partition("Pss:")[2].split()[0]))
        except OSError:
            continue
    return max(sizes)


def test_its_memory_is_bounded_while_500_arrive_a_second(
    page: Page, server: str, dashboard: Dashboard
) -> None:
    runs = Runs(page)
    page.reload()
    dashboard.is_live()
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")
    at_first = heap_bytes(session)
    page.evaluate(COUNT_FRAMES)
    rates, longest = [], 0.0
    with posting(dashboard) as statuses:
        until = time.monotonic() + SOAK_S
        while time.monotonic() < until:
            page.wait_for_timeout(1000 * WINDOW_S)
            flush()
            drawn = page.evaluate(TELL_FRAMES)
            rates.append(drawn["rate"])
            longest = max(longest, drawn["longest"])
    flush()
    posted = statuses.count(200) * BATCH
    expect(page.locator("#buffered")).to_have_text("0")
    at_last = heap_bytes(session)
    nodes = page.evaluate("document.querySelectorAll('*').length")
    print(
        f"\n{posted:,} records; heap {at_first / 1e6:.1f} MB, then {at_last / 1e6:.1f} MB;"
        f" renderer {renderer_bytes() / 1e6:.0f} MB; {nodes:,} elements;"
        f" {sum(rates) / len(rates):.1f} frames/s, {min(rates):.1f} in the worst {WINDOW_S:.0f} s,"
        f" the longest {longest:.0f} ms"
    )
    assert set(statuses) <= {200, 503}
    assert runs.holes == []
    assert runs.records == runs.last == posted
    assert at_last < HEAP_BYTES_MAX
    assert len(dashboard.ids()) <= 200
    if "SOAK_S" in os.environ:  # On a machine that has nothing else to do.
        assert (set(statuses), runs.connections) == ({200}, 1)
        assert min(rates) >= FRAMES_PER_SECOND_MIN
