"""Named points at which a test may kill or stop the process, as a power cut would."""

import os
import signal
from pathlib import Path

# All unset in anything but a fault test. CRASH_POINT is "name" or "name:3" for the third passage.
# CRASH_FUSES is a directory: a file in it that bears a point's name, and holds the name of a
# signal, is burnt by the first process that passes, so that whatever starts again lives on.
_WANTED, _, _passage = os.environ.get("CRASH_POINT", "").partition(":")
_FUSES = os.environ.get("CRASH_FUSES", "")
_left = int(_passage or 1)


def crash_point(name: str) -> None:
    """Kills this process with SIGKILL if `name` is the point that the environment asks for."""
    global _left
    if name == _WANTED:
        _left -= 1
        if _left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
    if _FUSES:
        _burn(Path(_FUSES) / name)


def _burn(fuse: Path) -> None:
    try:
        burnt = fuse.rename(fuse.with_name(f"{fuse.name}.{os.getpid()}"))
    except FileNotFoundError:
        return
    os.kill(os.getpid(), signal.Signals[burnt.read_text()])
