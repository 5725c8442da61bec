"""The calls about events and webhooks."""

from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.shortcuts import get_object_or_404
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from ..access.rights import Right
from ..notifications import endpoints, events, signing
from ..notifications.models import Delivery, DeliveryState, Endpoint, Message
from ..openapi import webhooks as operations
from ..reading.paging import Page, PlaceField, cursor_of, limit
from ..reading.parameters import Parameters
from ..rulebook.bodies import Nothing, SaidField
from ..serializers import Posted, WholeField
from .base import ApiView, paged
from .rule_view import Conflict, RuleView

PLACE_MAX = 2**63 - 1
SEES = dict.fromkeys(("GET", "HEAD", "OPTIONS"), Right.VIEW_EVENTS)
MANAGES = dict.fromkeys(("GET", "HEAD", "OPTIONS", "POST", "PATCH", "DELETE"), Right.MANAGE_WEBHOOKS)


class Gone(APIException):
    """What was asked for is not kept any more."""

    status_code = status.HTTP_410_GONE


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
    """An endpoint that is to be made."""

    url = SaidField(endpoints.checked_url)


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


class Events(ApiView):
    """GET what happened after a place, in order."""

    rights = SEES
    parameters = EventParameters

    @operations.EVENTS
    def get(self, request: Request) -> Response:
        asked = self.asked.validated_data
        try:
            return Response(events.after(asked["after"], asked["limit"])._asdict())
        except events.PlaceUnknown as error:
            raise ValidationError({"after": [str(error)]}) from None
        except events.EventsGone as error:
            raise Gone(str(error)) from None


class WebhookView(RuleView):
    """A call about webhooks: JSON alone, with a right of its own."""

    rights = MANAGES

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, endpoints.EndpointRefused | signing.NoKey):
            exc = Conflict(str(exc))
        elif isinstance(exc, Endpoint.DoesNotExist | Delivery.DoesNotExist):
            exc = NotFound()
        return super().handle_exception(exc)


class Webhooks(WebhookView):
    """GET endpoints, page by page; POST another one: its secret is in the answer, this once."""

    asks = EndpointParameters

    @operations.WEBHOOKS
    def get(self, request: Request) -> Response:
        asked = self.asked.validated_data
        found = Endpoint.objects.select_related("made_by").order_by("pk")
        if "cursor" in asked:
            found = found.filter(pk__gt=asked["cursor"][0])
        return paged(request, _page("webhooks", found, asked["limit"], endpoint_as_dict))

    @operations.ADD_WEBHOOK
    def post(self, request: Request) -> Response:
        valid = self.posted(request, NewEndpoint).validated_data
        made, secret = endpoints.add(**valid, by=self.author(request))
        return Response({**endpoint_as_dict(made), "secret": secret}, status=status.HTTP_201_CREATED)


class WebhookDetail(WebhookView):
    """GET, PATCH or DELETE an endpoint."""

    @operations.WEBHOOK
    def get(self, request: Request, id: str) -> Response:
        return Response(_shown(id))

    @operations.CHANGE_WEBHOOK
    def patch(self, request: Request, id: str) -> Response:
        endpoints.change(int(id), **self.posted(request, EndpointChange).validated_data)
        return Response(_shown(id))

    @operations.REMOVE_WEBHOOK
    def delete(self, request: Request, id: str) -> Response:
        endpoints.remove(int(id))
        return Response({"detail": operations.REMOVED})


class RotateWebhook(WebhookView):
    """POST that an endpoint gets another secret, which is in the answer, this once."""

    @operations.ROTATE_WEBHOOK
    def post(self, request: Request, id: str) -> Response:
        self.posted(request, Nothing)
        _, secret = endpoints.rotate(int(id))
        return Response({**_shown(id), "secret": secret})


