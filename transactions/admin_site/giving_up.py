"""Pages that are given up where a statement takes too long: a 503 that says so, one way for all."""

from collections.abc import Callable
from functools import wraps
from http import HTTPStatus

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from ..stores import bounded_queries

View = Callable[..., HttpResponse]


def in_bounds(request: HttpRequest, show: Callable[[], HttpResponse]) -> HttpResponse:
    """What `show` answers, if each of its statements, those of its template too, ends in time; else a 503."""

    def rendered() -> HttpResponse:
        response = show()
        return response.render() if isinstance(response, TemplateResponse) else response

    response = bounded_queries.in_time(rendered)
    return too_slow(request) if response is None else response


def too_slow(request: HttpRequest) -> HttpResponse:
    """The page that says that another was given up."""
    context = {
        **admin.site.each_context(request),
        "title": "This takes too long",
        "seconds": f"{bounded_queries.STATEMENT_MS_MAX / 1000:g}",
    }
    return TemplateResponse(
        request, "admin/transactions/too_slow.html", context, status=HTTPStatus.SERVICE_UNAVAILABLE
    )


def gives_up(view: View) -> View:
    """A view whose page is shown in bounds; what is posted to it is not cut off."""

    @wraps(view)
    def bounded_view(request: HttpRequest, *args: object, **kwargs: object) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            return view(request, *args, **kwargs)
        return in_bounds(request, lambda: view(request, *args, **kwargs))

    return bounded_view
