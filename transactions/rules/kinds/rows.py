"""Kinds that judge a transaction by itself."""

from dataclasses import dataclass
from typing import Any, ClassVar

from ... import money
from ...models import AMOUNT_MAX
from .gaps import MINUTES_MAX, Choice, ListName, Money, Whole
from .kind import TABLE, Bound, Kind, ever_listed, gap, listed

# Purpose: the rows of users in their spans, one by one.
TEXT = """
    SELECT x.id, x.user_id, x.created_at, x.amount, {figures} AS figures
      FROM scope s
     CROSS JOIN LATERAL (
        SELECT t.id, t.user_id, t.created_at, t.amount, t.accepted_at FROM {table} t
         WHERE (t.user_id, t.created_at) >= (s.user_id, s.lo)
           AND (t.user_id, t.created_at) <= (s.user_id, s.hi)
           AND {conditions}
        OFFSET 0) x
     WHERE x.created_at >= %(begin)s AND x.created_at < %(end)s
"""


# What hits were raised without before is not made up for: their figures are empty.
AMOUNT = "jsonb_build_object('amount', x.amount)"


class RowKind(Kind):
    """A kind whose hits depend on the row alone."""

    def condition(self, row: str, bound: Bound) -> str:
        raise NotImplementedError

    def figures(self) -> str:
        return "'{}'::jsonb"

    def gate(self, bound: Bound) -> str:
        return f"{super().gate(bound)} AND {self.condition('r', bound)}"

    def sql(self, bound: Bound) -> str:
        conditions = [self.condition("t", bound), *self.filter.conditions("t", bound)]
        return TEXT.format(table=TABLE, figures=self.figures(), conditions=" AND ".join(conditions))


@dataclass(frozen=True)
class Amount(RowKind):
    name: ClassVar[str] = "amount"
    title: ClassVar[str] = "An amount"
    wording: ClassVar[str] = "The amount is at {at} {amount}"
    at: str = gap(Choice("at", ("least", "most")), default="least")
    amount: int = gap(Money("the amount"))

    def amounts(self) -> tuple[int, int]:
        return (self.amount, AMOUNT_MAX) if self.at == "least" else (0, self.amount)

    def figures(self) -> str:
        return AMOUNT

    def explain(self, figures: dict[str, Any]) -> str:
        if not figures:
            return ""
        return f"{money.text(figures['amount'])}, and the limit is {money.text(self.amount)}"

    def condition(self, row: str, bound: Bound) -> str:
        return f"{row}.amount {'>=' if self.at == 'least' else '<='} {bound('amount', self.amount)}"


@dataclass(frozen=True)
class RoundAmount(RowKind):
    name: ClassVar[str] = "round_amount"
    title: ClassVar[str] = "A round amount"
    wording: ClassVar[str] = "The amount is a multiple of {multiple}, and at least {least}"
    multiple: int = gap(Money("the multiple", 2))
    least: int = gap(Money("the amount"))

    def amounts(self) -> tuple[int, int]:
        # The first multiple that the filter's least amount leaves, too.
        least = max(self.least, self.filter.amount_min or 0)
        return -(-least // self.multiple) * self.multiple, AMOUNT_MAX

    def figures(self) -> str:
        return AMOUNT

    def explain(self, figures: dict[str, Any]) -> str:
        if not figures:
            return ""
        times = f"{figures['amount'] // self.multiple:,} times"
        return f"{money.text(figures['amount'])} is {times} {money.text(self.multiple)}"

    def condition(self, row: str, bound: Bound) -> str:
        least, multiple = bound("least", self.least), bound("multiple", self.multiple)
        # `%%` is one sign in a text with bound parameters.
        return f"({row}.amount >= {least} AND {row}.amount %% {multiple} = 0)"


@dataclass(frozen=True)
class Listed(RowKind):
    name: ClassVar[str] = "listed"
    title: ClassVar[str] = "A customer on a list"
    wording: ClassVar[str] = "The customer stands on the list “{list_name}”"
    list_name: str = gap(ListName("the list"))

    def explain(self, figures: dict[str, Any]) -> str:
        return f"on the list “{self.list_name}” then"

    def headline(self, amount: int | None, figures: dict[str, Any]) -> str:
        told = f"by a customer on the list “{self.list_name}”"
        return f"{told[:1].upper()}{told[1:]}" if amount is None else f"{money.text(amount)} {told}"

    def lists(self) -> list[tuple[str, str]]:
        return [("list_name", self.list_name), *super().lists()]

    def lists_of_gate(self) -> list[str]:
        return [self.list_name, *super().lists_of_gate()]

    def condition(self, row: str, bound: Bound) -> str:
        return listed(row, "list", self.list_name, bound)

    def gate(self, bound: Bound) -> str:
        return f"{Kind.gate(self, bound)} AND {ever_listed('r', 'list', self.list_name, bound)}"


@dataclass(frozen=True)
class ClockGap(RowKind):
    name: ClassVar[str] = "clock_gap"
    title: ClassVar[str] = "Accepted late"
    wording: ClassVar[str] = "A transaction is accepted more than {minutes} minutes after it happened"

    def headline(self, amount: int | None, figures: dict[str, Any]) -> str:
        told = self.explain(figures)
        return f"{money.text(amount)}, {told}" if amount is not None else super().headline(amount, figures)

    minutes: int = gap(Whole("the number of minutes", 1, MINUTES_MAX))

    def explain(self, figures: dict[str, Any]) -> str:
        return f"accepted {figures['late_seconds'] / 60:,.0f} minutes after it happened"

    def figures(self) -> str:
        return "jsonb_build_object('late_seconds', round(extract(epoch FROM x.accepted_at - x.created_at)))"

    def condition(self, row: str, bound: Bound) -> str:
        late = bound.interval("late", self.minutes * 60)
        return f"{row}.accepted_at > {row}.created_at + {late}"
