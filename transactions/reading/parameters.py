"""What a reader may ask for: the parameters of a query string, each checked.

A known parameter that is left empty counts as not given. A bad one is a 400 that names it, and so is an
unknown one, whatever its value.
"""

import re
from collections.abc import Collection, Mapping
from datetime import UTC, date, datetime
from functools import cache
from typing import Any, TypeVar

from django.contrib.auth import get_user_model
from django.http import QueryDict
from rest_framework import serializers
from rest_framework.utils.serializer_helpers import BindingDict

from .. import money, names
from ..audit.actors import checked_reason
from ..audit.models import REASON_MAX
from ..fields import MOMENT, UserField
from ..models import AMOUNT_MAX
from ..timezones import zone_names

Asked = TypeVar("Asked")

_DIGITS = re.compile(r"[0-9]+", re.ASCII)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


class Parameters(serializers.Serializer[Asked]):
    """The parameters of one call, of this very class none. Of one given twice neither is preferred: 400."""

    @property
    def fields(self) -> BindingDict:
        """Made once for each class, since to make them takes longer than to check what is asked. A field
        keeps nothing of a question, and knows no serializer but the first.
        """
        return _fields_of(type(self))

    def to_internal_value(self, data: QueryDict) -> Any:
        twice = [name for name in data if len(data.getlist(name)) > 1]
        if wrong := self.faults(data, twice):
            raise serializers.ValidationError(wrong)
        return super().to_internal_value(data)

    def faults(self, given: QueryDict, twice: Collection[str]) -> dict[str, list[str]]:
        """What is wrong with names that are given, by name; those of `twice` stand there more than once."""
        return names.faults("parameter", given, self.fields.keys(), twice)


@cache
def _fields_of(kind: type[Parameters[Any]]) -> BindingDict:
    first = kind()
    fields = BindingDict(first)
    for name, field in first.get_fields().items():
        fields[name] = field
    return fields


class TextField(serializers.Field[str, str, str, Any]):
    """Text as it stands."""

    def to_internal_value(self, data: str) -> str:
        return data


class ShownAmountField(serializers.Field[int, str, str, Any]):
    """An amount in the address of a page, in the smallest unit; without a currency also as pages write it,
    1,200,000. With one the page's form has fields of its own. What is wrong is told to who reads the page.
    """

    default_error_messages = {
        "invalid": "This is no amount. Type it here, as in {typed}: in the address that is {plain}.",
        "max_value": "An amount is at most {most}.",
    }

    def to_internal_value(self, data: str) -> int:
        if money.code() is None:
            try:
                return money.parse(data)
            except money.NotMoneyError as error:
                raise serializers.ValidationError(str(error)) from None
        if not _DIGITS.fullmatch(data):
            typed = money.example()
            self.fail("invalid", typed=typed, plain=money.parse(typed))
        if len(data) > money.CHARACTERS_MAX or int(data) > AMOUNT_MAX:
            self.fail("max_value", most=money.text(AMOUNT_MAX))
        return int(data)


class SwitchField(serializers.Field[bool, str, str, Any]):
    """true or false, in these words; left empty it is neither."""

    default_error_messages = {"invalid": 'Must be "true" or "false".'}

    def get_value(self, dictionary: Mapping[str, Any]) -> Any:
        return dictionary.get(self.field_name or "", serializers.empty)

    def to_internal_value(self, data: str) -> bool:
        if data not in ("true", "false"):
            self.fail("invalid")
        return data == "true"


class BatchParameters(Parameters[Any]):
    """`atomic`: whether a posted batch is all or none."""

    atomic = SwitchField(default=False)


class DeletionParameters(Parameters[Any]):
    """`reason`: why everything is deleted."""

    reason = serializers.CharField(max_length=REASON_MAX, allow_blank=True, required=False)

    def validate_reason(self, given: str) -> str:
        try:
            return checked_reason(given)
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from None


class KnownUserField(UserField):
    """The key of a user there is."""

    def to_internal_value(self, data: Any) -> int:
        key = super().to_internal_value(data)
        if not get_user_model()._default_manager.filter(pk=key).exists():
            self.fail("does_not_exist", pk=key)
        return key


class DayField(serializers.Field[date, str, str, Any]):
    """A date, YYYY-MM-DD."""

    default_error_messages = {"invalid": "Expected a date, as in 2026-01-31."}

    def to_internal_value(self, data: str) -> date:
        try:
            return _day(data)
        except ValueError:
            self.fail("invalid")


class DayOrMomentField(serializers.Field[date, str, str, Any]):
    """A date, YYYY-MM-DD, or a moment as it is posted, with an offset, which becomes one of UTC."""

    default_error_messages = {
        "invalid": "Expected a date or a moment with an offset, as in 2026-01-31 or 2026-01-31T23:59:59Z.",
    }

    def to_internal_value(self, data: str) -> date | datetime:
        try:
            if _DAY.fullmatch(data):
                return _day(data)
            return _moment(data)
        except (ValueError, OverflowError):
            self.fail("invalid")


class ZoneField(serializers.Field[str, str, str, Any]):
    """The name of a time zone, in IANA's spelling."""

    default_error_messages = {"invalid": "No such time zone. Expected a name as in Europe/London or UTC."}

    def to_internal_value(self, data: str) -> str:
        # A plus sign that was not encoded arrives as a space, which no zone has in its name. In a body there
        # may be what is no text.
        name = data.replace(" ", "+") if isinstance(data, str) else None
        if name is None or name not in zone_names():
            self.fail("invalid")
        return name


def _day(text: str) -> date:
    if not _DAY.fullmatch(text):
        raise ValueError(text)
    return date.fromisoformat(text)


def _moment(text: str) -> datetime:
    # A plus sign that was not encoded arrives as a space.
    text = re.sub(r"(?<=[0-9]) (?=[0-9:]+$)", "+", text) if "T" in text else text
    moment = datetime.fromisoformat(text) if MOMENT.fullmatch(text) else None
    if moment is None or moment.tzinfo is None:
        raise ValueError(text)
    return moment.astimezone(UTC)
