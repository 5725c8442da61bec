"""The latest records as one server process knows them, and where the numbers stand.

Group messages bring runs, and what they left out is read in the feed. Messages of two processes that
accept at once overtake each other: a run that comes early waits for the one before it.
"""

from typing import Any

from .feed import FEED_RECORDS, Reading, Shown, spread

# Runs that may wait for one before them. Others are forgotten: the feed, read soon, brings them too.
EARLY_RUNS_MAX = 1000


class Ring:
    """What is known of the present epoch: every number up to `head`, and of the last FEED_RECORDS of
    them the records, as far as messages and readings of the feed have brought them.

    `stored`: everything up to this number is in PostgreSQL. `life` counts how often all began anew, with
    another epoch or with one that went back in time; the records of a life follow number `base`.
    """

    def __init__(self) -> None:
        self.epoch = ""
        self.life = 0
        self.base = 0
        self.head = 0
        self.stored = 0
        self._records: dict[int, Shown] = {}
        # Records up to this number are forgotten.
        self._floor = 0
        # First and last number of the runs that wait for one before them.
        self._early: list[tuple[int, int]] = []

    def hear(self, message: dict[str, Any]) -> bool:
        """Takes a group message of `feed`; False where a gap, or another epoch, shows."""
        if message.get("epoch") != self.epoch:
            return False
        # Also those of runs that wait; they show once the head has reached them.
        self._put(message["records"])
        self._early += [(first, last) for first, last in message["runs"] if last > self.head]
        self._early.sort()
        del self._early[EARLY_RUNS_MAX:]
        self._follow()
        return not self._early

    def take(self, reading: Reading, head: int) -> None:
        """Takes what was read in the feed; `head` is the ring's of when it was asked for."""
        if reading.epoch != self.epoch or reading.accepted < head:
            self._begin(reading)
            return
        self._put(reading.records)
        self.head = max(self.head, reading.accepted)
        self.stored = max(self.stored, reading.stored)
        self._follow()

    def whole(self, after: int, upto: int) -> list[Shown] | None:
        """Every record after number `after` up to `upto`; None where one of them is not here."""
        records = [self._records.get(seq) for seq in range(after + 1, upto + 1)]
        return None if None in records else records  # type: ignore[return-value]

    def sample(self, after: int, upto: int, most: int) -> list[Shown]:
        """At most `most` of the same records, of those that are here."""
        known = [seq for seq in range(max(after, self._floor) + 1, upto + 1) if seq in self._records]
        return [self._records[seq] for seq in spread(known, most)]

    def _begin(self, reading: Reading) -> None:
        same = reading.epoch == self.epoch
        # The first records of an empty Redis are no new beginning: there was nothing that they replace.
        if self.epoch or reading.after:
            self.life += 1
        self.epoch = reading.epoch
        # Of another epoch all that the feed holds is new; of the same one, gone back, it was shown before.
        self.base = reading.accepted if same else reading.after
        self.head, self.stored = reading.accepted, reading.stored
        self._records, self._early = {}, []
        self._floor = max(0, self.head - FEED_RECORDS)
        self._put(reading.records)

    def _follow(self) -> None:
        """Moves the head over the runs that waited for it."""
        while self._early and self._early[0][0] <= self.head + 1:
            self.head = max(self.head, self._early.pop(0)[1])
        self._forget()

    def _put(self, records: list[Shown]) -> None:
        self._records.update((record["seq"], record) for record in records if record["seq"] > self._floor)

    def _forget(self) -> None:
        """Lets go of the records that are further back than the feed goes."""
        floor = self.head - FEED_RECORDS
        if floor - self._floor > FEED_RECORDS:
            self._records = {seq: record for seq, record in self._records.items() if seq > floor}
        else:
            for seq in range(self._floor + 1, floor + 1):
                self._records.pop(seq, None)
        self._floor = max(self._floor, floor)
