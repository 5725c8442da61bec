"""What the URL of the staff's list of transactions may ask, checked."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.http import QueryDict
from django.utils import timezone
from rest_framework import serializers

from ..models import AMOUNT_MAX, TRANSACTION_ID_CHARACTERS_MAX
from . import customers, part_indexes
from .listing import ListParameters, Wanted
from .paging import PlaceField
from .parameters import DayOrMomentField, KnownUserField, ShownAmountField, ZoneField
from .search import INDEXED

# The name of its pages, for which their cursors are signed.
PAGES = "transactions.narrowed"
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

    `place` is where the page before ended: the values of the order's fields there; `backwards` where the page
    after begins. Moments of the page are in `zone`.
    """

    wanted: Wanted
    part: str = ""
    state: str = "stored"
    order: str = "newest"
    zone: str = "UTC"
    place: tuple[Any, ...] | None = None
    backwards: bool = False


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
            "before": PlaceField(PAGES),
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
        for name in ("cursor", "before"):
            if name in attrs and attrs[name][0] != attrs["order"]:
                raise serializers.ValidationError({name: ["This is a cursor of another order."]})
        if "cursor" in attrs and "before" in attrs:
            raise serializers.ValidationError({"before": ["Give `cursor` or `before`, not both."]})
        return {**super().validate(attrs), "zone": zone}

    def narrowed(self) -> Narrowed:
        """What was asked; only after is_valid()."""
        asked: dict[str, Any] = dict(self.validated_data)
        order, zone = asked.pop("order"), asked.pop("zone")
        part, state = asked.pop("q", ""), asked.pop("state")
        cursor, before = asked.pop("cursor", None), asked.pop("before", None)
        end = before or cursor
        place = None if end is None else tuple(map(_from_text, ORDERS[order][0], end[1:]))
        return Narrowed(Wanted(**asked), part, state, order, zone, place, before is not None)


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
