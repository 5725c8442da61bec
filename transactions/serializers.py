"""What a posted record may be. The serializer's word is final wherever a record is looked at."""

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone
from rest_framework import serializers

from .models import AMOUNT_MAX, TRANSACTION_ID_CHARACTERS_MAX, Status
from .queue.records import Record

# How far ahead of our clock a client's may be.
AHEAD_MINUTES_MAX = 5
AHEAD_MAX = timedelta(minutes=AHEAD_MINUTES_MAX)
# The keys of Django's users are 32 bits wide.
USER_MAX = 2**31 - 1

_WHOLE = re.compile(r"-?[0-9]+(\.0*)?", re.ASCII)


class WholeField(serializers.IntegerField):
    """A whole number, also as a string of digits; true, 1.5, "1_000" and " 7" are none."""

    def to_internal_value(self, data: Any) -> int:
        if isinstance(data, bool) or not _WHOLE.fullmatch(str(data)[: self.MAX_STRING_LENGTH]):
            self.fail("invalid")
        return super().to_internal_value(data)


class UserField(WholeField):
    """The key of a user; whether there is one is asked for a whole group at once, in `intake.ingest`."""

    default_error_messages = {
        "invalid": "Incorrect type. Expected the key of a user, a whole number.",
        "does_not_exist": 'Invalid pk "{pk}" - object does not exist.',
    }

    def to_internal_value(self, data: Any) -> int:
        key = super().to_internal_value(data)
        if not 0 < key <= USER_MAX:
            self.fail("does_not_exist", pk=key)
        return key


class MomentField(serializers.DateTimeField):
    """ISO 8601 with an offset, as UTC: a date without one means another moment to everybody."""

    default_error_messages = {
        "naive": "A date and time needs an offset, as in 2026-01-31T23:59:59Z or 2026-01-31T23:59:59+03:30.",
        "ahead": f"This is more than {AHEAD_MINUTES_MAX} minutes ahead of the server's clock.",
    }

    def enforce_timezone(self, value: datetime) -> datetime:
        if timezone.is_naive(value):
            self.fail("naive")
        try:
            moment = value.astimezone(UTC)
        except OverflowError:
            self.fail("overflow")
        if moment > timezone.now() + AHEAD_MAX:
            self.fail("ahead")
        return moment


def _visible(value: str) -> None:
    """transaction_id: no control characters, no white space at either end."""
    if any(unicodedata.category(character) == "Cc" for character in value):
        raise serializers.ValidationError("Control characters are not allowed.")
    if value != value.strip():
        raise serializers.ValidationError("White space at either end is not allowed.")


class RecordSerializer(serializers.Serializer[Record]):
    """One transaction as a client posts it."""

    transaction_id = serializers.CharField(
        max_length=TRANSACTION_ID_CHARACTERS_MAX, trim_whitespace=False, validators=[_visible]
    )
    user = UserField()
    amount = WholeField(min_value=0, max_value=AMOUNT_MAX)
    status = serializers.ChoiceField(choices=Status.choices, default=Status.PENDING)
    created_at = MomentField(required=False, allow_null=True, input_formats=["iso-8601"])

    def record(self) -> Record:
        """The checked record; only after is_valid()."""
        valid: dict[str, Any] = self.validated_data
        return Record(
            valid["transaction_id"],
            valid["user"],
            valid["amount"],
            str(valid["status"]),
            valid.get("created_at"),
        )


# What is said where only PostgreSQL could tell that there is no such user; `pk` is to be filled in.
NO_USER = UserField.default_error_messages["does_not_exist"]
