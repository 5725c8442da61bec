"""Those who ask while one reads share the next reading, and nobody is told what was read before it asked."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from dev.waiting import wait_until
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


def test_those_who_ask_while_one_reads_share_the_next_reading() -> None:
    counter = Counter()
    shared = SharedReading(counter.read)
    with ThreadPoolExecutor(ASKING + 1) as threads:
        first = threads.submit(shared)
        wait_until(lambda: counter.begun == 1, 30, "the first reads")
        others = [threads.submit(shared) for _ in range(ASKING)]
        counter.word.release()
        assert first.result(30) == 1
        wait_until(lambda: counter.begun == 2, 30, "the second reading has begun")
        counter.word.release(ASKING)
        told = [other.result(30) for other in others]
    # Whoever came only once the second had begun has the third.
    assert set(told) <= {2, 3}
    assert counter.begun <= 3


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
