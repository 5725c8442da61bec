"""Those who ask while one reads share the next reading, and nobody is told what was read before it asked."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from dev.waiting import wait_until
from transactions.stores import shared_reading
from transactions.stores.shared_reading import SharedReading

ASKING = 7


class Counter:
    """Tells the number of the reading, once it may: each waits for a word."""

    def __init__(self) -> None:
        self.begun = 0
        self.word = threading.Semaphore(0)

    def read(self) -> int:
        self.begun += 1
        number = self.begun
        assert self.word.acquire(timeout=30)
        return number


def test_those_who_ask_while_one_reads_share_the_next_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    joined: list[object] = []

    class Watched(Future[int]):
        def result(self, timeout: float | None = None) -> int:
            joined.append(self)
            return super().result(timeout)

    monkeypatch.setattr(shared_reading, "Future", Watched)
    counter = Counter()
    shared = SharedReading(counter.read)
    with ThreadPoolExecutor(ASKING + 1) as threads:
        first = threads.submit(shared)
        wait_until(lambda: counter.begun == 1, 30, "the first reads")
        others = [threads.submit(shared) for _ in range(ASKING)]
        # One of them is to read; the rest wait for it.
        wait_until(lambda: len(joined) == ASKING - 1, 30, "all others have joined the next reading")
        counter.word.release(2)
        assert first.result(30) == 1
        assert [other.result(30) for other in others] == [2] * ASKING
    assert counter.begun == 2


def test_nobody_is_told_what_was_read_before_it_asked() -> None:
    counter = Counter()
    shared = SharedReading(counter.read)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(shared)
        wait_until(lambda: counter.begun == 1, 30, "the first reads")
        second = threads.submit(shared)
        counter.word.release(2)
        assert (first.result(30), second.result(30)) == (1, 2)


def test_what_a_reading_raises_reaches_all_who_share_it_and_the_next_one_reads_again() -> None:
    begun: list[int] = []

    def read() -> int:
        begun.append(1)
        if len(begun) == 1:
            raise OSError("away")
        return 5

    shared = SharedReading(read)
    with pytest.raises(OSError, match="away"):
        shared()
    assert shared() == 5
