"""Named points at which a test may kill the process, as a power cut would."""

import os
import signal

# "name" or "name:3" for the third passage; unset in anything but a fault test.
_WANTED, _, _passage = os.environ.get("CRASH_POINT", "").partition(":")
_left = int(_passage or 1)


def crash_point(name: str) -> None:
    """Kills this process with SIGKILL if `name` is the point that CRASH_POINT asks for."""
    global _left
    if name == _WANTED:
        _left -= 1
        if _left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
