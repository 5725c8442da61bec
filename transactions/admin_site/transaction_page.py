"""The page of one transaction, wherever it is: stored, waiting in Redis, or refused at the flush."""

import redis
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from ..access.rights import Right, rights_of
from ..review import deletions, transaction
from .giving_up import gives_up

TEMPLATE = "admin/story/transaction.html"


def show_by_id(request: HttpRequest) -> HttpResponse:
    """The page of the transaction that the query string names, by its `transaction_id`."""
    return show(request, request.GET.get("transaction_id", ""))


@gives_up
def show(request: HttpRequest, transaction_id: str) -> HttpResponse:
    """The page of the transaction of that id."""
    rights = rights_of(request.user)
    if Right.READ not in rights:
        raise PermissionDenied
    context = admin.site.each_context(request)
    try:
        found = transaction.shown(request, transaction_id, rights)
    except redis.RedisError:
        context |= {"title": "Redis does not answer", "story": None}
        return TemplateResponse(request, TEMPLATE, context, status=503)
    if found is None and (deleted := deletions.of_transaction(transaction_id, rights)):
        context |= {"title": transaction_id, "story": None, "deleted": deleted}
        return TemplateResponse(request, TEMPLATE, context, status=404)
    if found is None:
        raise Http404("There is no such transaction.")
    context |= {**found, "title": found["story"]["transaction_id"]}
    return TemplateResponse(request, TEMPLATE, context)
