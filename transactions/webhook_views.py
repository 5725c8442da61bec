"""The REST API of events and webhooks: read the request, call one function, answer."""

from typing import Any

from django.db.models import QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from .access.rights import Right
from .notifications import endpoints, events, signing
from .notifications.models import Delivery, DeliveryState, Endpoint, Message
from .openapi import webhooks as operations
from .reading.parameters import Parameters
from .rule_views import Conflict
from .rulebook.bodies import Nothing, RuleParser, SaidField
from .rulebook.parameters import LIMIT_MAX, PlaceField, cursor_of, limit
from .serializers import Posted, WholeField
from .views import ApiView, next_page

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
    limit = WholeField(min_value=1, max_value=LIMIT_MAX, default=100)


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


class WebhookView(ApiView):
    """A call about webhooks: JSON alone."""

    parser_classes: Any = (RuleParser,)
    rights = MANAGES
    asks: type[Parameters[Any]] = Parameters

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.parameters = self.asks if request.method in ("GET", "HEAD") else Parameters
        super().initial(request, *args, **kwargs)

    def posted(self, request: Request, form: type[Posted]) -> dict[str, Any]:
        """What was posted, checked by its form."""
        posted = form(data=request.data)
        posted.is_valid(raise_exception=True)
        valid: dict[str, Any] = posted.validated_data
        return valid

    def handle_exception(self, exc: Exception) -> Response:
        if isinstance(exc, (endpoints.EndpointRefused, signing.NoKey)):
            exc = Conflict(str(exc))
        elif isinstance(exc, (Http404, Endpoint.DoesNotExist, Delivery.DoesNotExist)):
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
        rows = list(found[: asked["limit"] + 1])
        shown = [endpoint_as_dict(each) for each in rows[: asked["limit"]]]
        cursor = cursor_of("webhooks", [shown[-1]["id"]]) if len(rows) > asked["limit"] else None
        return Response({"results": shown, "next": next_page(request, cursor)})

    @operations.ADD_WEBHOOK
    def post(self, request: Request) -> Response:
        valid = self.posted(request, NewEndpoint)
        by = request.user if request.user.is_authenticated else None
        made, secret = endpoints.add(**valid, by=by)
        return Response({**endpoint_as_dict(made), "secret": secret}, status=status.HTTP_201_CREATED)


class WebhookDetail(WebhookView):
    """GET, PATCH or DELETE an endpoint."""

    @operations.WEBHOOK
    def get(self, request: Request, id: str) -> Response:
        return Response(_shown(id))

    @operations.CHANGE_WEBHOOK
    def patch(self, request: Request, id: str) -> Response:
        valid = self.posted(request, EndpointChange)
        endpoints.change(int(id), **valid)
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
        rows = list(found[: asked["limit"] + 1])
        shown = [delivery_as_dict(each) for each in rows[: asked["limit"]]]
        cursor = cursor_of("deliveries", [shown[-1]["id"]]) if len(rows) > asked["limit"] else None
        return Response({"results": shown, "next": next_page(request, cursor)})


class SendAgain(WebhookView):
    """POST that a message is sent once more."""

    @operations.SEND_AGAIN
    def post(self, request: Request, id: str, delivery: str) -> Response:
        self.posted(request, Nothing)
        endpoints.send_again(int(id), int(delivery))
        return Response(_delivery(id, int(delivery)), status=status.HTTP_202_ACCEPTED)


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
