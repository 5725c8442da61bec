"""The page of one transaction, wherever it is: stored, waiting in Redis, or refused at the flush."""

from typing import Any

import redis
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from ..access.rights import Right, rights_of
from ..reading.story import story
from .rules.links import customer

TEMPLATE = "admin/story/transaction.html"


def show_by_id(request: HttpRequest) -> HttpResponse:
    """The page of the transaction that the query string names, by its `transaction_id`."""
    return show(request, request.GET.get("transaction_id", ""))


def show(request: HttpRequest, transaction_id: str) -> HttpResponse:
    """The page of the transaction of that id."""
    rights = rights_of(request.user)
    if Right.READ not in rights:
        raise PermissionDenied
    sees_alerts = Right.VIEW_ALERTS in rights
    context = admin.site.each_context(request)
    try:
        found = story(transaction_id, alerts=sees_alerts)
    except redis.RedisError:
        context |= {"title": "Redis does not answer", "story": None}
        return TemplateResponse(request, TEMPLATE, context, status=503)
    if found is None:
        raise Http404("There is no such transaction.")
    context |= {
        "title": found["transaction_id"],
        "story": found,
        "kept": _kept(found),
        "sees_alerts": sees_alerts,
        **_links(request, found),
    }
    return TemplateResponse(request, TEMPLATE, context)


def _kept(found: dict[str, Any]) -> str:
    if found["rejected"]:
        return "The rejected records"
    return "Redis: it waits for the flush" if found["id"] is None else f"PostgreSQL: row {found['id']}"


def _links(request: HttpRequest, found: dict[str, Any]) -> dict[str, str]:
    """Where the rest is, for who may go there."""
    links = {"customer_link": customer(found["user"]) if found["name"] else ""}
    if found["id"] is not None and request.user.is_superuser:
        links["delete_link"] = reverse("admin:transactions_transaction_delete", args=[found["id"]])
    if found["batch"] and request.user.has_perm("transactions.view_flushbatch"):
        links["batch_link"] = reverse("admin:transactions_flushbatch_change", args=[found["batch"]["id"]])
    if found["record"] and request.user.has_perm("transactions.view_rejectedrecord"):
        key = found["record"]["id"]
        links["record_link"] = reverse("admin:transactions_rejectedrecord_change", args=[key])
    return links
