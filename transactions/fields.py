"""The fields that bodies and parameters of several rooms have, each with its form and what it refuses."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, lru_cache
from typing import Any, NoReturn

from django.conf import settings
from django.utils import timezone
from rest_framework import serializers
from rest_framework.utils.serializer_helpers import BindingDict

from . import money, names

# How far ahead of our clock a client's may be.
AHEAD_MINUTES_MAX = 5
AHEAD_MAX = timedelta(minutes=AHEAD_MINUTES_MAX)
# The keys of Django's users are 32 bits wide.
USER_MAX = 2**31 - 1

# ISO 8601 as the refusal says it, in the one form that has a single reading: no week dates, no commas, no
# 24:00. What has no offset is told of that. Python's own reader takes more, and more with each version.
MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"([T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,9})?)?"
    r"(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9])?)?)?",
    re.ASCII,
)

# A user's key as files have it: also with noughts in front, and as programs write it into a table that reckon
# with numbers alone, 13085.0.
_USER_KEY = re.compile(r"0*([1-9][0-9]{0,9})(?:\.0*)?", re.ASCII)

_TOO_FINE = re.compile(r"(?<=\.[0-9]{9})[0-9]+")

_DIGITS = re.compile(r"[0-9]+", re.ASCII)


class FieldsMadeOnce(serializers.Serializer[Any]):
    """A serializer whose fields are made once for each class, which takes longer than to check what came.

    They keep nothing of what they check, and know no serializer but the first: none looks at its context.
    """

    @property
    def fields(self) -> BindingDict:
        return _fields_of(type(self))


@cache
def _fields_of(kind: type[FieldsMadeOnce]) -> BindingDict:
    first = kind()
    fields = BindingDict(first)
    for name, field in first.get_fields().items():
        fields[name] = field
    return fields


def user_key(text: str) -> int | None:
    """The user's key that a text of a file says; None for what is none, from 1 to USER_MAX."""
    found = _USER_KEY.fullmatch(text)
    return int(found[1]) if found and int(found[1]) <= USER_MAX else None


class NegativeZero(int):
    """-0 in JSON, which as an integer is no other than 0, and as somebody's id is."""


class WholeField(serializers.IntegerField):
    """A whole number: an integer, or a string of ASCII digits. true, 12.0, "12.00", 1e3 and " 7" are none.

    A number with a decimal point is never rounded: it may be meant in another unit, or a thousand.
    """

    default_error_messages = {"invalid": "Expected an integer, or a string of digits."}

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, str):
            if not _DIGITS.fullmatch(data[: self.MAX_STRING_LENGTH]):
                self.fail("invalid")
        elif isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return super().to_internal_value(data)


class AmountField(WholeField):
    """Money, in the smallest unit."""

    default_error_messages = {
        "invalid": "Expected an integer, or a string of digits: the amount in the smallest unit, without a "
        "decimal point.",
    }


class CurrencyField(serializers.Field[str, Any, str, Any]):
    """The currency of an amount, for a client that wants to be sure: the deployment's own, and no other."""

    default_error_messages = {
        "none": "No currency is set here (CURRENCY): amounts are numbers of its smallest unit, whatever it "
        "is. Leave this out.",
        "other": "Amounts here are in {code}, as it is spelled, and in nothing else.",
    }

    def to_internal_value(self, data: Any) -> str:
        code = money.code()
        if code is None:
            self.fail("none")
        if data != code:
            self.fail("other", code=code)
        return code


class UserField(WholeField):
    """The key of a user; whether there is one is asked for a whole group at once, in `intake.ingest`."""

    default_error_messages = {
        "invalid": "Incorrect type. Expected the key of a user, an integer or a string of digits.",
        "does_not_exist": 'The user "{pk}" does not exist.',
    }

    def to_internal_value(self, data: Any) -> int:
        key = super().to_internal_value(data)
        if not 0 < key <= USER_MAX:
            self.fail("does_not_exist", pk=names.shortened(str(key), 30))
        return key


