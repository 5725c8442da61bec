"""What a long command shows while it works: one line rewritten on a terminal, else a line now and then."""

import shutil
import time
from collections.abc import Callable

from django.core.management.base import OutputWrapper

from ..encodings import printable

# Seconds between two pictures of the line.
TERMINAL_S = 0.1
PLAIN_S = 5.0
CLEAR = "\r\x1b[K"
_SPACES = str.maketrans({"\xa0": " ", "\u202f": " "})


class StatusLine:
    """A status on `out`; lines that are to stay are written with `say`."""

    def __init__(self, out: OutputWrapper) -> None:
        self.on_terminal = bool(out.isatty())
        self._out = out
        self._next_at = 0.0 if self.on_terminal else time.monotonic() + PLAIN_S
        self._shown = False

    def show(self, text: Callable[[], str]) -> None:
        """Shows what `text` returns, if it is time to."""
        now = time.monotonic()
        if now < self._next_at:
            return
        if self.on_terminal:
            width = shutil.get_terminal_size().columns
            self._out.write(CLEAR + printable(text())[: width - 1], ending="")
            self._out.flush()
            self._shown = True
            self._next_at = now + TERMINAL_S
        else:
            self.say(text())
            self._next_at = now + PLAIN_S

    def say(self, text: str) -> None:
        """Writes a line that stays. Whatever a file or a server says in it, it steers no terminal."""
        if self._shown:
            self._out.write(CLEAR, ending="")
            self._shown = False
        # The spaces of amounts are for pages, whose lines break.
        self._out.write(printable(text.translate(_SPACES)))
        self._out.flush()
