"""Walks: along what the kinds about the clock look, step by step, live and in a backtest alike.

Along the rows, by id, which are in the order of their acceptance; or along the buckets of a quarter of an
hour. Whoever walks keeps the place, gives the size of a step, and binds what it says to the kind's text.
"""

from datetime import datetime, timedelta
from typing import Any, ClassVar, NamedTuple

from ...models import Rollup
from .kind import TABLE, Bound, Kind, within_hours

ROLLUP = Rollup._meta.db_table
BUCKET_S = 900
BUCKET = timedelta(seconds=BUCKET_S)
# How far ahead of its acceptance a transaction may happen.
AHEAD = timedelta(minutes=5)

# Purpose: the end of the next rows; before the first that was accepted too lately, where that matters.
SELECT_STEP = f"""
    SELECT coalesce(min(id) FILTER (WHERE is_late) - 1, max(id)), count(*),
           max(accepted_at) FILTER (WHERE NOT is_late)
      FROM (SELECT id, accepted_at, coalesce(accepted_at > %(latest)s::timestamptz, false) AS is_late
              FROM {TABLE} WHERE id > %(row)s ORDER BY id LIMIT %(rows)s) step
"""
# Purpose: the last row of all.
SELECT_LAST_ROW = f"SELECT coalesce(max(id), 0) FROM {TABLE}"
# Purpose: the first row after one.
SELECT_AT = f"SELECT id, accepted_at FROM {TABLE} WHERE id > %s ORDER BY id LIMIT 1"
# Purpose: the first quarter of an hour of which anything is known.
SELECT_FIRST_BUCKET = f"SELECT min(bucket) FROM {ROLLUP}"


class ClockPlace(NamedTuple):
    """How far a walk has come: the last row, and the latest acceptance up to it, None before the first; or
    the last bucket.
    """

    row: int
    moment: datetime | None


class Stride(NamedTuple):
    """The next rows or buckets: what is bound to the text, where they end, up to when all is looked at by
    then, and whether there are more.
    """

    values: dict[str, Any]
    end: ClockPlace
    reached: datetime
    more: bool


class ClockKind(Kind):
    """A kind that the tick after the flush looks at; `walks` says along what: rows or buckets."""

    group: ClassVar[str] = "clock"
    walks: ClassVar[str]
    # Whether a hit is a transaction's, or a moment's.
    of_transaction: ClassVar[bool] = False
    # For how long after its end a version looks at what comes late, of the time before.
    late: ClassVar[timedelta] = timedelta(0)
    filters: ClassVar[tuple[str, ...]] = ("hours", "zone")

    @property
    def wait(self) -> timedelta:
        """For how long after its acceptance nothing can be said of a transaction."""
        return timedelta(0)

    def start(self, cursor: Any, begin: datetime) -> ClockPlace:
        """The place before all that may matter of what happens from `begin` on. Raises psycopg2.Error."""
        raise NotImplementedError

    def step(
        self, cursor: Any, at: ClockPlace, moment: datetime, size: int, *, latest: datetime | None = None
    ) -> Stride:
        """The next `size` rows or buckets after a place, as they are at `moment`.

        Rows that were accepted after `latest` are left for later. Raises psycopg2.Error.
        """
        raise NotImplementedError

    def distance(self, first: ClockPlace, last: ClockPlace) -> int:
        """How many rows or buckets lie between two places, about."""
        raise NotImplementedError

    def hours(self, moment: str, bound: Bound) -> str:
        if self.filter.hours is None:
            return ""
        return f"AND {within_hours(moment, self.filter.hours, self.filter.zone, bound)}"


class AlongRows(ClockKind):
    """A kind about when transactions were accepted."""

    walks: ClassVar[str] = "rows"

    def start(self, cursor: Any, begin: datetime) -> ClockPlace:
        reach = timedelta(seconds=self.memory_s) + 2 * AHEAD
        return ClockPlace(_row_before(cursor, begin - reach), None)

    def step(
        self, cursor: Any, at: ClockPlace, moment: datetime, size: int, *, latest: datetime | None = None
    ) -> Stride:
        cursor.execute(SELECT_STEP, {"row": at.row, "latest": latest, "rows": size})
        to, rows, accepted = cursor.fetchone()
        end = ClockPlace(at.row if to is None else to, _later(at.moment, accepted))
        more = rows == size and end.row > at.row
        # Of silence it is the end of a step that tells of the time since; what is pending is so by now.
        now = moment if self.of_transaction or not more or end.moment is None else end.moment
        values = {"after": at.row, "to": end.row, "moment": now, "latest": at.moment}
        return Stride(values, end, moment if latest is None else latest, more)

    def distance(self, first: ClockPlace, last: ClockPlace) -> int:
        return last.row - first.row


class AlongBuckets(ClockKind):
    """A kind about quarters of an hour, each once it is over."""

    walks: ClassVar[str] = "buckets"

    def start(self, cursor: Any, begin: datetime) -> ClockPlace:
        cursor.execute(SELECT_FIRST_BUCKET)
        first = cursor.fetchone()[0] or begin
        return ClockPlace(0, max(begin, first) - timedelta(seconds=1))

    def step(
        self, cursor: Any, at: ClockPlace, moment: datetime, size: int, *, latest: datetime | None = None
    ) -> Stride:
        assert at.moment is not None
        until = min(moment, at.moment + (size + 1) * BUCKET)
        end = ClockPlace(0, _last_bucket(until))
        return Stride({"after": at.moment, "moment": until}, end, _last_bucket(until), until < moment)

    def distance(self, first: ClockPlace, last: ClockPlace) -> int:
        assert first.moment is not None
        assert last.moment is not None
        return (last.moment - first.moment) // BUCKET


def _later(*moments: datetime | None) -> datetime | None:
    return max((each for each in moments if each is not None), default=None)


def _last_bucket(moment: datetime) -> datetime:
    """The beginning of the last bucket that has ended."""
    seconds = int(moment.timestamp())
    return moment.fromtimestamp(seconds - seconds % BUCKET_S - BUCKET_S, moment.tzinfo)


def _row_before(cursor: Any, moment: datetime) -> int:
    """A row before all that were accepted since a moment: by halves, as ids are in that order."""
    cursor.execute(SELECT_LAST_ROW)
    low, high = 0, cursor.fetchone()[0]
    while low < high:
        middle = (low + high) // 2
        cursor.execute(SELECT_AT, (middle,))
        found = cursor.fetchone()
        if found is not None and found[1] < moment:
            low = found[0]
        else:
            high = middle
    return int(low)
