"""When each store was last seen silent: nobody who speaks through it could be heard meanwhile.

Beat and the workers show that they live by what they leave in the stores. Once a store is back their last
signs are as old as its silence, which says nothing about them until they have had the time for a new one.
"""

from dataclasses import replace

from .reading import SystemReading


class Silences:
    """What the looks of this process have seen. One look at a time."""

    def __init__(self) -> None:
        self._at: dict[str, float] = {}

    def beside(self, seen: SystemReading) -> SystemReading:
        """The same reading, which says too when "redis" and "postgres" were last silent."""
        moment = seen.now.timestamp()
        if seen.redis_error:
            self._at["redis"] = moment
        if not seen.postgres_answers:
            self._at["postgres"] = moment
        return replace(seen, silent_at=dict(self._at))
