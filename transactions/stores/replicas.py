"""Which replicas have to confirm a write before it is acknowledged: every one that counts.

One of two would not do. A primary that was frozen, and wakes in the moment in which a replica takes its
place, still has the other one, which confirms what is lost with the old primary a moment later. So a replica
that is missing counts on, and nothing is acknowledged, until it has been seen to be gone for longer than a
failover takes and a majority of the sentinels names this very primary (`let_go`). Time in which nobody looked
does not count: for that long the primary may have been frozen itself.
"""

import threading
from typing import Any, NamedTuple

# Seconds between two looks after which it is not known what was in between. Nobody is taken for dead and
# replaced in less.
UNSEEN_S_MAX = 2.0


class Replication(NamedTuple):
    """What a server says: which history it writes, and which replicas are online, by address and port.

    A server that becomes primary begins a history of its own; "" where it is none.
    """

    history: str
    online: frozenset[str]


def replication_in(info: dict[str, Any]) -> Replication:
    """What an answer to INFO replication says."""
    if info.get("role") != "master":
        return Replication("", frozenset())
    told = (info[name] for name in info if name.startswith("slave") and isinstance(info[name], dict))
    online = (replica for replica in told if replica.get("state") == "online")
    return Replication(
        str(info["master_replid"]), frozenset(f"{replica['ip']}:{replica['port']}" for replica in online)
    )


class CountedReplicas:
    """The replicas that count, as one process has seen them come and go. Safe for threads.

    Moments are seconds of a clock that never goes back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._history = ""
        # Since when each is missing; None: it is there. One that was never seen has a number for a name.
        self._missing_since: dict[str, float | None] = {}
        self._looked_at = float("-inf")

    def look(self, told: Replication, wanted: int, now: float) -> int:
        """How many have to confirm, by what a primary tells now; `wanted` is how many there should be."""
        with self._lock:
            if told.history != self._history:
                # Another primary, whose replicas nobody has seen yet.
                self._history = told.history
                self._missing_since = {f"{number}": now for number in range(wanted)}
            unseen = now - self._looked_at > UNSEEN_S_MAX
            self._looked_at = now
            for name in told.online - self._missing_since.keys():
                self._take_in(name)
            for name, since in self._missing_since.items():
                if name in told.online:
                    self._missing_since[name] = None
                elif since is None or unseen:
                    self._missing_since[name] = now
            return self._needed()

    def _take_in(self, name: str) -> None:
        unknown = next((known for known in self._missing_since if ":" not in known), None)
        if unknown is not None:
            del self._missing_since[unknown]
        self._missing_since[name] = None

    def _needed(self) -> int:
        # Never none: what is acknowledged is on two disks.
        return max(1, len(self._missing_since))

    def needed(self, wanted: int) -> int:
        """How many have to confirm, by the last look; `wanted` before the first."""
        with self._lock:
            return self._needed() if self._history else max(1, wanted)

    def missing(self, now: float) -> int:
        """How many of them were missing at the last look; 0 where that was long ago."""
        with self._lock:
            if now - self._looked_at > UNSEEN_S_MAX:
                return 0
            there = sum(since is None for since in self._missing_since.values())
            return self._needed() - there

    def overdue(self, history: str, gone_s: float, now: float) -> dict[str, float]:
        """Those that have been missing from that history for longer, and since when."""
        with self._lock:
            if history != self._history:
                return {}
            gone = self._missing_since.items()
            return {name: since for name, since in gone if since is not None and now - since > gone_s}

    def let_go(self, history: str, gone: dict[str, float]) -> None:
        """These no longer count, unless they came back meanwhile; one that comes back later counts again."""
        with self._lock:
            if history == self._history:
                for name, since in gone.items():
                    if self._missing_since.get(name) == since:
                        del self._missing_since[name]
