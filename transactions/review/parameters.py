"""What may be asked of alerts, snoozes, and how rules perform."""

from datetime import datetime, time, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone
from rest_framework import serializers

from ..alerts.models import AlertState, Disposition
from ..encodings import is_text
from ..fields import WholeField
from ..reading.narrow_parameters import CustomerField
from ..reading.paging import PlaceField, limit
from ..reading.parameters import DayOrMomentField, KnownUserField, Parameters, SwitchField
from ..severity import Severity

KEY_MAX = 2**63 - 1
# The days over which rules are compared.
SPANS = (7, 30, 90)
RULES_DEFAULT, RULES_MAX = 50, 100
ORDERS = ("newest", "due", "urgent")
# Orders of what is not closed alone.
OF_WHAT_IS_OPEN = ("due", "urgent")


class AccountField(serializers.Field[User, str, str, Any]):
    """The name of an account there is."""

    default_error_messages = {"unknown": "There is no such account."}

    def to_internal_value(self, data: Any) -> User:
        known = isinstance(data, str) and len(data) <= 150 and is_text(data)
        found = User.objects.filter(username=data).first() if known else None
        if found is None:
            self.fail("unknown")
        return found


class AlertParameters(Parameters[Any]):
    """Which alerts, in which order. `mine`, `unassigned` and `assignee` say whose: one of them at most.

    The place at which a page begins belongs to an order.
    """

    state = serializers.ChoiceField(choices=AlertState.values, required=False)
    closed = SwitchField(required=False)
    mine = SwitchField(required=False)
    unassigned = SwitchField(required=False)
    assignee = AccountField(required=False)
    overdue = SwitchField(required=False)
    severity = serializers.ChoiceField(choices=Severity.values, required=False)
    rule = WholeField(min_value=1, max_value=KEY_MAX, required=False)
    user = KnownUserField(required=False)
    disposition = serializers.ChoiceField(choices=Disposition.values, required=False)
    order = serializers.ChoiceField(choices=ORDERS, default="newest")
    cursor = PlaceField("alerts")
    limit = limit()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        opened = {name: DayOrMomentField(required=False) for name in ("from", "to")}
        return {**super().get_fields(), **opened}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        whose = [name for name in ("mine", "unassigned", "assignee") if name in attrs]
        if len(whose) > 1:
            told = f"Give one of {', '.join(whose)}."
            raise serializers.ValidationError({name: [told] for name in whose[1:]})
        if attrs["order"] in OF_WHAT_IS_OPEN and (
            attrs.get("state") == AlertState.CLOSED or attrs.get("closed")
        ):
            raise serializers.ValidationError({"order": ["What is closed is due no more: order by newest."]})
        for name in ("cursor", "before"):
            if name in attrs and attrs[name][0] != attrs["order"]:
                raise serializers.ValidationError({name: ["This is a cursor of another order."]})
        for name, days in (("from", 0), ("to", 1)):
            if name in attrs:
                attrs[name] = self._moment(name, attrs[name], days)
        return attrs

    @staticmethod
    def _moment(name: str, given: Any, days: int) -> datetime:
        """A day, of UTC or of who looks at a page, stands for its beginning; as an end for the next."""
        if isinstance(given, datetime):
            return given
        try:
            return datetime.combine(given + timedelta(days=days), time.min, timezone.get_current_timezone())
        except OverflowError:
            raise serializers.ValidationError({name: ["There is no day after it."]}) from None


class QueueParameters(AlertParameters):
    """The same of a page of the admin: from it somebody goes back too, and customers have names."""

    user = CustomerField(required=False)
    before = PlaceField("alerts")


class SnoozeParameters(Parameters[Any]):
    """Which snoozes; `in_force`: those that have not ended, or those that have."""

    in_force = SwitchField(required=False)
    rule = WholeField(min_value=1, max_value=KEY_MAX, required=False)
    user = KnownUserField(required=False)
    cursor = PlaceField("snoozes")
    limit = limit()


class SnoozedParameters(SnoozeParameters):
    """The same of a page of the admin, from which somebody goes back too."""

    before = PlaceField("snoozes")


class PerformanceParameters(Parameters[Any]):
    """Of which rules, over how many days."""

    days = serializers.ChoiceField(choices=[str(days) for days in SPANS], default="30")
    rule = WholeField(min_value=1, max_value=KEY_MAX, required=False)
    cursor = PlaceField("performance")
    limit = WholeField(min_value=1, max_value=RULES_MAX, default=RULES_DEFAULT)
