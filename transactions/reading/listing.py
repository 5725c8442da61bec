"""The list of transactions, newest first, page by page.

A page begins where the one before ended, in (created_at, id), which no row ever changes: rows that
arrive meanwhile neither repeat a row nor hide one. One that arrives with an earlier `created_at`
than the pages already read is among them as if it had always been there, and so not read.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from rest_framework import serializers

from ..fields import AmountField
from ..models import AMOUNT_MAX, TRANSACTION_ID_CHARACTERS_MAX, Status
from ..stores.standby_reads import reading
from ..tables import TRANSACTIONS
from . import detail
from .days import span_of_days
from .paging import LIMIT_DEFAULT, Page, PlaceField, cursor_of, limit, page_of
from .parameters import DayOrMomentField, KnownUserField, Parameters, ZoneField

# The name of its pages, for which their cursors are signed.
PAGES = "transactions.listing"

# Purpose: one page, by the index transaction_by_time; of a status that is rare by transaction_by_status, of
# one user by transaction_by_user_amount.
SELECT_PAGE = f"""
    SELECT {detail.COLUMNS}
      FROM {TRANSACTIONS}
     WHERE {{conditions}}
     ORDER BY created_at DESC, id DESC
     LIMIT %(rows)s
"""
# Rows are compared with the position as a whole, so that the index begins there however many share
# its moment.
CONDITIONS = {
    "user": "user_id = %(user)s",
    "status": "status = %(status)s",
    "amount_min": "amount >= %(amount_min)s",
    "amount_max": "amount <= %(amount_max)s",
    "since": "created_at >= %(since)s",
    "until": "created_at < %(until)s",
    "after": "(created_at, id) < %(after)s",
}

# A status of the staff's list alone: those of which it is known how they went, which a success rate counts.
SETTLED = "SETTLED"

GAP = "NOT (created_at >= %(start_{number})s AND created_at < %(end_{number})s)"


class Position(NamedTuple):
    """Where a page ended: at the row of this `created_at` and primary key."""

    moment: datetime
    id: int

    def cursor(self) -> str:
        """The position as clients hand it back to us."""
        return cursor_of(PAGES, [self.moment.isoformat(), self.id])


def _position(place: list[Any]) -> Position:
    moment, id = place
    return Position(datetime.fromisoformat(moment), id)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which transactions: bounds are included, except `until`. None: any."""

    transaction_id: str | None = None
    user: int | None = None
    status: str | None = None
    amount_min: int | None = None
    amount_max: int | None = None
    since: datetime | None = None
    until: datetime | None = None
    # Between `since` and `until`, what is not wanted: moments of another day, from until before.
    gaps: tuple[tuple[datetime, datetime], ...] = ()
    after: Position | None = None
    limit: int = LIMIT_DEFAULT

    def parameters(self) -> dict[str, Any]:
        """What is wanted, by the names of CONDITIONS, without what may be any."""
        given = {name: getattr(self, name) for name in CONDITIONS}
        return {name: value for name, value in given.items() if value is not None}

    @property
    def statuses(self) -> tuple[str, ...]:
        """The statuses that are wanted; () where any is."""
        if self.status == SETTLED:
            return (Status.SUCCESS.value, Status.FAILED.value)
        return () if self.status is None else (self.status,)

    def takes(self, shown: dict[str, Any]) -> bool:
        """Whether a transaction as the API shows it is wanted, wherever pages begin."""
        moment = shown["created_at"]
        return (
            self.transaction_id in (None, shown["transaction_id"])
            and self.user in (None, shown["user"])
            and (not self.statuses or shown["status"] in self.statuses)
            and (self.amount_min is None or self.amount_min <= shown["amount"])
            and (self.amount_max is None or shown["amount"] <= self.amount_max)
            and (self.since is None or self.since <= moment)
            and (self.until is None or moment < self.until)
            and not any(start <= moment < end for start, end in self.gaps)
        )


class ListParameters(Parameters[Wanted]):
    """What a client may ask of the list; none of it is needed.

    `from` and `to` are about `created_at`. A date is a day of `timezone`, and both days are included. A
    moment given as `from` is included, one given as `to` is not, so that ranges of moments that
    meet share no row.
    """

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {
            "transaction_id": serializers.CharField(
                max_length=TRANSACTION_ID_CHARACTERS_MAX, trim_whitespace=False, required=False
            ),
            "user": KnownUserField(required=False),
            "status": serializers.ChoiceField(choices=Status.choices, required=False),
            "amount_min": AmountField(min_value=0, max_value=AMOUNT_MAX, required=False),
            "amount_max": AmountField(min_value=0, max_value=AMOUNT_MAX, required=False),
            "from": DayOrMomentField(required=False),
            "to": DayOrMomentField(required=False),
            "timezone": ZoneField(default="UTC"),
            "cursor": PlaceField(PAGES),
            "limit": limit(),
        }

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        first, last = attrs.pop("from", None), attrs.pop("to", None)
        days = span_of_days(ZoneInfo(attrs.pop("timezone")), _day(first), _day(last))
        since = attrs["since"] = first if isinstance(first, datetime) else days.start
        until = attrs["until"] = last if isinstance(last, datetime) else days.end
        attrs["gaps"] = days.gaps
        if _day(first) and _day(last):
            backwards = last < first  # Of the moments, a day that the zone skipped has none.
        else:
            # A range of moments may be empty; no day ends where it begins.
            empty = until == since and not isinstance(last, datetime)
            backwards = since and until and (until < since or empty)
        if backwards:
            raise serializers.ValidationError({"to": ["This is before `from`."]})
        if attrs.get("amount_max", AMOUNT_MAX) < attrs.get("amount_min", 0):
            raise serializers.ValidationError({"amount_max": ["This is less than `amount_min`."]})
        return attrs

    def wanted(self) -> Wanted:
        """What was asked; only after is_valid()."""
        asked: dict[str, Any] = dict(self.validated_data)
        place = asked.pop("cursor", None)
        return Wanted(after=None if place is None else _position(place), **asked)


def _day(bound: date | datetime | None) -> date | None:
    return None if isinstance(bound, datetime) else bound


def page(wanted: Wanted) -> Page:
    """One page of the transactions that are wanted.

    Stored ones; one asked for by its id is found wherever it is. Raises django.db.Error, and for an
    id redis.RedisError.
    """
    if wanted.transaction_id is not None:
        found = detail.find(wanted.transaction_id)
        return Page([found] if found is not None and wanted.takes(found) else [])
    parameters = wanted.parameters()
    conditions = [CONDITIONS[name] for name in parameters]
    for number, (start, end) in enumerate(wanted.gaps):
        conditions.append(GAP.format(number=number))
        parameters |= {f"start_{number}": start, f"end_{number}": end}
    parameters["rows"] = wanted.limit + 1
    with reading().cursor() as cursor:
        cursor.execute(SELECT_PAGE.format(conditions=" AND ".join(conditions) or "true"), parameters)
        # Without models: making those takes as long as all else.
        rows = list(map(detail.row_as_dict, cursor.fetchall()))
    return page_of(rows, wanted.limit, lambda row: row, _place_after)


def _place_after(row: dict[str, Any]) -> str:
    return Position(row["created_at"], row["id"]).cursor()
