"""What may be posted about webhooks: each field checked, with the words of the pages."""

from typing import Any

from rest_framework import serializers

from ..fields import SaidField
from ..notifications import endpoints
from ..notifications.models import Format
from ..serializers import Posted


class TypesField(serializers.Field[list[str], Any, Any, Any]):
    """Types of messages."""

    def to_internal_value(self, data: Any) -> list[str]:
        try:
            return endpoints.checked_types(data)
        except ValueError as error:
            raise serializers.ValidationError(str(error)) from None


class EndpointChange(Posted):
    """What may be changed of an endpoint."""

    url = SaidField(endpoints.checked_url, required=False)
    description = SaidField(endpoints.checked_text, required=False)
    types = TypesField(required=False)


class NewEndpoint(EndpointChange):
    """An endpoint that is to be made; its format stays."""

    url = SaidField(endpoints.checked_url)
    format = SaidField(endpoints.checked_format, default=Format.STANDARD.value)
