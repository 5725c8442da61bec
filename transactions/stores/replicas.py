"""Which replicas have to confirm a write before it is acknowledged: every one that counts.

One of two would not do. A primary that was frozen, and wakes in the moment in which a replica takes its
place, still has the other one, which confirms what is lost with the old primary a moment later. So a replica
that is missing counts on, and nothing is acknowledged, until it has been seen to be gone for longer than a
failover takes and a majority of the sentinels names this very primary (`let_go`). Time in which nobody looked
does not count: for that long the primary may have been frozen itself.

One that makes a copy of all that the primary has is online before it has loaded it. Where its disk is full it
never has: it begins again, each second, and is online each time. It is missing, too, until it acknowledges
something, which it does as soon as it has loaded. No sentinel has it replace a primary until then: its link
is down, and what it holds is old. One that goes on from where it was is another matter: it might replace the
primary at once, and so it counts at once. It acknowledges within a second, by which the two are told apart.
"""

import threading
from typing import Any, NamedTuple

# Seconds between two looks after which it is not known what was in between. Nobody is taken for dead and
# replaced in less.
UNSEEN_S_MAX = 2.0
# Seconds without an acknowledgement after which one that is there makes a copy, and of absence after which
# nobody knows any more whether it does.
COPYING_S_MIN = 3.0
COPYING_UNHEARD_S_MAX = 5.0


class Replication(NamedTuple):
    """What a server says: which history it writes, and which replicas are online, by address and port.

    A server that becomes primary begins a history of its own; "" where it is none. Beside those that are
    online: who of them have acknowledged something since they came; and who, online or not yet, have not.
    """

    history: str
    online: frozenset[str] = frozenset()
    in_step: frozenset[str] = frozenset()
    late: frozenset[str] = frozenset()


def replication_in(info: dict[str, Any]) -> Replication:
    """What an answer to INFO replication says."""
    if info.get("role") != "master":
        return Replication("")
    told = [info[name] for name in info if name.startswith("slave") and isinstance(info[name], dict)]
    replicas = {f"{each['ip']}:{each['port']}": each for each in told}
    online = frozenset(name for name, each in replicas.items() if each.get("state") == "online")
    in_step = frozenset(name for name in online if replicas[name]["offset"] > 0)
    return Replication(str(info["master_replid"]), online, in_step, replicas.keys() - in_step)


class CountedReplicas:
    """The replicas that count, as one process has seen them come and go. Safe for threads.

    Moments are seconds of a clock that never goes back.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._history = ""
        # Since when each is missing; None: it is there. One that was never seen has a number for a name.
        self._missing_since: dict[str, float | None] = {}
        # When each that has not been in step since was heard of first, and last.
        self._late: dict[str, tuple[float, float]] = {}
        self._looked_at = float("-inf")

    def look(self, told: Replication, wanted: int, now: float) -> int:
        """How many have to confirm, by what a primary tells now; `wanted` is how many there should be."""
        with self._lock:
            if told.history != self._history:
                # Another primary, whose replicas nobody has seen yet.
                self._history = told.history
                self._missing_since = {f"{number}": now for number in range(wanted)}
                self._late = {}
            unseen = now - self._looked_at > UNSEEN_S_MAX
            self._looked_at = now
            if unseen:
                self._late = {}
            there = told.online - self._copying(told, now)
            for name in there - self._missing_since.keys():
                self._take_in(name)
            for name, since in self._missing_since.items():
                if name in there:
                    self._missing_since[name] = None
                elif since is None or unseen:
                    self._missing_since[name] = now
            return self._needed()

    def _copying(self, told: Replication, now: float) -> set[str]:
        known = {
            name: (first, now if name in told.late else last)
            for name, (first, last) in self._late.items()
            if name not in told.in_step and now - last <= COPYING_UNHEARD_S_MAX
        }
        self._late = dict.fromkeys(told.late, (now, now)) | known
        return {name for name, (first, _) in self._late.items() if now - first > COPYING_S_MIN}

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
