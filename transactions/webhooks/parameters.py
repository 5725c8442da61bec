"""What may be asked about events and webhooks."""

from typing import Any

from rest_framework import serializers

from ..fields import WholeField
from ..notifications.models import DeliveryState
from ..reading.paging import PlaceField, limit
from ..reading.parameters import Parameters

PLACE_MAX = 2**63 - 1


class EventParameters(Parameters[Any]):
    """After which event."""

    after = WholeField(min_value=0, max_value=PLACE_MAX, default=0)
    limit = limit()


class EndpointParameters(Parameters[Any]):
    """Which endpoints."""

    cursor = PlaceField("webhooks")
    limit = limit()


class DeliveryParameters(Parameters[Any]):
    """Which deliveries of an endpoint."""

    state = serializers.ChoiceField(choices=DeliveryState.values, required=False)
    cursor = PlaceField("deliveries")
    limit = limit()
