"""Requests that no view judges, refused in one place: over what Django or a view would fail, or guess."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, JsonResponse
from django.http.response import HttpResponseBase
from django.template.loader import render_to_string

from transactions.encodings import charset_fault

FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})
HALF = "The request has half a character (a lone surrogate, \\ud800 to \\udfff), which no text here has."
NUL = "The request has a NUL character, which no text here has."
# What psycopg says before it sends anything, wherever in a statement the character stands.
POSTGRES_ON_NUL = "NUL (0x00)"


class OddRequests:
    """Middleware. 405 for a method in small letters, which is another method; 415 for a form that is not
    UTF-8, the API's excepted, whose parsers say it; 400 where a view asks PostgreSQL for a text with a NUL,
    or does anything with half a character. A browser that comes with a method that an address does not take
    is shown a page: a log-in leads to where a form was sent after its session had ended.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        method = getattr(request, "scope", {}).get("method", request.method)
        if method != request.method:
            return HttpResponseNotAllowed([str(request.method)])
        if request.content_type in FORMS and not _in_api(request):
            if fault := charset_fault(request.META.get("CONTENT_TYPE", "")):
                return _refused(request, 415, fault)
            # Django knows one spelling alone.
            request.encoding = "utf-8"
        answer = self._get_response(request)
        if isinstance(answer, HttpResponseNotAllowed) and "text/html" in request.headers.get("Accept", ""):
            _show_why(answer)
        return answer

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Django calls this with what a view has raised."""
        if isinstance(error, ValueError) and POSTGRES_ON_NUL in str(error):
            return _refused(request, 400, NUL)
        if isinstance(error, UnicodeEncodeError) and error.reason == "surrogates not allowed":
            return _refused(request, 400, HALF)
        return None


def _show_why(answer: HttpResponseNotAllowed) -> None:
    """Makes a page of an answer without a body, whose length has been stated by then."""
    # Without the request: the page is nobody's, and asks no store.
    takes_a_form = "POST" in answer["Allow"].split(", ")
    answer.content = render_to_string("405.html", {"takes_a_form": takes_a_form})
    answer["Content-Type"] = "text/html; charset=utf-8"
    answer["Content-Length"] = str(len(answer.content))


def _in_api(request: HttpRequest) -> bool:
    return request.path_info.startswith("/api/")


def _refused(request: HttpRequest, status: int, why: str) -> HttpResponse:
    if _in_api(request):
        return JsonResponse({"detail": why}, status=status)
    return HttpResponse(f"{why}\n", status=status, content_type="text/plain; charset=utf-8")
