"""The API's schema in the admin's frame; who only calls the API has the plain page of `/api/docs/`."""

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from ..access.rights import rights_of


def show(request: HttpRequest) -> HttpResponse:
    """The page, for who has any right: the others may not read the schema either."""
    if not rights_of(request.user):
        raise PermissionDenied
    context = {**admin.site.each_context(request), "title": "API docs"}
    return TemplateResponse(request, "admin/api_docs.html", context)
