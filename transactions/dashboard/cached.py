"""Answers that are kept for a moment, so that a thousand dashboards cost little more than one."""

import threading
from collections.abc import Callable
from time import monotonic
from typing import Generic, TypeVar

from django.conf import settings

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """One answer, asked for again once it is `least_s` old, and `times_its_cost`. Safe for threads.

    Whoever comes while it is asked for gets the one before, or waits for the first. A failure is not
    kept.
    """

    def __init__(
        self, ask: Callable[[], Value], least_s: float, times_its_cost: float = settings.KEPT_TIMES_ITS_COST
    ) -> None:
        self._ask = ask
        self._least_s = least_s
        self._times_its_cost = times_its_cost
        self._lock = threading.Lock()
        self._kept: tuple[Value, float] | None = None

    def get(self) -> Value:
        """The answer; raises what asking raises."""
        kept = self._kept
        if not self._lock.acquire(blocking=kept is None):
            assert kept is not None
            return kept[0]
        try:
            kept = self._kept
            return kept[0] if kept is not None and monotonic() < kept[1] else self._ask_now()
        finally:
            self._lock.release()

    def renew(self) -> Value:
        """Asks whatever is kept: the answer, kept from now on, is no older than the call."""
        with self._lock:
            return self._ask_now()

    def _ask_now(self) -> Value:
        began = monotonic()
        answer = self._ask()
        now = monotonic()
        self._kept = answer, now + max(self._least_s, self._times_its_cost * (now - began))
        return answer

    def forget(self) -> None:
        """Whoever comes next asks."""
        self._kept = None
