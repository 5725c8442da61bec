"""The staff's list of transactions: narrowed, in an order, page by page without an end, counted and summed.

A page begins where the one before ended, at a row's place. What is counted is bounded: beyond COUNTED_MAX
rows, or TOTALS_MS_MAX, the rollups or PostgreSQL's own statistics say about how many there are.
"""

import json
from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from typing import Any, NamedTuple

import redis
from django.db import connection
from django.db.models import BooleanField, F, Func, Q, QuerySet, Value

from ..models import Transaction
from ..stores import bounded_queries
from . import detail, part_indexes, refusals, sums
from .detail import UNSTORED_LOOKED_AT_MAX
from .listing import Wanted
from .narrow_parameters import ORDERS, PAGES, Narrowed
from .paging import cursor_of, turned
from .search import INDEXED, literal
from .spans import ALL_TIME, TimeSpan
from .sums import StatusSums, Sum

ROWS = 100
COUNTED_MAX = 10_000
TOTALS_MS_MAX = 150
IN_ORDER_MS_MAX = 100


@dataclass(frozen=True, slots=True)
class Sums:
    """How many, and how much of each status that there is. Not `exact`: about so; None where nobody can tell.

    Of what is not stored: `newest` is how many records were looked at, where there are older ones (0: all
    were), and `unreadable` how many of them hold no transaction.
    """

    count: int
    amounts: dict[str, int] | None
    exact: bool = True
    newest: int = 0
    unreadable: int = 0


class Rows(NamedTuple):
    """A page, as the API shows transactions, and the cursors of the next one and of that `before`.

    What is not stored has one page, and its totals with it.
    """

    rows: list[dict[str, Any]]
    cursor: str | None = None
    before: str | None = None
    totals: Sums | None = None


def stored(narrowed: Narrowed) -> QuerySet[Transaction]:
    """The stored transactions that are wanted, in their order, from the first on."""
    wanted = narrowed.wanted
    bounds = {
        "user_id": wanted.user, "status": wanted.status, "amount__gte": wanted.amount_min,
        "amount__lte": wanted.amount_max, "created_at__gte": wanted.since, "created_at__lt": wanted.until,
    }  # fmt: skip
    rows = Transaction.objects.filter(**{name: value for name, value in bounds.items() if value is not None})
    for start, end in wanted.gaps:
        rows = rows.exclude(created_at__gte=start, created_at__lt=end)
    if narrowed.part:
        rows = rows.filter(has_part("transaction_id", narrowed.part))
    fields, downwards = ORDERS[narrowed.order]
    return rows.order_by(*(f"-{name}" if downwards else name for name in fields))


def finds_any(part: str) -> bool:
    """Whether stored ids with this part are found, and not those alone that begin so."""
    return part_indexes.present() and bool(INDEXED.search(part))


def has_part(column: str, part: str) -> Q | Func:
    """That an id, or a customer's name, has this part, or begins so where parts are not indexed."""
    if not finds_any(part):
        return Q(**{f"{column}__startswith": part})
    # Django's own icontains compares capitals, of which there is no index.
    pattern = Value(f"%{literal(part)}%")
    return _comparison(F(column), "ILIKE", pattern)


def page(narrowed: Narrowed) -> Rows:
    """One page. Raises django.db.Error, where it takes too long too, and redis.RedisError of what waits."""
    if narrowed.state == "waiting":
        return _waiting(narrowed)
    if narrowed.state == "rejected":
        return _rejected(narrowed)
    rows = _beside_place(narrowed)
    found = None
    if narrowed.part and _estimate(narrowed) > COUNTED_MAX:
        found = bounded_queries.in_time(lambda: _in_order(rows), IN_ORDER_MS_MAX)
    if found is None:
        with bounded_queries.bounded():
            found = list(rows[: ROWS + 1])
    if narrowed.backwards and len(found) <= ROWS:
        # The first page is as full as any other.
        return page(replace(narrowed, place=None, backwards=False))
    shown, cursor, before = turned(
        found,
        ROWS,
        lambda end: _cursor(end, narrowed.order),
        from_place=narrowed.place is not None,
        backwards=narrowed.backwards,
    )
    return Rows([detail.stored_as_dict(row) for row in shown], cursor, before)


def _beside_place(narrowed: Narrowed) -> QuerySet[Transaction]:
    """What follows the place of a page, in its order; backwards what comes before it, the nearest first."""
    rows = stored(narrowed)
    fields, downwards = ORDERS[narrowed.order]
    if narrowed.place is not None:
        sign = "<" if downwards != narrowed.backwards else ">"
        place = _together(*map(Value, narrowed.place))
        rows = rows.filter(_comparison(_together(*map(F, fields)), sign, place))
    return rows.reverse() if narrowed.backwards else rows


def _cursor(end: Transaction, order: str) -> str:
    place = [getattr(end, name) for name in ORDERS[order][0]]
    texts = [value.isoformat() if isinstance(value, datetime) else value for value in place]
    return cursor_of(PAGES, [order, *texts])


def _comparison(left: Any, sign: str, right: Any) -> Func:
    """A condition of SQL that Django has no word for."""
    return Func(
        left, right, template="(%(expressions)s)", arg_joiner=f" {sign} ", output_field=BooleanField()
    )


def _together(*values: Any) -> Func:
    """Values compared as a whole: an index begins at a place however many rows share its first ones."""
    return Func(*values, template="(%(expressions)s)", output_field=BooleanField())


