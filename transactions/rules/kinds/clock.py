"""Kinds about the clock: what has not happened for too long, and rates of a quarter of an hour.

Their hits are facts of a moment. They are looked for after a flush, up to the moment at which it
began, by when everything accepted before is stored.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, ClassVar

from ... import money
from ...timezones import to_the_minute
from .gaps import MINUTES_MAX, Factor, Whole
from .kind import TABLE, Bound, Kind, gap
from .walks import BUCKET_S, ROLLUP, AlongBuckets, AlongRows
from .wording import minutes_in_words

# Purpose: transactions of a range of ids that had not settled so long after they were accepted.
PENDING = """
    SELECT t.id, t.user_id, t.created_at, t.amount,
           jsonb_build_object('accepted_at', t.accepted_at) AS figures
      FROM {table} t
     WHERE t.id > %(after)s AND t.id <= %(to)s AND t.created_at >= %(begin)s AND t.created_at < %(end)s
       AND t.accepted_at + {limit} <= %(moment)s
       AND (t.status = 'PENDING' OR t.settled_at > t.accepted_at + {limit}) {conditions}
"""
# Purpose: buckets in which the share of failures is large, and larger than that of the same time before.
RATE = """
    SELECT b.bucket, b.bucket AS happened_at,
           jsonb_build_object('failed', b.failed, 'count', b.number, 'failed_before', past.failed,
                              'count_before', past.number) AS figures
      FROM (
        SELECT bucket, sum(count) AS number,
               coalesce(sum(count) FILTER (WHERE status = 'FAILED'), 0) AS failed
          FROM {rollup}
         WHERE bucket > %(after)s AND bucket + {width} <= %(moment)s
           AND bucket >= %(begin)s AND bucket < %(end)s {hours}
         GROUP BY bucket
      ) b
     CROSS JOIN LATERAL (
        SELECT sum(p.count) AS number, coalesce(sum(p.count) FILTER (WHERE p.status = 'FAILED'), 0) AS failed
          FROM generate_series(1, {days}) day
          JOIN {rollup} p ON p.bucket = b.bucket - make_interval(secs => 86400 * day)
      ) past
     WHERE b.number >= {least} AND b.failed * 100 >= {percent} * b.number
       AND past.number >= {past_min} AND b.failed * past.number >= {factor} * past.failed * b.number
"""
# Purpose: the moments from which on nothing was accepted for too long, among the rows of a range of ids
# and since the last of them. `latest` is the latest acceptance before the range.
SILENCE = """
    SELECT g.latest AS bucket, g.latest + {limit} AS happened_at,
           jsonb_build_object('minutes', {minutes}::int) AS figures
      FROM (
        SELECT max(a.accepted_at) OVER earlier AS latest, a.accepted_at AS next
          FROM (
            SELECT 0 AS id, %(latest)s::timestamptz AS accepted_at
             UNION ALL
            SELECT t.id, t.accepted_at FROM {table} t WHERE t.id > %(after)s AND t.id <= %(to)s
             UNION ALL
            SELECT 9223372036854775807, %(moment)s
          ) a
        WINDOW earlier AS (ORDER BY a.id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
      ) g
     WHERE g.next > g.latest + {limit}
       AND g.latest + {limit} >= %(begin)s AND g.latest + {limit} < %(end)s {hours}
"""


@dataclass(frozen=True)
class PendingTooLong(AlongRows):
    name: ClassVar[str] = "pending_too_long"
    title: ClassVar[str] = "Pending for long"
    wording: ClassVar[str] = "A transaction is still pending {minutes} minutes after it was accepted"
    of_transaction: ClassVar[bool] = True
    late: ClassVar[timedelta] = timedelta(days=35)
    filters: ClassVar[tuple[str, ...]] = tuple(name for name in Kind.filters if name != "statuses")
    minutes: int = gap(Whole("the number of minutes", 1, MINUTES_MAX))

    @property
    def memory_s(self) -> int:
        return self.minutes * 60

    @property
    def wait(self) -> timedelta:
        return timedelta(minutes=self.minutes)

    def explain(self, figures: dict[str, Any]) -> str:
        accepted = to_the_minute(datetime.fromisoformat(figures["accepted_at"]))
        return f"accepted at {accepted}, and pending {minutes_in_words(self.minutes)} later"

    def headline(self, amount: int | None, figures: dict[str, Any]) -> str:
        if amount is None:
            return super().headline(amount, figures)
        return f"{money.text(amount)}, pending for over {minutes_in_words(self.minutes)}"

    def sql(self, bound: Bound) -> str:
        conditions = "".join(f" AND {condition}" for condition in self.filter.conditions("t", bound))
        limit = bound.interval("limit", self.minutes * 60)
        return PENDING.format(table=TABLE, limit=limit, conditions=conditions)


@dataclass(frozen=True)
class FailureRate(AlongBuckets):
    name: ClassVar[str] = "failure_rate"
    title: ClassVar[str] = "More failures than usual"
    wording: ClassVar[str] = (
        "Of at least {least} transactions of a quarter of an hour at least {percent} % fail, and "
        "{factor} times the share of the same time of the last {days} days, in which there were at least "
        "{past_min}"
    )
    factor: Decimal = gap(Factor("the factor", Decimal("1.01")))  # noqa: RUF009
    percent: int = gap(Whole("the percentage", 1, 100))
    days: int = gap(Whole("the number of days", 1, 28), default=7)
    least: int = gap(Whole("the number of transactions", 1), default=20)
    # Left open it is what rules meant that were written before there was this gap.
    past_min: int = gap(Whole("the number of transactions that there were", 1), suggested=20, default=1)

    def explain(self, figures: dict[str, Any]) -> str:
        failed, count = figures["failed"], figures["count"]
        before, of = figures["failed_before"], figures["count_before"]
        return (
            f"{failed:,} of {count:,} failed ({100 * failed / count:.1f} %); at this time of the days before "
            f"{before:,} of {of:,} ({100 * before / of:.1f} %)"
        )

    def sql(self, bound: Bound) -> str:
        return RATE.format(
            rollup=ROLLUP,
            width=bound.interval("width", BUCKET_S),
            days=bound("days", self.days),
            least=bound("least", self.least),
            past_min=bound("past_min", self.past_min),
            percent=bound("percent", self.percent),
            factor=bound("factor", self.factor),
            hours=self.hours("bucket", bound),
        )


@dataclass(frozen=True)
class Silence(AlongRows):
    name: ClassVar[str] = "silence"
    title: ClassVar[str] = "Nothing comes"
    wording: ClassVar[str] = "Nothing is accepted for more than {minutes} minutes"
    minutes: int = gap(Whole("the number of minutes", 1, MINUTES_MAX))

    @property
    def memory_s(self) -> int:
        return self.minutes * 60

    def explain(self, figures: dict[str, Any]) -> str:
        return f"nothing was accepted for {figures['minutes']:,} minutes"

    def sql(self, bound: Bound) -> str:
        limit = bound.interval("limit", self.minutes * 60)
        return SILENCE.format(
            table=TABLE,
            limit=limit,
            minutes=bound("minutes", self.minutes),
            hours=self.hours(f"(g.latest + {limit})", bound),
        )
