"""What may be asked of rules, their hits and lists."""

from typing import Any

from rest_framework import serializers

from ..fields import SaidField, WholeField
from ..reading.paging import PlaceField, limit
from ..reading.parameters import KnownUserField, Parameters, SwitchField
from ..rules.kinds.registry import NAMES
from ..rules.models import VersionState
from ..rules.texts import checked_name
from ..severity import Severity

# The names of the pages, for which their cursors are signed.
RULES, HITS, LISTS, ENTRIES = (
    f"transactions.rulebook.{name}" for name in ("rules", "hits", "lists", "entries")
)


class RuleParameters(Parameters[Any]):
    """Which rules; of a state or kind are those of which the version that stands for the rule is."""

    name = SaidField(checked_name, required=False)
    state = serializers.ChoiceField(choices=VersionState.values, required=False)
    kind = serializers.ChoiceField(choices=NAMES, required=False)
    severity = serializers.ChoiceField(choices=Severity.values, required=False)
    cursor = PlaceField(RULES)
    limit = limit()


class HitParameters(Parameters[Any]):
    """Which hits of a rule."""

    version = WholeField(min_value=1, max_value=2**31 - 1, required=False)
    user = KnownUserField(required=False)
    cursor = PlaceField(HITS)
    limit = limit()


class ListsParameters(Parameters[Any]):
    """Which lists of users."""

    name = SaidField(checked_name, required=False)
    cursor = PlaceField(LISTS)
    limit = limit()


class EntryParameters(Parameters[Any]):
    """Which entries of a list; `standing`: those in force now, or those that are not."""

    user = KnownUserField(required=False)
    standing = SwitchField(required=False)
    cursor = PlaceField(ENTRIES)
    limit = limit()


class ExportParameters(Parameters[Any]):
    """All rules, or the one of a name."""

    name = SaidField(checked_name, required=False)
