"""How long a turn of the serving event loop takes to come, asked from beside it."""

import asyncio
import threading

import pytest

from transactions.metrics import loop_delay


def test_a_loop_that_turns_is_measured_from_a_thread() -> None:
    async def serving() -> float | None:
        loop_delay.serve_here()
        return await asyncio.to_thread(loop_delay.delay_s)

    delay_s = asyncio.run(serving())
    assert delay_s is not None
    assert 0 <= delay_s <= loop_delay.PATIENCE_S


def test_a_loop_that_is_stuck_is_waited_for_with_patience(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(loop_delay, "PATIENCE_S", 0.2)

    told = threading.Event()

    def ask() -> float | None:
        try:
            return loop_delay.delay_s()
        finally:
            told.set()

    async def stuck() -> float | None:
        loop_delay.serve_here()
        asked = asyncio.create_task(asyncio.to_thread(ask))
        await asyncio.sleep(0)
        told.wait(60)  # it is stuck for as long
        return await asked

    assert asyncio.run(stuck()) == 0.2


def test_where_no_loop_serves_or_it_asks_itself_nothing_is_told() -> None:
    async def itself() -> float | None:
        loop_delay.serve_here()
        return loop_delay.delay_s()

    assert asyncio.run(itself()) is None
    assert loop_delay.delay_s() is None
