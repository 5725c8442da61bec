"""What may be posted about rules: each field checked, with the same words as in a file of rules."""

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import ParseError

from .. import names
from ..fields import InstantField, PlacedListField, SaidField, UserField, WholeField
from ..intake.parsers import BoundedParser
from ..rules.documents import DOCUMENT_BYTES_MAX
from ..rules.models import APPROVED, VersionState
from ..rules.texts import checked_comment, checked_description, checked_name, checked_severity
from ..serializers import Posted
from ..severity import Severity

# Users that one request may put on a list.
USERS_MAX = 1_000


class DocumentParser(BoundedParser):
    """A file of rules, as its text: what is wrong with it is told by its lines."""

    media_type = "application/json"

    def read(self, body: bytes) -> str:
        # What is too long is refused with the words of a file, and not read further.
        text = body[: DOCUMENT_BYTES_MAX + 1]
        try:
            return text.decode()
        except UnicodeDecodeError as error:
            if len(body) > DOCUMENT_BYTES_MAX and error.end >= len(text):
                return text.decode(errors="replace")
            raise ParseError(f"The document is not UTF-8 (byte {error.start}).") from None


class GapsField(serializers.Field[dict[str, Any], Any, Any, Any]):
    """The parameters of a rule: an object each of whose names stands once. Its kind judges the rest."""

    default_error_messages = {"invalid": "the parameters must be an object"}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            self.fail("invalid")
        for where, held in (("", data), ("filter.", data.get("filter"))):
            if isinstance(held, names.Repeated):
                twice = names.shortened(min(held.twice))
                raise serializers.ValidationError(f"{where}{twice}: {names.TWICE}")
        return data


class Renaming(Posted):
    """A rule's new name. What else is said of it belongs to a version, which is approved."""

    name = SaidField(checked_name)

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            told = "This belongs to a version, which is approved: POST another one to versions/."
            others = {str(name): [told] for name in NewVersion().fields if name in data}
            if others:
                raise serializers.ValidationError(others)
        return super().to_internal_value(data)


class NewRule(Posted):
    """A rule and its first draft."""

    name = SaidField(checked_name)
    severity = SaidField(checked_severity, default=Severity.MEDIUM.value)
    description = SaidField(checked_description, default="")
    kind = serializers.JSONField()
    parameters = GapsField()


class NewVersion(Posted):
    """Another draft: of parameters, or of those of an earlier version. The rest is as it was, or is given."""

    from_version = WholeField(min_value=1, max_value=2**31 - 1, required=False)
    severity = SaidField(checked_severity, required=False)
    description = SaidField(checked_description, required=False)
    kind = serializers.JSONField(required=False)
    parameters = GapsField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if "from_version" in attrs:
            both = [name for name in ("kind", "parameters") if name in attrs]
            if both:
                told = "Give this, or `from_version`."
                raise serializers.ValidationError({name: [told] for name in both})
        elif "parameters" not in attrs:
            told = "Give the parameters, or the number of the version whose they are as `from_version`."
            raise serializers.ValidationError({"parameters": [told]})
        return attrs


class Approval(Posted):
    """How a version comes into force, and whether earlier than the next full minute."""

    state = serializers.ChoiceField(
        choices=[state.value for state in APPROVED], default=VersionState.ACTIVE.value
    )
    effective_from = InstantField(required=False, allow_null=True, default=None, input_formats=["iso-8601"])


class NewList(Posted):
    """A list of users, empty at first."""

    name = SaidField(checked_name)
    description = SaidField(checked_description, default="")


class UsersField(PlacedListField):
    """The keys of users."""

    child = UserField()


class NewEntries(Posted):
    """Users who are to stand on a list, why, and until when."""

    users = UsersField(min_length=1, max_length=USERS_MAX)
    comment = SaidField(checked_comment, default="")
    expires_at = InstantField(required=False, allow_null=True, default=None, input_formats=["iso-8601"])
