"""The staff's list of transactions: narrowed, in an order, page by page without an end, counted and summed.

A page begins where the one before ended, at a row's place. What is counted is bounded: beyond COUNTED_MAX
rows, or TOTALS_MS_MAX, the rollups or PostgreSQL's own statistics say about how many there are.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from datetime import date, datetime
from fractions import Fraction
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import redis
from django.db.models import BooleanField, F, Func, Q, QuerySet, Value
from django.http import QueryDict
from django.utils import timezone
from rest_framework import serializers

from ..models import AMOUNT_MAX, TRANSACTION_ID_CHARACTERS_MAX, Transaction
from ..stores import bounded_queries
from ..stores.standby_reads import reading
from . import customers, detail, part_indexes, sums
from .detail import UNSTORED_LOOKED_AT_MAX
from .listing import ListParameters, Wanted
from .paging import PlaceField, cursor_of, one_page
from .parameters import DayOrMomentField, KnownUserField, ShownAmountField, ZoneField
from .search import INDEXED, literal
from .spans import ALL_TIME, TimeSpan
from .sums import StatusSums, Sum

# The name of its pages, for which their cursors are signed.
PAGES = "transactions.narrowed"
ROWS = 100
COUNTED_MAX = 10_000
TOTALS_MS_MAX = 150
IN_ORDER_MS_MAX = 100
STATES = {"stored": "stored", "waiting": "waiting to be stored", "rejected": "rejected"}
# The fields that an order goes by, and whether downwards. Each is that of an index.
ORDERS = {
    "newest": (("created_at", "id"), True),
    "oldest": (("created_at", "id"), False),
    "largest": (("amount", "created_at", "id"), True),
    "smallest": (("amount", "created_at", "id"), False),
}
LOCAL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(?::[0-9]{2})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Narrowed:
    """Which transactions are wanted, in which order, as far as the staff may say it.

    `place` is where the page before ended: the values of the order's fields there. Moments of the page are in
    `zone`.
    """

    wanted: Wanted
    part: str = ""
    state: str = "stored"
    order: str = "newest"
    zone: str = "UTC"
    place: tuple[Any, ...] | None = None


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
    """A page, as the API shows transactions, and the cursor of the next one.

    What is not stored has one page, and its totals with it.
    """

    rows: list[dict[str, Any]]
    cursor: str | None = None
    totals: Sums | None = None


class CustomerField(KnownUserField):
    """A customer by number, or by their whole name."""

    default_error_messages = {
        "invalid": "There is no customer of this name or number.",
        "does_not_exist": "There is no customer of this name or number.",
    }

    def to_internal_value(self, data: Any) -> int:
        text = str(data).strip()
        try:
            return super().to_internal_value(text)
        except serializers.ValidationError:
            key = customers.key_of(text)
            if key is None:
                raise
            return key


class LocalMomentField(DayOrMomentField):
    """A day, or a moment; without an offset, as browsers' fields have it, it is one of the zone."""

    default_error_messages = {
        "invalid": "Expected a date or a time to the minute, as in 2026-01-31 or 2026-01-31T23:59.",
    }

    def to_internal_value(self, data: str) -> date | datetime:
        if not LOCAL.fullmatch(data):
            return super().to_internal_value(data)
        try:
            return datetime.fromisoformat(data)
        except ValueError:
            self.fail("invalid")


