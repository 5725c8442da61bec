"""Runs a module once it may begin, with all that it needs loaded by then.

    python -m dev.held FD IMPORTED... -- MODULE ARGUMENT...

FD is the end of a pipe from which nothing comes: that its other end is closed says that it may begin.
"""

import contextlib
import importlib
import os
import runpy
import sys


def main() -> None:
    descriptor, *words = sys.argv[1:]
    loaded, command = words[: words.index("--")], words[words.index("--") + 1 :]
    # What cannot be loaded fails again when it is run, and is told then: it may not come to that.
    with contextlib.suppress(Exception, SystemExit):
        for name in loaded:
            importlib.import_module(name)
    wait(int(descriptor))
    sys.argv = command
    runpy.run_module(command[0], run_name="__main__", alter_sys=True)


def wait(descriptor: int) -> None:
    """Returns once the other end of the pipe is closed."""
    os.read(descriptor, 1)
    os.close(descriptor)


class Gate:
    """Both ends of a pipe: `descriptor` is for those that are held until it opens, now or long after."""

    def __init__(self) -> None:
        self.descriptor, self._closes = os.pipe()

    def open(self) -> None:
        """Lets all begin who are held, and who come later."""
        os.close(self._closes)


if __name__ == "__main__":
    main()
