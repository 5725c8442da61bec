"""How long the others wait while one client does something."""

import threading
import time
from collections.abc import Callable

import httpx

# Longer than anybody waits on a busy machine, whoever does whatever.
LONG_S = 10.0


def holds_up_nobody(url: str, meanwhile: Callable[[], object], most_s: float, tries: int = 4) -> bool:
    """Whether nobody waits for `most_s` while `meanwhile` runs, in one of some tries.

    A busy machine holds somebody up now and then; what is wrong does so each time.
    """
    return any(longest_wait_s(url, meanwhile) < most_s for _ in range(tries))


def longest_wait_s(url: str, meanwhile: Callable[[], object]) -> float:
    """The longest that another connection waits for /livez while `meanwhile` runs, in a thread."""
    waits = []
    work = threading.Thread(target=meanwhile)
    with httpx.Client(base_url=url, trust_env=False, timeout=60) as others:
        others.get("/livez")
        work.start()
        while work.is_alive():
            began = time.monotonic()
            assert others.get("/livez").status_code == 200
            waits.append(time.monotonic() - began)
            # Often enough to be among those who wait; each look costs the machine a millisecond or two.
            time.sleep(0.01)
    work.join()
    return max(waits)
