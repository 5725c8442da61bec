"""Answers that are kept for a moment, so that a thousand dashboards cost little more than one.

They are made in UTC and in the default locale: whoever happens to ask first is not the only one who reads
them.
"""

import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from datetime import UTC
from time import monotonic
from typing import Generic, NoReturn, TypeVar

from django.conf import settings
from django.utils import timezone

from .. import money

# A failure is kept as an answer is, but no longer than this: what answers again is to be seen soon.
FAILURE_S_MAX = 15.0

# Questions of one kind whose answers are kept at once.
KEYS_MAX = 16

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class _Outcome(Generic[Value]):
    """What asking came to, and the moment until which it is kept."""

    tell: Callable[[], Value]
    until: float


class Kept(Generic[Value]):
    """One answer, asked for again once it is `least_s` old, and `times_its_cost`. Safe for threads.

    Whoever comes while it is asked for gets the one before, or waits for the first. A failure is kept
    for `times_its_cost` alone, FAILURE_S_MAX at most: those who waited do not ask one after the other.
    """

    def __init__(
        self, ask: Callable[[], Value], least_s: float, times_its_cost: float = settings.KEPT_TIMES_ITS_COST
    ) -> None:
        self._ask = ask
        self._least_s = least_s
        self._times_its_cost = times_its_cost
        self._lock = threading.Lock()
        self._kept: _Outcome[Value] | None = None

    def get(self) -> Value:
        """The answer; raises what asking raises, or raised a moment ago."""
        kept = self._kept
        if not self._lock.acquire(blocking=kept is None):
            assert kept is not None
            return kept.tell()
        try:
            kept = self._kept
            return kept.tell() if kept is not None and monotonic() < kept.until else self._ask_now()
        finally:
            self._lock.release()

    def renew(self) -> Value:
        """Asks whatever is kept: the answer, kept from now on, is no older than the call."""
        with self._lock:
            return self._ask_now()

    def _ask_now(self) -> Value:
        began = monotonic()
        try:
            with timezone.override(UTC), money.in_locale(money.DEFAULT_LOCALE):
                answer = self._ask()
        except Exception as error:
            now = monotonic()
            lasts_s = min(FAILURE_S_MAX, self._times_its_cost * (now - began))
            self._kept = _Outcome(_raising(error), now + lasts_s)
            raise
        now = monotonic()
        lasts_s = max(self._least_s, self._times_its_cost * (now - began))
        self._kept = _Outcome(lambda: answer, now + lasts_s)
        return answer

    def forget(self) -> None:
        """Whoever comes next asks."""
        self._kept = None


class KeptEach(Generic[Key, Value]):
    """An answer to each question, kept as `Kept` keeps one. Safe for threads.

    Of more than KEYS_MAX questions the one that was new the longest ago is forgotten.
    """

    def __init__(self, ask: Callable[[Key], Value], least_s: float) -> None:
        self._ask = ask
        self._least_s = least_s
        self._lock = threading.Lock()
        self._each: dict[Key, Kept[Value]] = {}

    def get(self, key: Key) -> Value:
        """The answer to `key`; raises what asking raises, or raised a moment ago."""
        with self._lock:
            kept = self._each.get(key)
            if kept is None:
                kept = self._each[key] = Kept(lambda: self._ask(key), self._least_s)
                if len(self._each) > KEYS_MAX:
                    del self._each[next(iter(self._each))]
        return kept.get()

    def forget(self) -> None:
        """Whoever comes next asks."""
        with self._lock:
            self._each.clear()


def _raising(error: Exception) -> Callable[[], NoReturn]:
    def tell() -> NoReturn:
        # Or each time it is raised its traceback would grow.
        raise error.with_traceback(None)

    return tell
