"""Webhooks, and what was sent to them, as the API shows them."""

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet

from ..notifications.models import Delivery, DeliveryState, Endpoint, Message
from ..reading.paging import Page, cursor_of, one_page, page_of


def webhooks(asked: Mapping[str, Any]) -> Page:
    """Endpoints, in the order in which they were made; `asked` by EndpointParameters."""
    found = Endpoint.objects.select_related("made_by").order_by("pk")
    if "cursor" in asked:
        found = found.filter(pk__gt=asked["cursor"][0])
    limit = asked["limit"]
    rows = list(found[: limit + 1])
    return page_of(rows, limit, endpoint_as_dict, lambda row: cursor_of("webhooks", [row.pk]))


def webhook(key: int) -> dict[str, Any]:
    """One endpoint. Raises Endpoint.DoesNotExist."""
    return endpoint_as_dict(Endpoint.objects.select_related("made_by").get(pk=key))


def deliveries(endpoint: int, asked: Mapping[str, Any]) -> Page:
    """What was sent to an endpoint, the newest first; `asked` by DeliveryParameters.

    Raises Endpoint.DoesNotExist.
    """
    key = Endpoint.objects.get(pk=endpoint).pk
    before = asked["cursor"][0] if "cursor" in asked else None
    rows, older = rows_of_deliveries(key, asked["limit"], before=before, state=asked.get("state"))
    cursor = None if older is None else cursor_of("deliveries", [older])
    return Page([delivery_as_dict(row) for row in rows], cursor)


def rows_of_deliveries(
    endpoint: int, most: int, *, before: int | None = None, state: str | None = None
) -> tuple[list[Delivery], int | None]:
    """Up to so many deliveries to an endpoint, the newest first, with their messages and attempts.

    Those that came before one, by its key, and are in a state, where these are said; and before which one
    there are more, None where there are none.
    """
    found = _deliveries(endpoint).order_by("-pk")
    if before is not None:
        found = found.filter(pk__lt=before)
    if state is not None:
        found = found.filter(state=state)
    return one_page(list(found[: most + 1]), most, lambda row: row.pk)


def delivery(endpoint: int, key: int) -> dict[str, Any]:
    """One delivery. Raises Delivery.DoesNotExist."""
    return delivery_as_dict(_deliveries(endpoint).get(pk=key))


def _deliveries(endpoint: int) -> QuerySet[Delivery]:
    return Delivery.objects.filter(endpoint=endpoint).select_related("message").prefetch_related("log")


def endpoint_as_dict(endpoint: Endpoint) -> dict[str, Any]:
    """An endpoint without its secrets."""
    return {
        "id": endpoint.pk,
        "format": endpoint.format,
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
