"""Lines of the log about what may happen a thousand times a second: once in SAY_AGAIN_S."""

import time

SAY_AGAIN_S = 10.0


class Seldom:
    """Whether it is time to say something again."""

    def __init__(self) -> None:
        self._said_at = -SAY_AGAIN_S

    def may_say(self) -> bool:
        """True at most once in SAY_AGAIN_S; whoever is told so says it."""
        now = time.monotonic()
        if now < self._said_at + SAY_AGAIN_S:
            return False
        self._said_at = now
        return True
