"""What may be asked of rules, their hits and lists, and the places at which pages of them begin.

A page begins where the one before ended, at a row's place and not at a count of rows.
"""

from typing import Any

from django.core.signing import BadSignature, Signer
from rest_framework import serializers

from ..alerts.models import Severity
from ..reading.parameters import KnownUserField, Parameters, SwitchField
from ..rules.documents import checked_name
from ..rules.kinds.registry import NAMES
from ..rules.models import VersionState
from ..serializers import WholeField
from .bodies import SaidField

LIMIT_DEFAULT, LIMIT_MAX = 100, 1_000
CURSOR_CHARACTERS_MAX = 200


def cursor_of(pages: str, place: list[Any]) -> str:
    """A place as clients hand it back to us: signed, so that nothing else is ever read."""
    return _signer(pages).sign_object(place)


def _signer(pages: str) -> Signer:
    return Signer(salt=f"transactions.rulebook.{pages}")


class PlaceField(serializers.CharField):
    """A cursor that the pages of this name have given out, as the list that it stands for."""

    default_error_messages = {"cursor": "This is no cursor of this list."}

    def __init__(self, pages: str) -> None:
        super().__init__(max_length=CURSOR_CHARACTERS_MAX, required=False)
        self._pages = pages

    def to_internal_value(self, data: Any) -> Any:
        try:
            return _signer(self._pages).unsign_object(super().to_internal_value(data))
        except BadSignature:
            self.fail("cursor")


def limit() -> WholeField:
    """How many rows a page has at most."""
    return WholeField(min_value=1, max_value=LIMIT_MAX, default=LIMIT_DEFAULT)


class RuleParameters(Parameters[Any]):
    """Which rules; of a state or kind are those of which the version that stands for the rule is."""

    name = SaidField(checked_name, required=False)
    state = serializers.ChoiceField(choices=VersionState.values, required=False)
    kind = serializers.ChoiceField(choices=NAMES, required=False)
    severity = serializers.ChoiceField(choices=Severity.values, required=False)
    cursor = PlaceField("rules")
    limit = limit()


class HitParameters(Parameters[Any]):
    """Which hits of a rule."""

    version = WholeField(min_value=1, max_value=2**31 - 1, required=False)
    user = KnownUserField(required=False)
    cursor = PlaceField("hits")
    limit = limit()


class ListsParameters(Parameters[Any]):
    """Which lists of users."""

    name = SaidField(checked_name, required=False)
    cursor = PlaceField("lists")
    limit = limit()


class EntryParameters(Parameters[Any]):
    """Which entries of a list; `standing`: those in force now, or those that are not."""

    user = KnownUserField(required=False)
    standing = SwitchField(required=False)
    cursor = PlaceField("entries")
    limit = limit()


class ExportParameters(Parameters[Any]):
    """All rules, or the one of a name."""

    name = SaidField(checked_name, required=False)