class NarrowParameters(ListParameters):
    """What the page's URL may say; none of it is needed. `q`: a part of the id."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        fields = super().get_fields()
        del fields["transaction_id"], fields["limit"]
        return {
            "q": serializers.CharField(max_length=TRANSACTION_ID_CHARACTERS_MAX, required=False),
            "state": serializers.ChoiceField(choices=list(STATES), default="stored"),
            "order": serializers.ChoiceField(choices=list(ORDERS), default="newest"),
            **fields,
            "user": CustomerField(required=False),
            "amount_min": ShownAmountField(min_value=0, max_value=AMOUNT_MAX, required=False),
            "amount_max": ShownAmountField(min_value=0, max_value=AMOUNT_MAX, required=False),
            "from": LocalMomentField(required=False),
            "to": LocalMomentField(required=False),
            # Where the URL says nothing, moments are in the zone in which the page is made.
            "timezone": ZoneField(default=timezone.get_current_timezone_name),
            "cursor": PlaceField(PAGES),
        }

    def to_internal_value(self, data: QueryDict) -> Any:
        """As elsewhere; but a page tells all that is wrong at once, values beside names."""
        try:
            return super().to_internal_value(data)
        except serializers.ValidationError as error:
            told: dict[str, Any] = dict(error.detail)  # type: ignore[arg-type]
            rest = data.copy()
            for name in told:
                rest.pop(name, None)
            try:
                super().to_internal_value(rest)
            except serializers.ValidationError as more:
                told |= dict(more.detail)  # type: ignore[arg-type]
            raise serializers.ValidationError(told) from None

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        zone = attrs["timezone"]
        for name in ("from", "to"):
            if isinstance(moment := attrs.get(name), datetime) and moment.tzinfo is None:
                attrs[name] = _in_zone(name, moment, ZoneInfo(zone))
        part = attrs.get("q", "")
        if part and not _in_other_letters(part) and part_indexes.present() and not INDEXED.search(part):
            raise serializers.ValidationError({"q": ["Give three letters or digits in a row, or more."]})
        if "cursor" in attrs and attrs["cursor"][0] != attrs["order"]:
            raise serializers.ValidationError({"cursor": ["This is a cursor of another order."]})
        return {**super().validate(attrs), "zone": zone}

    def narrowed(self) -> Narrowed:
        """What was asked; only after is_valid()."""
        asked: dict[str, Any] = dict(self.validated_data)
        order, zone = asked.pop("order"), asked.pop("zone")
        part, state = asked.pop("q", ""), asked.pop("state")
        cursor = asked.pop("cursor", None)
        place = None if cursor is None else tuple(map(_from_text, ORDERS[order][0], cursor[1:]))
        return Narrowed(Wanted(**asked), part, state, order, zone, place)


def _in_other_letters(part: str) -> bool:
    """Whether it has letters that no index of parts knows: of such ids the beginning is looked for."""
    return any(letter.isalpha() and not letter.isascii() for letter in part)


def _in_zone(name: str, moment: datetime, zone: ZoneInfo) -> datetime:
    try:
        return moment.replace(tzinfo=zone).astimezone(ZoneInfo("UTC"))
    except OverflowError:
        raise serializers.ValidationError({name: ["There is no such moment."]}) from None


def _from_text(field: str, value: Any) -> Any:
    return datetime.fromisoformat(value) if field == "created_at" else value


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
    rows = stored(narrowed)
    fields, downwards = ORDERS[narrowed.order]
    if narrowed.place is not None:
        rows = rows.filter(
            _comparison(
                _together(*map(F, fields)), "<" if downwards else ">", _together(*map(Value, narrowed.place))
            )
        )
    found = None
    if narrowed.part and _estimate(narrowed) > COUNTED_MAX:
        found = bounded_queries.in_time(lambda: _in_order(rows), IN_ORDER_MS_MAX)
    if found is None:
        with bounded_queries.bounded():
            found = list(rows[: ROWS + 1])
    shown, cursor = one_page(found, ROWS, lambda last: _cursor(last, narrowed.order))
    return Rows([detail.stored_as_dict(row) for row in shown], cursor)


def _cursor(last: Transaction, order: str) -> str:
    place = [getattr(last, name) for name in ORDERS[order][0]]
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
    with reading().cursor() as cursor:
        cursor.execute("SELECT set_config('enable_bitmapscan', 'off', true)")
    return list(rows[: ROWS + 1])


def _waiting(narrowed: Narrowed) -> Rows:
    return _taken(narrowed, detail.newest_unstored(UNSTORED_LOOKED_AT_MAX))


def _rejected(narrowed: Narrowed) -> Rows:
    with bounded_queries.bounded():
        return _taken(narrowed, detail.open_refusals(UNSTORED_LOOKED_AT_MAX))


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
    there = replace(narrowed, state=state, place=None)
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
    with reading().cursor() as cursor:
        cursor.execute(
            f"SELECT status, count(*), sum(amount) FROM ({sql}) counted GROUP BY status", parameters
        )
        return StatusSums({status: Sum(int(count), int(total)) for status, count, total in cursor.fetchall()})


def _estimate(narrowed: Narrowed) -> int:
    """How many rows PostgreSQL itself expects."""
    sql, parameters = stored(narrowed).order_by().values("id").query.sql_with_params()
    with reading().cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", parameters)
        (plan,) = cursor.fetchone()
    return int((json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]["Plan Rows"])