class IdField(serializers.CharField):
    """A client's own name for a transaction: a string, or an integer, which is read as its digits.

    A number with a decimal point is none, nor is -0: these have more than one spelling.
    """

    def to_internal_value(self, data: Any) -> str:
        if isinstance(data, float | NegativeZero):
            self.fail("invalid")
        return super().to_internal_value(data)


class StatusField(serializers.ChoiceField):
    """One of Status, in capitals."""

    def fail(self, key: str, **told: Any) -> NoReturn:
        super().fail(key, **{name: names.shortened(str(text)) for name, text in told.items()})


class MomentField(serializers.DateTimeField):
    """ISO 8601 as MOMENT has it, with an offset, as UTC: without one it is another moment to everybody."""

    default_error_messages = {
        "naive": "A date and time needs an offset, as in 2026-01-31T23:59:59Z or 2026-01-31T23:59:59+03:30.",
        "ahead": "This is {seconds:,} seconds ahead of the server's clock, and at most {most:,} are taken: "
        "set your clock, or send the same again in {wait:,} seconds.",
        "fine": "A second has at most nine digits after its point.",
        "early": "This is before {earliest}, and nothing earlier is taken (EARLIEST_CREATED_AT).",
    }

    def to_internal_value(self, value: Any) -> datetime:
        # Django would read the digits of other scripts too, and pass over a line's end.
        well = isinstance(value, str) and MOMENT.fullmatch(value)
        if isinstance(value, str) and not well and MOMENT.fullmatch(_TOO_FINE.sub("", value)):
            self.fail("fine")
        return super().to_internal_value(value if well else "")

    def enforce_timezone(self, value: datetime) -> datetime:
        if timezone.is_naive(value):
            self.fail("naive")
        try:
            moment = value.astimezone(UTC)
        except OverflowError:
            self.fail("overflow")
        if moment < earliest(settings.EARLIEST_CREATED_AT):
            self.fail("early", earliest=settings.EARLIEST_CREATED_AT.isoformat())
        ahead = moment - timezone.now()
        if ahead > AHEAD_MAX:
            wait_s = int((ahead - AHEAD_MAX).total_seconds()) + 1
            most_s = int(AHEAD_MAX.total_seconds())
            self.fail("ahead", seconds=round(ahead.total_seconds()), most=most_s, wait=wait_s)
        return moment


class InstantField(MomentField):
    """A moment, however far ahead; see MomentField for its form."""

    def enforce_timezone(self, value: datetime) -> datetime:
        if timezone.is_naive(value):
            self.fail("naive")
        try:
            return value.astimezone(UTC)
        except OverflowError:
            self.fail("overflow")


@lru_cache(maxsize=8)
def earliest(day: date) -> datetime:
    """The moment at which a day of UTC begins."""
    return datetime.combine(day, time.min, UTC)


class SaidField(serializers.Field[str, Any, str, Any]):
    """Text that a function checks, which raises ValueError with a sentence."""

    def __init__(self, check: Callable[[Any], str], **more: Any) -> None:
        super().__init__(**more)
        self._check = check

    def to_internal_value(self, data: Any) -> str:
        try:
            return self._check(data)
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from None


class PlacedListField(serializers.ListField):
    """A list; what is wrong is told with the place in it."""

    def to_internal_value(self, data: Any) -> list[Any]:
        try:
            return super().to_internal_value(data)
        except serializers.ValidationError as error:
            if not isinstance(error.detail, dict):
                raise
            wrong: list[Any] = list(error.detail.items())[: names.TOLD_MAX]
            raise serializers.ValidationError(
                [f"{place}: {_first_fault(told)}" for place, told in wrong]
            ) from None


def _first_fault(told: Any) -> str:
    """The first thing that is wrong with an item, with the name of its field."""
    if not isinstance(told, dict):
        return str(told[0])
    name, wrong = next(iter(told.items()))
    return str(wrong[0]) if name == "non_field_errors" else f"{name}: {wrong[0]}"


# What is said where only PostgreSQL could tell that there is no such user; `pk` is to be filled in.
NO_USER = UserField.default_error_messages["does_not_exist"]
