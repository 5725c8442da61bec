"""Answers that are kept for a moment, so that a thousand dashboards cost little more than one."""

import threading
from collections.abc import Callable
from time import monotonic
from typing import Generic, TypeVar

# An answer is kept for at least so many times as long as it took: no figure keeps PostgreSQL busy for
# more than 5 % of the time.
TIMES_ITS_COST = 20.0
# Seconds between two polls of one dashboard: the usual ones, and the most.
POLL_S = 5.0
POLL_S_MAX = 120.0
# Polls a second of one process, a few hundredths of what it can answer: with more dashboards than
# that allows, each asks less often.
POLLS_PER_SECOND = 10.0
# How long polls are counted before the pace is set anew, in seconds.
COUNTED_S = 10.0

Answer = TypeVar("Answer")


class Kept(Generic[Answer]):
    """One answer, asked for again once it is `least_s` old (later, if it takes long). Safe for threads.

    Whoever comes while it is asked for gets the one before, or waits for the first. A failure is not
    kept.
    """

    def __init__(self, ask: Callable[[], Answer], least_s: float) -> None:
        self._ask = ask
        self._least_s = least_s
        self._lock = threading.Lock()
        self._kept: tuple[Answer, float] | None = None

    def get(self) -> Answer:
        """The answer; raises what asking raises."""
        kept = self._kept
        if not self._lock.acquire(blocking=kept is None):
            assert kept is not None
            return kept[0]
        try:
            began = monotonic()
            if self._kept is None or began >= self._kept[1]:
                answer = self._ask()
                now = monotonic()
                self._kept = answer, now + max(self._least_s, TIMES_ITS_COST * (now - began))
            return self._kept[0]
        finally:
            self._lock.release()

    def forget(self) -> None:
        """Whoever comes next asks."""
        self._kept = None


class PollPace:
    """Tells each poll when to come again, so that there are never too many. Safe for threads."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._since = clock()
        self._polls = 0
        self._again_s = POLL_S

    def again_s(self) -> float:
        """Counts a poll and returns the seconds until its next one."""
        with self._lock:
            self._polls += 1
            counted_s = self._clock() - self._since
            if counted_s >= COUNTED_S:
                dashboards = self._polls / counted_s * self._again_s
                self._again_s = min(max(POLL_S, dashboards / POLLS_PER_SECOND), POLL_S_MAX)
                self._since, self._polls = self._clock(), 0
            return self._again_s
