"""Since when a part is ill, where this process has seen it before anybody was told.

Alarms are looked for every half minute, and say since when as they were opened: a page that has shown a part
as failing before that would say something untrue.
"""

from dataclasses import replace
from datetime import datetime

from .parts import Condition, PartState, SystemPart


class FirstSeen:
    """When each part was first seen as it is, in the process' own looks. One look at a time."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], datetime] = {}

    def beside(self, condition: Condition) -> Condition:
        """The same, with no part ill since later than it was first seen to be, for the same cause."""
        # How long somebody has been silent is another cause each time, and is known to the second.
        ill = [part for part in condition.parts if part.state >= PartState.SLOW]
        self._seen = {
            (part.name, part.brief): self._seen.get((part.name, part.brief), condition.as_of) for part in ill
        }
        return replace(condition, parts=[self._told(part) for part in condition.parts])

    def _told(self, part: SystemPart) -> SystemPart:
        first = self._seen.get((part.name, part.brief))
        if part.since is None or first is None or part.since <= first:
            return part
        return replace(part, since=first)
