"""Kinds that hold a transaction against those stored before it, which no later record changes.

Before means: with a smaller id, and not later. The filter narrows which transactions are judged: what was
before them is all that their user did. Status is not looked at in it, since it may change.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any, ClassVar

from ... import money
from ...models import AMOUNT_MAX
from ...rounding import half_even, half_even_sql
from ...timezones import to_the_minute
from .gaps import Factor, Money, Unfit, Whole
from .kind import LOOKING_AT, TABLE, Bound, Kind, gap
from .wording import Part

DAY_S = 86_400
# How far back `deviation` looks.
PAST_DAYS = 90
JUDGING = ", judging transactions "

# Purpose: rows of users in their spans, each beside what the user did before it.
TEXT = """
    SELECT x.id, x.user_id, x.created_at, x.amount, {figures} AS figures
      FROM scope s
     CROSS JOIN LATERAL (
        SELECT t.id, t.user_id, t.created_at, t.amount FROM {table} t
         WHERE (t.user_id, t.created_at) >= (s.user_id, s.lo)
           AND (t.user_id, t.created_at) <= (s.user_id, s.hi)
           {conditions}
        OFFSET 0) x
     CROSS JOIN LATERAL ({past}) past
     WHERE x.created_at >= %(begin)s AND x.created_at < %(end)s AND {fires}
"""
# Purpose: the rows of x's user before it, the latest first.
BEFORE = """
          FROM {table} y
         WHERE (y.user_id, y.created_at, y.id) < (x.user_id, x.created_at, x.id)
           AND (y.user_id, y.created_at) > (x.user_id, x.created_at - {reach})
           AND y.id < x.id
         ORDER BY y.user_id DESC, y.created_at DESC, y.id DESC
