"""Named points at which a test may kill or stop the process, as a power cut would."""

import os
import signal
from pathlib import Path

# Both are set by fault tests alone. CRASH_POINT is "name", or "name:3" for the third time that it is passed.
# CRASH_FUSES is a directory of files, each named after a point, with the name of a signal in it. The first
# process that passes the point takes the file away and sends itself the signal: it happens once, and the
# process that is started in its place lives on.
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
