"""What may be posted about alerts: each step's fields, and the version of the alert that was seen."""

from typing import Any

from rest_framework import serializers

from ..alerts.models import Disposition
from ..alerts.triage import REASON_CHARACTERS_MAX, SNOOZE_REASON_CHARACTERS_MAX
from ..encodings import one_line_end
from ..fields import InstantField, PlacedListField, WholeField
from ..serializers import Posted
from .parameters import KEY_MAX, AccountField

# Alerts with which one request takes a step.
BULK_MAX = 200
VERSION_MAX = 2**31 - 1


class SentenceField(serializers.CharField):
    """Text, maybe of several lines: a number or a truth is none."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(one_line_end(data))


def _reason(most: int = REASON_CHARACTERS_MAX) -> SentenceField:
    return SentenceField(max_length=most)


class SeenField(WholeField):
    """The version of an alert as the caller saw it."""

    def __init__(self) -> None:
        super().__init__(min_value=1, max_value=VERSION_MAX)


class Seen(Posted):
    """Of a step that says no more."""

    version = SeenField()


class Assignment(Posted):
    version = SeenField()
    assignee = AccountField()


class Releasing(Posted):
    """From somebody else it takes a reason."""

    version = SeenField()
    reason = SentenceField(max_length=REASON_CHARACTERS_MAX, required=False, allow_blank=True)


class Note(Posted):
    """It overtakes nobody, so no version is asked for."""

    text = _reason()


class Closing(Posted):
    version = SeenField()
    disposition = serializers.ChoiceField(choices=Disposition.values)
    reason = _reason()


class Reopening(Posted):
    version = SeenField()
    reason = _reason()


class Snoozing(Posted):
    version = SeenField()
    until = InstantField(input_formats=["iso-8601"])
    reason = _reason(SNOOZE_REASON_CHARACTERS_MAX)


class SeenAlert(Posted):
    id = WholeField(min_value=1, max_value=KEY_MAX)
    version = SeenField()


class SeenAlertsField(PlacedListField):
    """Alerts and their versions."""

    child = SeenAlert()


# The fields that each step with many needs beside them.
NEEDS: dict[str, tuple[str, ...]] = {
    "claim": (),
    "assign": ("assignee",),
    "release": (),
    "close": ("disposition", "reason"),
    "snooze": ("until", "reason"),
}
# Those that it may have.
MAY_HAVE: dict[str, tuple[str, ...]] = {"release": ("reason",)}


class Bulk(Posted):
    """One step with many alerts."""

    step = serializers.ChoiceField(choices=list(NEEDS))
    alerts = SeenAlertsField(min_length=1, max_length=BULK_MAX)
    assignee = AccountField(required=False)
    disposition = serializers.ChoiceField(choices=Disposition.values, required=False)
    reason = SentenceField(max_length=REASON_CHARACTERS_MAX, required=False)
    until = InstantField(required=False, input_formats=["iso-8601"])

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        step, needed = attrs["step"], NEEDS[attrs["step"]]
        taken = (*needed, *MAY_HAVE.get(step, ()))
        given = [name for name in ("assignee", "disposition", "reason", "until") if name in attrs]
        wrong = {name: [f"The step {step} needs it."] for name in needed if name not in attrs}
        wrong |= {name: [f"The step {step} takes none."] for name in given if name not in taken}
        keys = [each["id"] for each in attrs["alerts"]]
        if len(set(keys)) < len(keys):
            wrong["alerts"] = ["An alert stands here twice."]
        if step == "snooze" and len(attrs.get("reason", "")) > SNOOZE_REASON_CHARACTERS_MAX:
            wrong["reason"] = [f"A snooze's reason has at most {SNOOZE_REASON_CHARACTERS_MAX} characters."]
        if wrong:
            raise serializers.ValidationError(wrong)
        return attrs


def seen(bulk: dict[str, Any]) -> dict[int, int]:
    """The versions seen, by alert."""
    return {each["id"]: each["version"] for each in bulk["alerts"]}