class SwitchWebhookOff(WebhookView):
    """POST that nothing is sent there."""

    @operations.SWITCH_OFF
    def post(self, request: Request, id: str) -> Response:
        self.posted(request, Nothing)
        endpoints.switch_off(int(id))
        return Response(_shown(id))


class SwitchWebhookOn(WebhookView):
    """POST that messages are sent there again."""

    @operations.SWITCH_ON
    def post(self, request: Request, id: str) -> Response:
        self.posted(request, Nothing)
        endpoints.switch_on(int(id))
        return Response(_shown(id))


class TestWebhook(WebhookView):
    """POST that a test message is sent there."""

    @operations.TEST_WEBHOOK
    def post(self, request: Request, id: str) -> Response:
        self.posted(request, Nothing)
        return Response(_delivery(id, endpoints.test(int(id)).pk), status=status.HTTP_202_ACCEPTED)


class Deliveries(WebhookView):
    """GET what was sent to an endpoint, and what became of it, the newest first."""

    asks = DeliveryParameters

    @operations.DELIVERIES
    def get(self, request: Request, id: str) -> Response:
        asked = self.asked.validated_data
        get_object_or_404(Endpoint, pk=id)
        found = _deliveries(id).order_by("-pk")
        if "state" in asked:
            found = found.filter(state=asked["state"])
        if "cursor" in asked:
            found = found.filter(pk__lt=asked["cursor"][0])
        return paged(request, _page("deliveries", found, asked["limit"], delivery_as_dict))


class SendAgain(WebhookView):
    """POST that a message is sent once more."""

    @operations.SEND_AGAIN
    def post(self, request: Request, id: str, delivery: str) -> Response:
        self.posted(request, Nothing)
        endpoints.send_again(int(id), int(delivery))
        return Response(_delivery(id, int(delivery)), status=status.HTTP_202_ACCEPTED)


def _page(name: str, found: QuerySet[Any], most: int, shown: Callable[[Any], dict[str, Any]]) -> Page:
    """Rows up to so many, and the place after the last of them, which is its key."""
    rows = list(found[: most + 1])
    cursor = cursor_of(name, [rows[most - 1].pk]) if len(rows) > most else None
    return Page([shown(row) for row in rows[:most]], cursor)


def _shown(id: str) -> dict[str, Any]:
    return endpoint_as_dict(get_object_or_404(Endpoint.objects.select_related("made_by"), pk=id))


def _deliveries(id: str) -> QuerySet[Delivery]:
    return Delivery.objects.filter(endpoint=int(id)).select_related("message").prefetch_related("log")


def _delivery(id: str, pk: int) -> dict[str, Any]:
    return delivery_as_dict(_deliveries(id).get(pk=pk))


def endpoint_as_dict(endpoint: Endpoint) -> dict[str, Any]:
    """An endpoint without its secrets."""
    return {
        "id": endpoint.pk,
        "url": endpoint.url,
        "description": endpoint.description,
        "types": endpoint.types,
        "off": endpoint.off or None,
        "off_at": endpoint.off_at,
        "failures": endpoint.failures,
        "failing_since": endpoint.failing_since,
        "old_secret_until": endpoint.old_secret_until,
        "made_at": endpoint.made_at,
        "made_by": None if endpoint.made_by is None else endpoint.made_by.get_username(),
    }


def delivery_as_dict(delivery: Delivery) -> dict[str, Any]:
    """A delivery with all its attempts, the first one first."""
    message: Message = delivery.message
    return {
        "id": delivery.pk,
        "message": message.webhook_id,
        "type": message.type,
        "position": message.position,
        "made_at": message.made_at,
        "state": delivery.state,
        "attempts": delivery.attempts,
        "due_at": delivery.due_at if delivery.state == DeliveryState.WAITING else None,
        "log": [
            {
                "at": each.at,
                "status": each.status,
                "error": each.error,
                "answer": each.answer,
                "milliseconds": each.milliseconds,
            }
            for each in sorted(delivery.log.all(), key=lambda each: each.pk)
        ],
    }
