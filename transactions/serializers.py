"""What a posted record may be. The serializer's word is final wherever a record is looked at."""

import unicodedata
from collections.abc import Mapping
from typing import Any

from django.http import QueryDict
from rest_framework import serializers

from . import names
from .encodings import may_show_something
from .fields import AmountField, CurrencyField, FieldsMadeOnce, IdField, MomentField, StatusField, UserField
from .models import AMOUNT_MAX, TRANSACTION_ID_CHARACTERS_MAX, Status
from .queue.records import Record

# What Django's own forms add to their fields.
FORMS_OWN_FIELD = "csrfmiddlewaretoken"
# What Django puts where the bytes of a form are no UTF-8.
NO_UTF8 = "\ufffd"


class Posted(serializers.Serializer[Any]):
    """What a client posts: these fields, each at most once, and no others."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            # Of an error that nobody is told (`names_told` of the context) it is enough that it is one.
            if not self.context.get("names_told", True) and not data.keys() <= self.fields.keys():
                raise serializers.ValidationError("Unknown field.")
            if wrong := _wrong_names(data, self.fields.keys()):
                raise serializers.ValidationError(wrong)
        if isinstance(data, QueryDict):
            # As JSON, or the REST framework would take an empty field for one that is not there, and a
            # default for what a template has left empty.
            data = {name: data[name] for name in data if name != FORMS_OWN_FIELD}
        return super().to_internal_value(data)


def _visible(value: str) -> None:
    """transaction_id: something to see, no control characters, no white space at either end."""
    if any(unicodedata.category(character) == "Cc" for character in value):
        raise serializers.ValidationError("Control characters are not allowed.")
    if value != value.strip():
        raise serializers.ValidationError("White space at either end is not allowed.")
    if not may_show_something(value):
        raise serializers.ValidationError("Nothing of this is visible.")


class RecordSerializer(FieldsMadeOnce, Posted):
    """One transaction as a client posts it."""

    transaction_id = IdField(
        max_length=TRANSACTION_ID_CHARACTERS_MAX, trim_whitespace=False, validators=[_visible]
    )
    user = UserField()
    amount = AmountField(min_value=0, max_value=AMOUNT_MAX)
    status = StatusField(choices=Status.choices, default=Status.PENDING)
    created_at = MomentField(required=False, allow_null=True, input_formats=["iso-8601"])
    # Checked, and kept nowhere: there is one for all.
    currency = CurrencyField(required=False)

    def record(self) -> Record:
        """The checked record; only after is_valid()."""
        valid: dict[str, Any] = self.validated_data
        return record_of(valid)


def record_of(valid: Mapping[str, Any]) -> Record:
    """The record of these fields, which RecordSerializer has checked."""
    return Record(
        valid["transaction_id"], valid["user"], valid["amount"], str(valid["status"]), valid.get("created_at")
    )


def _wrong_names(data: Mapping[str, Any], known: Any) -> dict[str, list[str]]:
    """What is wrong with the names of a record's fields, and with the characters of a form's."""
    if isinstance(data, QueryDict):
        given = [name for name in data if name != FORMS_OWN_FIELD]
        twice = [name for name in given if len(data.getlist(name)) > 1]
        if not (wrong := names.faults("field", given, known, twice)):
            wrong = {name: ["This is not UTF-8."] for name in given if NO_UTF8 in str(data[name])}
        return wrong
    return names.faults("field", data, known, data.twice if isinstance(data, names.Repeated) else ())
