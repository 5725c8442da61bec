"""The calls about events and webhooks."""

from typing import Any

from rest_framework import status
from rest_framework.exceptions import APIException, NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from ..access.rights import Right
from ..notifications import endpoints, events, signing
from ..notifications.models import Delivery, Endpoint
from ..openapi import webhooks as operations
from ..webhooks import bodies, pages, parameters
from .base import REFUSALS, ApiView, Conflict, JsonView, Nothing, in_bounds, paged

SEES = dict.fromkeys(("GET", "HEAD", "OPTIONS"), Right.VIEW_EVENTS)
MANAGES = dict.fromkeys(("GET", "HEAD", "OPTIONS", "POST", "PATCH", "DELETE"), Right.MANAGE_WEBHOOKS)


class Gone(APIException):
    """What was asked for is not kept any more."""

    status_code = status.HTTP_410_GONE


class Events(ApiView):
    """GET what happened after a place, in order."""

    rights = SEES
    parameters = parameters.EventParameters

    @operations.EVENTS
    @in_bounds
    def get(self, request: Request) -> Response:
        asked = self.asked.validated_data
        try:
            return Response(events.after(asked["after"], asked["limit"])._asdict())
        except events.PlaceUnknown as error:
            raise ValidationError({"after": [str(error)]}) from None
        except events.EventsGone as error:
            raise Gone(str(error)) from None


class WebhookView(JsonView):
    """A call about webhooks."""

    rights = MANAGES
    refusals = {
        endpoints.EndpointRefused: lambda error: Conflict(str(error)),
        signing.NoKey: lambda error: Conflict(str(error)),
        Endpoint.DoesNotExist: lambda error: NotFound(),
        Delivery.DoesNotExist: lambda error: NotFound(),
        **REFUSALS,
    }


class Webhooks(WebhookView):
    """GET endpoints, page by page; POST another one: its secret is in the answer, this once."""

    asks = parameters.EndpointParameters

    @operations.WEBHOOKS
    @in_bounds
    def get(self, request: Request) -> Response:
        return paged(request, pages.webhooks(self.asked.validated_data))

    @operations.ADD_WEBHOOK
    def post(self, request: Request) -> Response:
        valid = self.posted(request, bodies.NewEndpoint).validated_data
        made, secret = endpoints.add(**valid, by=self.author(request))
        shown = _with_secret(pages.endpoint_as_dict(made), secret)
        return Response(shown, status=status.HTTP_201_CREATED)


class WebhookDetail(WebhookView):
    """GET, PATCH or DELETE an endpoint."""

    @operations.WEBHOOK
    @in_bounds
    def get(self, request: Request, id: str) -> Response:
        return Response(pages.webhook(int(id)))

    @operations.CHANGE_WEBHOOK
    def patch(self, request: Request, id: str) -> Response:
        endpoints.change(int(id), **self.posted(request, bodies.EndpointChange).validated_data)
        return Response(pages.webhook(int(id)))

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
        return Response(_with_secret(pages.webhook(int(id)), secret))


class SwitchWebhookOff(WebhookView):
    """POST that nothing is sent there."""

    @operations.SWITCH_OFF
    def post(self, request: Request, id: str) -> Response:
        self.posted(request, Nothing)
        endpoints.switch_off(int(id))
        return Response(pages.webhook(int(id)))


class SwitchWebhookOn(WebhookView):
    """POST that messages are sent there again."""

    @operations.SWITCH_ON
    def post(self, request: Request, id: str) -> Response:
        self.posted(request, Nothing)
        endpoints.switch_on(int(id))
        return Response(pages.webhook(int(id)))


class TestWebhook(WebhookView):
    """POST that a test message is sent there."""

    @operations.TEST_WEBHOOK
    def post(self, request: Request, id: str) -> Response:
        self.posted(request, Nothing)
        sent = endpoints.test(int(id))
        return Response(pages.delivery(int(id), sent.pk), status=status.HTTP_202_ACCEPTED)


class Deliveries(WebhookView):
    """GET what was sent to an endpoint, and what became of it, the newest first."""

    asks = parameters.DeliveryParameters

    @operations.DELIVERIES
    @in_bounds
    def get(self, request: Request, id: str) -> Response:
        return paged(request, pages.deliveries(int(id), self.asked.validated_data))


class SendAgain(WebhookView):
    """POST that a message is sent once more."""

    @operations.SEND_AGAIN
    def post(self, request: Request, id: str, delivery: str) -> Response:
        self.posted(request, Nothing)
        endpoints.send_again(int(id), int(delivery))
        return Response(pages.delivery(int(id), int(delivery)), status=status.HTTP_202_ACCEPTED)


def _with_secret(shown: dict[str, Any], secret: str) -> dict[str, Any]:
    """Null where messages are not signed: the URL itself is the secret."""
    return {**shown, "secret": secret or None}
