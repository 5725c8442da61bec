"""Beside the table: a worker that lives and flushes nothing is started again by `make run`."""

import json
import os
import signal
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.support.running import UserRun

pytestmark = pytest.mark.slow

# `make run` waits 30 s before it takes a worker for a silent one.
HEALED_S = 75


def ask(url: str, document: Any = None) -> Any:
    data = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as answer:
        return json.loads(answer.read())


def test_who_lives_and_flushes_nothing_is_started_again(tmp_path: Path) -> None:
    run = UserRun(tmp_path / "data")
    run.start()
    try:
        base = str(run.url)
        worker = run.pid_of("worker")
        assert worker is not None
        # It and its children: alive, and deaf.
        os.killpg(worker, signal.SIGSTOP)
        records = [{"transaction_id": f"T{n}", "user": 1, "amount": n} for n in range(1000)]
        assert ask(f"{base}api/add-transactions/", records)["accepted"] == 1000

        def stored() -> bool:
            books = ask(f"{base}api/pipeline/")
            return bool(books["stored"] == 1000 and books["buffered"] == books["in_flight"] == 0)

        run.wait_until(stored, HEALED_S)
        assert run.pid_of("worker") not in (None, worker)
        assert "the worker is killed" in run.text
    finally:
        assert run.stop() == 0, run.text