"""
# Purpose: what a hit of a sleeping user is told by: the row before it, however long ago.
LAST = """(
    SELECT jsonb_build_object('last_at', max(l.created_at), 'asleep_days',
                              floor(extract(epoch FROM x.created_at - max(l.created_at)) / 86400)::int)
      FROM (
        SELECT y.created_at FROM {table} y
         WHERE (y.user_id, y.created_at, y.id) < (x.user_id, x.created_at, x.id)
           AND y.user_id >= x.user_id AND y.id < x.id
         ORDER BY y.user_id DESC, y.created_at DESC, y.id DESC LIMIT 1) l)"""


@dataclass(frozen=True)
class PrefixKind(Kind):
    group: ClassVar[str] = "prefix"
    least: int = gap(Money("the amount", 0), default=0)

    @property
    def reach_s(self) -> int:
        raise NotImplementedError

    @property
    def memory_s(self) -> int:
        return self.reach_s

    def amounts(self) -> tuple[int, int]:
        return self.least, AMOUNT_MAX

    def parts(self) -> list[Part]:
        # What the past is made of is not narrowed.
        return [Part(JUDGING) if part.text == LOOKING_AT else part for part in super().parts()]

    def gate(self, bound: Bound) -> str:
        return f"{super().gate(bound)} AND r.amount >= {bound('least', self.least)}"

    def sql(self, bound: Bound) -> str:
        conditions = [f"t.amount >= {bound('least', self.least)}", *self.filter.conditions("t", bound)]
        reach = bound.interval("reach", self.reach_s)
        figures, past, fires = self.past(BEFORE.format(table=TABLE, reach=reach), bound)
        return TEXT.format(
            table=TABLE,
            conditions="".join(f" AND {condition}" for condition in conditions),
            figures=figures,
            past=past,
            fires=fires,
        )

    def past(self, before: str, bound: Bound) -> tuple[str, str, str]:
        """The figures, what is asked of the rows before, and when the rule fires."""
        raise NotImplementedError


@dataclass(frozen=True)
class Deviation(PrefixKind):
    name: ClassVar[str] = "deviation"
    title: ClassVar[str] = "Far above the customer's mean"
    wording: ClassVar[str] = (
        "The amount is at least {least} and {factor} times the mean of the customer's last {past_max} "
        "transactions of 90 days, of which there are at least {past_min}"
    )
    factor: Decimal = gap(Factor("the factor", Decimal("1.01")))  # noqa: RUF009
    past_max: int = gap(Whole("the number of transactions looked back at", 1, 100), default=50)
    past_min: int = gap(Whole("the number of transactions that there must be", 1, 100), default=10)

    @property
    def reach_s(self) -> int:
        return PAST_DAYS * DAY_S

    def check(self) -> None:
        super().check()
        if self.past_min > self.past_max:
            raise Unfit("past_min", f"the number that there must be must not be above {self.past_max}")

    def amounts(self) -> tuple[int, int]:
        # No zero is so many times a mean, which is more than zero.
        return max(1, self.least), AMOUNT_MAX

    def explain(self, figures: dict[str, Any]) -> str:
        return f"the mean of the {figures['past']} before is {_in_words(figures['mean'])}"

    def headline(self, amount: int | None, figures: dict[str, Any]) -> str:
        if amount is None:
            return super().headline(amount, figures)
        times = f"{_times(amount, figures):,.1f} times the mean of the {figures['past']} before"
        return f"{money.text(amount)}, {times}, {_in_words(figures['mean'])}"

    def past(self, before: str, bound: Bound) -> tuple[str, str, str]:
        return (
            f"jsonb_build_object('mean', {half_even_sql('past.total', 'past.number')}, 'total', past.total,"
            " 'past', past.number)",
            f"SELECT count(*) AS number, sum(amount) AS total FROM (SELECT y.amount {before}"
            f" LIMIT {bound('past_max', self.past_max)}) recent",
            f"past.number >= {bound('past_min', self.past_min)} AND past.total > 0"
            f" AND x.amount::numeric * past.number >= {bound('factor', self.factor)} * past.total",
        )


@dataclass(frozen=True)
class FirstOrDormant(PrefixKind):
    name: ClassVar[str] = "first_or_dormant"
    title: ClassVar[str] = "A customer's first, or first again"
    wording: ClassVar[str] = (
        "A customer makes a transaction of at least {least}, and none is known of the last {days} days "
        "before it"
    )
    days: int = gap(Whole("the number of days", 1, 365))

    @property
    def reach_s(self) -> int:
        return self.days * DAY_S

    @property
    def is_gated(self) -> bool:
        return True

    def gate(self, bound: Bound) -> str:
        """`previous_at` is of a row with a smaller id than new ones have; not so of those that settled."""
        reach = bound.interval("reach", self.reach_s)
        awake = f"b.previous_at <= r.created_at AND b.previous_at > r.created_at - {reach}"
        return f"{super().gate(bound)} AND NOT (r.is_new AND coalesce({awake}, false))"

    def explain(self, figures: dict[str, Any]) -> str:
        if not figures:
            return ""
        if figures["last_at"] is None:
            return "none is known before it"
        return f"{_asleep(figures)}, since {to_the_minute(datetime.fromisoformat(figures['last_at']))}"

    def headline(self, amount: int | None, figures: dict[str, Any]) -> str:
        if amount is None or not figures:
            return super().headline(amount, figures)
        if figures["last_at"] is None:
            return f"{money.text(amount)}, the first of this customer"
        return f"{money.text(amount)}, {_asleep(figures)}"

    def past(self, before: str, bound: Bound) -> tuple[str, str, str]:
        # An aggregate gives one row where nothing was found, too.
        newest = f"SELECT max(recent.created_at) AS newest FROM (SELECT y.created_at {before} LIMIT 1) recent"
        return LAST.format(table=TABLE), newest, "past.newest IS NULL"


def _asleep(figures: dict[str, Any]) -> str:
    days = figures["asleep_days"]
    return f"asleep for {days:,} day{'' if days == 1 else 's'}"


def _times(amount: int, figures: dict[str, Any]) -> Decimal:
    """How many times the mean, by the total and not by the mean, which is rounded, and may be to nothing.

    Hits of earlier releases have no total, and a mean of two decimals that is never nothing.
    """
    if "total" in figures:
        return Decimal(amount * figures["past"]) / Decimal(figures["total"])
    return amount / Decimal(str(figures["mean"]))


def _in_words(mean: int | float) -> str:
    """A mean of amounts, which is whole as they are; in hits of earlier releases it has decimals."""
    return money.text(half_even(*Fraction(str(mean)).as_integer_ratio()))
