"""To wait until something holds: of processes, which tell nobody when they are ready."""

import time
from collections.abc import Callable

LOOK_EACH_S = 0.05


class NotInTime(Exception):
    """It did not come to hold; the message says what, and within how many seconds."""


def wait_until(
    holds: Callable[[], object], seconds: float, what: str, look_each_s: float = LOOK_EACH_S
) -> float:
    """Returns after how many seconds it holds. Raises NotInTime, which says `what`, after so many."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > seconds:
            raise NotInTime(f"not within {seconds:.0f} s: {what}")
        time.sleep(look_each_s)
    return time.monotonic() - began
