"""Readers: how far a connection's client has been shown what was accepted, and what it is sent next.

There are two, for the two forms: a plain message for each record, and frames.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

import orjson

from .close_codes import TOO_SLOW
from .feed import Shown, spread
from .hub import Hub
from .pace import Pace
from .ring import Ring
from .subscription import EVERYTHING, Filter, Subscription

log = logging.getLogger(__name__)

FIELDS = ("transaction_id", "user", "amount", "status")
# Records shown to one plain connection in a second; about 250 kB.
SHOWN_PER_SECOND_MAX = 2_000
# Records that a frame of what is new carries. One that stands for more carries a sample.
FRAME_RECORDS_MAX = 50
# Records of a frame of what a client missed while it was away, which is never sampled.
MISSED_RECORDS_MAX = 1_000
# Frames that are kept for others who are to be sent the same.
ENCODED_MAX = 32
# Runs that a client may leave unacknowledged. It is asked to acknowledge every fourth, all up to it at once.
UNACKNOWLEDGED_MAX = 16
ACKNOWLEDGE_EVERY = 4
# Of so many frames that are due one may be of alerts, so that neither they nor runs hold the other up.
ALERT_EVERY = 2
# Seconds without a frame after which one says that the connection is alive.
ALIVE_S = 10.0

Send = Callable[[str], Awaitable[None]]
End = Callable[[int], Awaitable[None]]


class PlainReader:
    """A JSON object for each accepted transaction, in order, from the moment of connecting."""

    def __init__(self, send: Send, end: End) -> None:
        self.ready = False
        self.end = end
        self._send = send
        self._pace = Pace(SHOWN_PER_SECOND_MAX)
        self._life = 0
        self._cursor = 0

    def begin(self, ring: Ring) -> None:
        """Begins after the last record."""
        self._life, self._cursor = ring.life, ring.head

    async def hello(self, hub: Hub) -> None:
        """The plain stream has no first message."""

    def acknowledge(self, seq: int) -> None:
        """Nothing is acknowledged here."""

    async def show(self, hub: Hub) -> None:
        """Sends every record that is new; closes the connection where that is more than a client is sent."""
        ring = hub.ring
        if self._life != ring.life:
            self._life, self._cursor = ring.life, ring.base
        upto = ring.head
        if upto == self._cursor:
            return
        # A plain stream cannot say that it skips.
        if self._pace.exceeded_by(upto - self._cursor):
            records = None
        else:
            records = await hub.whole(self._cursor, upto)
        if records is None:
            log.info("A dashboard was closed: more came in a second than it is shown")
            await self.end(TOO_SLOW)
            return
        self._cursor = upto
        for record in records:
            await self._send(orjson.dumps({name: record[name] for name in FIELDS}).decode())


class FramedReader:
    """Frames: numbered runs of records, a sample where there are many, and all that was missed after a break.

    One frame at a time by the hub's clock. The more of them are unacknowledged, the longer until the
    next, which then stands for more records. (A window, as TCP has one.)
    """

    def __init__(self, send: Send, end: End, subscription: Subscription) -> None:
        self.ready = False
        self.end = end
        # Whether the client may see alerts, as far as is known by now.
        self.sees_alerts = False
        self._send = send
        self._subscription = subscription
        # The ring's life and the number up to which the client has been sent everything.
        self._life = 0
        self._cursor = 0
        # What the client missed while it was away ends with this number; up to it nothing is sampled.
        self._missed_upto = 0
        # The last `stored` that the client was told.
        self._stored = 0
        # Why the client has to load everything anew, "" if it has not.
        self._reload = ""
        # The last numbers of the runs that were sent since the last acknowledgement.
        self._unacknowledged: deque[int] = deque()
        self._sent_at = self._due_at = 0.0
        # The last frame of alerts that the client was sent, or need not be, and when the next is due.
        self._alerts_shown = 0
        self._alerts_due_at = 0.0

    def begin(self, ring: Ring) -> None:
        """Begins where the client was, if it says so and that can be, else after the last record."""
        since, epoch = self._subscription.since, self._subscription.epoch
        self._life, self._stored, self._cursor = ring.life, ring.stored, ring.head
        if since is None:
            return
        if epoch and epoch != ring.epoch:
            self._reload = "epoch"
        elif since > ring.head:
            self._reload = "ahead"
        else:
            self._cursor, self._missed_upto = since, ring.head

    async def hello(self, hub: Hub) -> None:
        """The first frame."""
        await self._tell(
            type="hello",
            epoch=hub.ring.epoch,
            seq=self._cursor,
            accepted=hub.ring.head,
            stored=self._stored,
            interval_seconds=hub.interval_s,
            alive_seconds=ALIVE_S,
            acknowledge_every=ACKNOWLEDGE_EVERY,
        )
        # How they stood until now the client asks the API.
        self._alerts_shown = hub.alerts.number
        self._sent_at = asyncio.get_running_loop().time()

    def acknowledge(self, seq: int) -> None:
        """The client has read every frame up to number `seq`."""
        while self._unacknowledged and self._unacknowledged[0] <= seq:
            self._unacknowledged.popleft()

    async def show(self, hub: Hub) -> None:
        """Sends the next frame, if there is one and it is due."""
        now = asyncio.get_running_loop().time()
        if now < self._due_at or not await self._show_next(hub, now):
            return
        self._sent_at = now
        # Half an interval early: a round that comes a moment too soon would else pass this client by.
        behind = len(self._unacknowledged) - ACKNOWLEDGE_EVERY
        self._due_at = now + hub.interval_s * (max(1, behind) - 0.5)

    async def _show_next(self, hub: Hub, now: float) -> bool:
        """Sends the one frame that comes next; False where there is none."""
        ring = hub.ring
        if self._life != ring.life:
            self._life, self._reload = ring.life, "epoch"
            await self._start_over(ring, ring.base)
        elif self._reload:
            await self._start_over(ring, ring.head)
        elif self._has_alerts(hub, now):
            self._alerts_shown = hub.alerts.number
            self._alerts_due_at = now + hub.interval_s * (ALERT_EVERY - 0.5)
            await self._send(hub.alerts.latest)
        elif ring.stored > self._stored:
            self._stored = ring.stored
            await self._tell(type="stored", epoch=ring.epoch, seq=self._stored)
        elif self._cursor < ring.head:
            await self._show_run(hub)
        elif now - self._sent_at >= ALIVE_S:
            await self._tell(type="alive", epoch=ring.epoch, seq=self._cursor)
        else:
            return False
        return True

    def _has_alerts(self, hub: Hub, now: float) -> bool:
        """Whether a frame of alerts comes next."""
        is_new = self._alerts_shown != hub.alerts.number
        return is_new and self.sees_alerts and now >= self._alerts_due_at

    async def _start_over(self, ring: Ring, seq: int) -> None:
        reason, self._reload = self._reload, ""
        self._cursor, self._missed_upto, self._stored = seq, 0, ring.stored
        self._unacknowledged.clear()
        await self._tell(type="reload", epoch=ring.epoch, seq=seq, stored=ring.stored, reason=reason)

    async def _show_run(self, hub: Hub) -> None:
        if len(self._unacknowledged) >= UNACKNOWLEDGED_MAX:
            log.info("A dashboard was closed: it acknowledges no frames")
            await self.end(TOO_SLOW)
            return
        ring, after, filter = hub.ring, self._cursor, self._subscription.filter
        missed = after < self._missed_upto
        upto = min(after + MISSED_RECORDS_MAX, self._missed_upto) if missed else ring.head
        # A sample without a filter makes do with what the ring has; all else needs every record.
        if (missed or filter != EVERYTHING) and await hub.whole(after, upto) is None:
            self._reload = "gone"
            await self._start_over(ring, ring.head)
            return
        most = MISSED_RECORDS_MAX if missed else FRAME_RECORDS_MAX
        self._cursor = upto
        self._unacknowledged.append(upto)
        if filter == EVERYTHING:
            await self._send(encoded(hub, after, upto, most))
        else:
            await self._send(filtered(hub, after, upto, most, filter))

    async def _tell(self, **frame: object) -> None:
        await self._send(orjson.dumps(frame).decode())


def encoded(hub: Hub, after: int, upto: int, most: int) -> str:
    """The frame for the records after number `after` up to `upto`, at most `most` of them; made once for
    all watchers that are to be sent the same.
    """
    key = (hub.ring.life, after, upto, most)
    if key not in hub.encoded:
        if len(hub.encoded) >= ENCODED_MAX:
            del hub.encoded[next(iter(hub.encoded))]
        records = hub.ring.sample(after, upto, most)
        hub.encoded[key] = _run(hub, after, upto, upto - after, records)
    return hub.encoded[key]


def filtered(hub: Hub, after: int, upto: int, most: int, filter: Filter) -> str:
    """The frame for those of these records that pass `filter`; the ring has to have them all."""
    passing = [record for record in hub.ring.whole(after, upto) or [] if filter.passes(record)]
    return _run(hub, after, upto, len(passing), spread(passing, most))


def _run(hub: Hub, after: int, upto: int, matched: int, records: Sequence[Shown]) -> str:
    frame = {
        "type": "run",
        "epoch": hub.ring.epoch,
        "first": after + 1,
        "last": upto,
        "count": upto - after,
        "matched": matched,
        "sampled": len(records) < matched,
        # JavaScript's parser is exact up to 2^53 only.
        "records": [record | {"amount": str(record["amount"])} for record in records],
    }
    return orjson.dumps(frame).decode()