def _in_order(rows: QuerySet[Transaction]) -> list[Transaction]:
    """A page of rows with a common part, of which the index of the order soon has enough.

    PostgreSQL would rather collect all of them by the index of parts, and sort them: right for rare parts.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('enable_bitmapscan', 'off', true)")
    return list(rows[: ROWS + 1])


def _waiting(narrowed: Narrowed) -> Rows:
    return _taken(narrowed, detail.newest_unstored(UNSTORED_LOOKED_AT_MAX))


def _rejected(narrowed: Narrowed) -> Rows:
    with bounded_queries.bounded():
        return _taken(narrowed, refusals.newest(UNSTORED_LOOKED_AT_MAX))


def _taken(narrowed: Narrowed, found: detail.Unstored) -> Rows:
    """Those of a few transactions that are wanted, in the order; the first ROWS of them."""
    part = narrowed.part.casefold()
    taken = [
        row for row in found.shown if narrowed.wanted.takes(row) and part in row["transaction_id"].casefold()
    ]
    fields, downwards = ORDERS[narrowed.order]
    by = [name for name in fields if name != "id"]
    taken.sort(key=lambda row: tuple(row[name] for name in by), reverse=downwards)
    newest = 0 if found.complete else UNSTORED_LOOKED_AT_MAX
    amounts = _amounts(taken)
    return Rows(taken[:ROWS], totals=Sums(len(taken), amounts, newest=newest, unreadable=found.unreadable))


def _amounts(rows: list[dict[str, Any]]) -> dict[str, int]:
    amounts = Counter[str]()
    for row in rows:
        amounts[row["status"]] += row["amount"]
    return dict(amounts)


def totals(narrowed: Narrowed, shown: Rows) -> Sums:
    """How many transactions are wanted, and their sums; of what is not stored, of those looked through."""
    if shown.totals is not None:
        return shown.totals
    if narrowed.place is None and shown.cursor is None:
        return Sums(len(shown.rows), _amounts(shown.rows))
    counted = bounded_queries.in_time(lambda: _counted(narrowed), TOTALS_MS_MAX)
    if counted is not None and counted.rows <= COUNTED_MAX:
        return Sums(counted.rows, _totals(counted))
    wanted = narrowed.wanted
    if wanted.user is wanted.amount_min is wanted.amount_max is None and not narrowed.part:
        held = bounded_queries.in_time(lambda: sums.of_kept(_spans(wanted)))
        if held is not None:
            return _at_least(counted or StatusSums(), held, wanted.status)
    estimate = max(_estimate(narrowed), COUNTED_MAX if counted else 0)
    # Of a range of amounts those counted may well be the smallest, by whose index they are found.
    like_others = wanted.amount_min == wanted.amount_max
    if counted is None or not like_others:
        return Sums(estimate, None, exact=False)
    amounts = {
        status: round(estimate * Fraction(total, counted.rows)) for status, total in _totals(counted).items()
    }
    return Sums(estimate, amounts, exact=False)


def _totals(held: StatusSums) -> dict[str, int]:
    return {status: each.total for status, each in held.items() if each.rows}


def _at_least(counted: StatusSums, held: StatusSums, status: str | None) -> Sums:
    """What the rollups hold, of the status that is wanted; it is no less than what was counted of it."""
    if status:
        held = StatusSums({status: held[status]})
    amounts = {name: max(total, counted[name].total) for name, total in _totals(held).items()}
    return Sums(max(held.rows, counted.rows), _totals(counted) | amounts, exact=False)


def count_in(state: str, narrowed: Narrowed) -> int | None:
    """How many of those wanted are in another state, of stored ones no more than COUNTED_MAX + 1; None where
    that is not told in time. Raises django.db.Error.
    """
    there = replace(narrowed, state=state, place=None, backwards=False)
    if state == "stored":
        counted = bounded_queries.in_time(lambda: _counted(there), TOTALS_MS_MAX)
        return None if counted is None else counted.rows
    try:
        found = bounded_queries.in_time(lambda: page(there), TOTALS_MS_MAX)
    except redis.RedisError:
        return None
    return None if found is None or found.totals is None else found.totals.count


def _spans(wanted: Wanted) -> list[TimeSpan]:
    """The time that is wanted, cut at its gaps."""
    spans, start = [], max(wanted.since or ALL_TIME.since, ALL_TIME.since)
    end = min(wanted.until or ALL_TIME.until, ALL_TIME.until)
    for gap_start, gap_end in wanted.gaps:
        spans.append(TimeSpan(start, gap_start))
        start = gap_end
    return [span for span in [*spans, TimeSpan(start, end)] if span.since < span.until]


def _counted(narrowed: Narrowed) -> StatusSums:
    """Those that are wanted, COUNTED_MAX + 1 of them at most."""
    found = stored(narrowed).order_by().values_list("status", "amount")[: COUNTED_MAX + 1]
    sql, parameters = found.query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT status, count(*), sum(amount) FROM ({sql}) counted GROUP BY status", parameters
        )
        return StatusSums({status: Sum(int(count), int(total)) for status, count, total in cursor.fetchall()})


def _estimate(narrowed: Narrowed) -> int:
    """How many rows PostgreSQL itself expects."""
    sql, parameters = stored(narrowed).order_by().values("id").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", parameters)
        (plan,) = cursor.fetchone()
    return int((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]["Plan Rows"])
