"""How often a dashboard asks for its figures, so that a process is never asked too often in all."""

import threading
from collections.abc import Callable
from time import monotonic

# Seconds between two polls of one dashboard: the usual ones, and the most.
POLL_S = 5.0
POLL_S_MAX = 120.0
# Polls a second of one process, a few hundredths of what it can answer: with more dashboards than
# that allows, each asks less often.
POLLS_PER_SECOND = 10.0
# How long polls are counted before the pace is set anew, in seconds.
COUNTED_S = 10.0


class PollPace:
    """Tells each poll when to come again, so that there are never too many. Safe for threads."""

    def __init__(self, clock: Callable[[], float] = monotonic, least_s: float = POLL_S) -> None:
        self._clock = clock
        self._least_s = least_s
        self._lock = threading.Lock()
        self._since = clock()
        self._polls = 0
        self._again_s = least_s

    def again_s(self) -> float:
        """Counts a poll and returns the seconds until its next one."""
        with self._lock:
            self._polls += 1
            counted_s = self._clock() - self._since
            if counted_s >= COUNTED_S:
                dashboards = self._polls / counted_s * self._again_s
                self._again_s = min(max(self._least_s, dashboards / POLLS_PER_SECOND), POLL_S_MAX)
                self._since, self._polls = self._clock(), 0
            return self._again_s
