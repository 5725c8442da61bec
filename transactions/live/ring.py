"""The latest records as one server process knows them, and where the numbers stand.

Group messages bring runs, the feed explains gaps. Between two processes that accept at once,
messages overtake each other: a run that comes early waits for the one before it.
"""

from typing import Any, TypeVar

from .feed import FEED_RECORDS, Reading, Shown

# Runs that wait for one before them. More than this, and the feed is read anyhow.
EARLY_RUNS_MAX = 1000


Item = TypeVar("Item")


def spread(items: list[Item], most: int) -> list[Item]:
    """At most `most` of `items`, in order, spread over them, the last one among them."""
    step = max(1, -(-len(items) // most))
    return items[::-step][::-1]


class Ring:
    """Numbers up to `head` are known, the records of the last FEED_RECORDS of them as far as they came.

    `life` counts beginnings: another epoch, or one that went back in time. `base` is the number after
    which the records of this life follow. `stored` is the number up to which all is in PostgreSQL.
    """

    def __init__(self) -> None:
        self.epoch = ""
        self.life = 0
        self.base = 0
        self.head = 0
        self.stored = 0
        self._records: dict[int, Shown] = {}
        self._floor = 0
        self._early: list[tuple[int, int]] = []

    def hear(self, message: dict[str, Any]) -> bool:
        """Takes a group message of `feed`; False where a gap, or another epoch, shows."""
        if message.get("epoch") != self.epoch:
            return False
        # Those over the head as well, for when what lies before them has come.
        self._put(message["records"])
        self._early += [(first, last) for first, last in message["runs"] if last > self.head]
        self._early.sort()
        del self._early[EARLY_RUNS_MAX:]
        self._follow()
        return not self._early

    def take(self, reading: Reading, head: int) -> None:
        """Takes what the feed holds; `head` is that of when it was asked."""
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
        """At most `most` of those that are here, spread over the run, the last one among them."""
        known = [seq for seq in range(max(after, self._floor) + 1, upto + 1) if seq in self._records]
        return [self._records[seq] for seq in spread(known, most)]

    def _begin(self, reading: Reading) -> None:
        same = reading.epoch == self.epoch
        # The very first records of an empty Redis follow on nothing: nobody was told anything else.
        if self.epoch or reading.after:
            self.life += 1
        self.epoch = reading.epoch
        # Of an epoch that is new here, all that the feed has is news.
        self.base = reading.accepted if same else reading.after
        self.head, self.stored = reading.accepted, reading.stored
        self._records, self._early = {}, []
        self._floor = max(0, self.head - FEED_RECORDS)
        self._put(reading.records)

    def _follow(self) -> None:
        """Runs that waited and now follow on what is known."""
        while self._early and self._early[0][0] <= self.head + 1:
            self.head = max(self.head, self._early.pop(0)[1])
        self._forget()

    def _put(self, records: list[Shown]) -> None:
        self._records.update((record["seq"], record) for record in records if record["seq"] > self._floor)

    def _forget(self) -> None:
        floor = self.head - FEED_RECORDS
        if floor - self._floor > FEED_RECORDS:
            self._records = {seq: record for seq, record in self._records.items() if seq > floor}
        else:
            for seq in range(self._floor + 1, floor + 1):
                self._records.pop(seq, None)
        self._floor = max(self._floor, floor)
