"""Kinds that count or add up what one user did within a window, by a sweep over rows in and out."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from ... import money
from ...models import AMOUNT_MAX
from .gaps import WINDOW_WORDS, Money, Unfit, Whole, Window
from .kind import TABLE, WINDOW_OF_GATE, Bound, Kind, gap, window_seconds

COUNT_MAX = 100_000

# Purpose: walks through the moments at which a row comes into the window (+1) or leaves it (-1), and
# keeps count and sum. What leaves at a moment goes before what comes in then: the window is open at
# its old end. Rows that came in at one moment count in the order of their ids.
TEXT = """
    SELECT w.id, w.user_id, w.moment AS created_at, w.amount,
           jsonb_build_object('{measure}', w.measured) AS figures
      FROM (
        SELECT m.*, sum({change}) OVER sweep AS measured
          FROM (
            SELECT y.id, y.user_id, y.amount, s.lo, s.hi, e.moment, e.n
              FROM scope s
             CROSS JOIN LATERAL (
                SELECT t.id, t.user_id, t.created_at, t.amount FROM {table} t
                 WHERE (t.user_id, t.created_at) > (s.user_id, s.lo - {window})
                   AND (t.user_id, t.created_at) <= (s.user_id, s.hi + {window})
                   {conditions}
                OFFSET 0) y
             CROSS JOIN LATERAL (VALUES (y.created_at, 1), (y.created_at + {window}, -1)) e (moment, n)
             WHERE y.created_at < %(end)s
          ) m
        WINDOW sweep AS (PARTITION BY {partition} ORDER BY m.moment, m.n, m.id ROWS UNBOUNDED PRECEDING)
      ) w
     WHERE w.n = 1 AND w.moment >= w.lo AND w.moment <= w.hi + {window}
       AND w.moment >= %(begin)s AND w.measured >= {limit}
"""


@dataclass(frozen=True)
class WindowedKind(Kind):
    """A kind with a window. Amounts are not negative, so that a hit never ends to be one."""

    partition: ClassVar[str] = "m.user_id"
    # What is counted or added up, as an explanation says it.
    of_what: ClassVar[str] = "transactions"
    measure: ClassVar[str] = "count"
    window: str = gap(Window("the window"))

    @property
    def window_s(self) -> int:
        return window_seconds(self.window)

    def own_conditions(self, row: str, bound: Bound) -> list[str]:
        """Which rows count, beside the filter."""
        return []

    def counted(self, row: str, bound: Bound) -> list[str]:
        """Which rows count."""
        return [*self.own_conditions(row, bound), *self.filter.conditions(row, bound)]

    def limit_of(self, bound: Bound) -> str:
        """What count or sum must reach."""
        raise NotImplementedError

    def explain(self, figures: dict[str, Any]) -> str:
        return f"{figures[self.measure]:,} {self.of_what} within {WINDOW_WORDS[self.window]}"

    def gate(self, bound: Bound) -> str:
        # A bound that is NULL cannot vouch.
        conditions = [super().gate(bound), *self.own_conditions("r", bound)]
        kept = f"b.{WINDOW_OF_GATE[self.window]}_{self.measure}"
        return f"{' AND '.join(conditions)} AND coalesce({kept} >= {self.limit_of(bound)}, true)"

    def sql(self, bound: Bound) -> str:
        conditions = self.counted("t", bound)
        return TEXT.format(
            table=TABLE,
            window=bound.interval("window", self.window_s),
            conditions="".join(f" AND {condition}" for condition in conditions),
            partition=self.partition,
            measure=self.measure,
            # Sums of amounts overflow a bigint.
            change="m.n" if self.measure == "count" else "m.n * m.amount::numeric",
            limit=self.limit_of(bound),
        )


@dataclass(frozen=True)
class VelocityCount(WindowedKind):
    name: ClassVar[str] = "velocity_count"
    title: ClassVar[str] = "Many transactions"
    wording: ClassVar[str] = "A customer makes at least {count} transactions within {window}"
    count: int = gap(Whole("the number", 1, COUNT_MAX))

    def limit_of(self, bound: Bound) -> str:
        return bound("count", self.count)


@dataclass(frozen=True)
class VelocitySum(WindowedKind):
    name: ClassVar[str] = "velocity_sum"
    title: ClassVar[str] = "A large sum"
    wording: ClassVar[str] = "A customer's transactions within {window} come to at least {total}"
    of_what: ClassVar[str] = "in all"
    measure: ClassVar[str] = "sum"
    total: int = gap(Money("the total"))

    def amounts(self) -> tuple[int, int]:
        # Of nothing but zeros there is no sum.
        return 1, AMOUNT_MAX

    def explain(self, figures: dict[str, Any]) -> str:
        total = money.text(Decimal(str(figures["sum"])))
        return f"{total} {self.of_what} within {WINDOW_WORDS[self.window]}"

    def limit_of(self, bound: Bound) -> str:
        return bound("total", self.total)


@dataclass(frozen=True)
class BelowLimit(VelocityCount):
    name: ClassVar[str] = "below_limit"
    title: ClassVar[str] = "Amounts just under a limit"
    wording: ClassVar[str] = (
        "A customer makes at least {count} transactions within {window} of up to {margin} under the "
        "limit of {limit}"
    )
    of_what: ClassVar[str] = "just under the limit"
    limit: int = gap(Money("the limit"))
    margin: int = gap(Money("the margin"))

    def headline(self, amount: int | None, figures: dict[str, Any]) -> str:
        under = f"just under the limit of {money.text(self.limit)}"
        return f"{figures['count']:,} {under} within {WINDOW_WORDS[self.window]}"

    def check(self) -> None:
        if self.margin > self.limit:
            raise Unfit("margin", "the margin must not be above the limit")
        super().check()

    def amounts(self) -> tuple[int, int]:
        return self.limit - self.margin, self.limit - 1

    def own_conditions(self, row: str, bound: Bound) -> list[str]:
        low, limit = bound("low", self.limit - self.margin), bound("limit", self.limit)
        return [f"{row}.amount >= {low}", f"{row}.amount < {limit}"]


@dataclass(frozen=True)
class FailureBurst(VelocityCount):
    name: ClassVar[str] = "failure_burst"
    title: ClassVar[str] = "Many failures"
    wording: ClassVar[str] = (
        "At least {count} transactions of a customer fail within {window}[, each of at most {most}]"
    )
    of_what: ClassVar[str] = "failures"
    filters: ClassVar[tuple[str, ...]] = tuple(name for name in Kind.filters if name != "statuses")
    most: int | None = gap(Money("the largest amount of each", 0), default=None)

    def amounts(self) -> tuple[int, int]:
        return 0, AMOUNT_MAX if self.most is None else self.most

    def own_conditions(self, row: str, bound: Bound) -> list[str]:
        failed = [f"{row}.status = 'FAILED'"]
        return failed if self.most is None else [*failed, f"{row}.amount <= {bound('most', self.most)}"]


@dataclass(frozen=True)
class RapidRepeat(VelocityCount):
    name: ClassVar[str] = "rapid_repeat"
    title: ClassVar[str] = "The same amount again"
    wording: ClassVar[str] = (
        "A customer makes at least {count} transactions of the same amount within {window}"
    )
    of_what: ClassVar[str] = "of the same amount"
    partition: ClassVar[str] = "m.user_id, m.amount"

    def headline(self, amount: int | None, figures: dict[str, Any]) -> str:
        of = self.of_what if amount is None else f"of {money.text(amount)} each"
        return f"{figures['count']:,} {of} within {WINDOW_WORDS[self.window]}"
