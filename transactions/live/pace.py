"""A limit on how often something happens in a second."""

import asyncio


class Pace:
    """Counts the events of the running second, and says when they are more than `per_second_max`."""

    def __init__(self, per_second_max: int) -> None:
        self._max = per_second_max
        self._second = 0
        self._count = 0

    def exceeded_by(self, events: int) -> bool:
        """Counts `events` more; whether that is too many for this second."""
        second = int(asyncio.get_running_loop().time())
        if second != self._second:
            self._second, self._count = second, 0
        self._count += events
        return self._count > self._max
