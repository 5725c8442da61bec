"""The project's documents as pages, for members of the staff: a part that is ill leads to its section."""

from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from ..system.documents import document


def show(request: HttpRequest, name: str) -> HttpResponse:
    """The page of a document."""
    found = document(name)
    if found is None:
        raise Http404("There is no such document.")
    context = {**admin.site.each_context(request), "title": found.title, "document": found}
    return TemplateResponse(request, "admin/document.html", context)
