"""Errors as the API tells them: in DRF's form, JSON everywhere under /api/, and 503 where a store fails."""

import logging
import sys
from collections.abc import Callable
from enum import StrEnum
from inspect import unwrap
from typing import Any

import redis
from django.conf import settings
from django.core.exceptions import (
    BadRequest,
    MiddlewareNotUsed,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from psycopg2 import errors as postgres_errors
from psycopg2.errors import QueryCanceled
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import exception_handler

from transactions.intake.answers import REASONS
from transactions.intake.parsers import UnsupportedCharset
from transactions.metrics.counters import refused

log = logging.getLogger(__name__)

# Django's pages, without the look at CSRF around them: that reads the form again, which may be the very
# thing that failed, and what an error page raises leaves Django.
ErrorPage = Callable[..., HttpResponse]
_bad_request: ErrorPage = unwrap(defaults.bad_request)
_permission_denied: ErrorPage = unwrap(defaults.permission_denied)
_server_error: ErrorPage = unwrap(defaults.server_error)


BUSY = "The server is busy."
TOO_MANY = "There are too many fields or parameters."


class TooLarge(exceptions.APIException):
    """The body is larger than DATA_UPLOAD_MAX_MEMORY_SIZE."""

    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE
    default_detail = "The body is too large. Send fewer records at a time."
    default_code = "too_large"


class Unavailable(exceptions.APIException):
    """A store does not answer."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "A store does not answer. Try again."
    default_code = "unavailable"
    # Seconds, which DRF says in Retry-After.
    wait = 5


class TookTooLong(Unavailable):
    """A statement was given up: it reads more than anybody waits for."""

    default_detail = "This took too long and was given up. Ask for less, or try again."
    default_code = "took_too_long"


STORE_FAILURES = (OperationalError, InterfaceError, redis.RedisError, postgres_errors.OperationalError)


def answer(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler, which also knows the failures of our stores."""
    if isinstance(error, RequestDataTooBig):
        error = TooLarge()
    elif isinstance(error, TooManyFieldsSent | TooManyFilesSent):
        error = exceptions.ParseError(TOO_MANY)
    elif isinstance(error, exceptions.UnsupportedMediaType) and not isinstance(error, UnsupportedCharset):
        *others, last = (parser.media_type for parser in context["view"].parser_classes)
        taken = f"{', '.join(others)} or {last}" if others else last
        error.detail = exceptions.ErrorDetail(f"{error.detail} Send {taken}.", error.default_code)
    else:
        error = store_failure(error, context["request"].path) or error
    response = exception_handler(error, context)
    posted = context["request"].method == "POST" and getattr(context["view"], "takes_transactions", False)
    if response is not None and posted and response.status_code in REASONS:
        refused(REASONS[response.status_code])
    return response


def store_failure(error: Exception, path: str) -> exceptions.APIException | None:
    """What the API says of a store's failure under `path`, None of another error."""
    if not isinstance(error, STORE_FAILURES):
        return None
    log.error("A store failed under %s: %s", path, type(error).__name__)
    return TookTooLong() if isinstance(error.__cause__, QueryCanceled) else Unavailable()


def _in_api(request: HttpRequest) -> bool:
    return f"{request.path_info}/".startswith("/api/")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's 400 (a host that is not allowed, say), as JSON under /api/."""
    if _in_api(request):
        is_many = isinstance(exception, TooManyFieldsSent | TooManyFilesSent)
        return JsonResponse({"detail": TOO_MANY if is_many else "Bad request."}, status=400)
    return _bad_request(request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    if _in_api(request):
        return JsonResponse({"detail": "Forbidden."}, status=403)
    return _permission_denied(request, exception)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return nothing_here(request)


@csrf_exempt
def nothing_here(request: HttpRequest) -> HttpResponse:
    """The view of every path that there is not: with DEBUG Django would answer a page of its own."""
    if _in_api(request):
        return JsonResponse({"detail": "Not found."}, status=404)
    if "text/html" in request.headers.get("Accept", ""):
        # A browser. Without the request: the page is nobody's, and asks no store.
        return HttpResponse(render_to_string("404.html"), status=404)
    return HttpResponse("Not found.\n", status=404, content_type="text/plain; charset=utf-8")


# Behind these the form cannot be read again.
TOO_MUCH = (RequestDataTooBig, TooManyFieldsSent, TooManyFilesSent)


class AwayStore(StrEnum):
    """A store that may not answer, by the name that pages have for it, and as it is called."""

    POSTGRES = "postgres"
    REDIS = "redis"

    @property
    def called(self) -> str:
        return "PostgreSQL" if self is AwayStore.POSTGRES else "Redis"

    @property
    def detail(self) -> str:
        """What pages say of it."""
        return f"{self.called} does not answer{' in time' * (self is AwayStore.POSTGRES)}."


def unavailable(request: HttpRequest, part: AwayStore | None, told: str) -> HttpResponse:
    """A 503 that names the part that does not answer, if one does not: a page for browsers.

    `told` is what programs are told: as JSON under /api/, or as text.
    """
    accepted = request.headers.get("Accept", "")
    if "text/html" in accepted and not _in_api(request):
        return _unavailable_page(part, busy=part is None)
    if _in_api(request):
        return JsonResponse({"detail": told}, status=503)
    if "application/json" in accepted:
        # A page of ours asks, and shows it.
        named = {"part": part.value} if part else {}
        return JsonResponse({"detail": part.detail if part else BUSY, **named}, status=503)
    return HttpResponse(told, status=503, content_type="text/plain; charset=utf-8")


def _store_away(request: HttpRequest, error: BaseException) -> HttpResponse:
    if _in_api(request):
        answer: HttpResponse = JsonResponse({"detail": Unavailable.default_detail}, status=503)
    else:
        answer = _unavailable_page(_part_of(error))
    answer.headers["Retry-After"] = str(Unavailable.wait)
    return answer


def _unavailable_page(part: AwayStore | None, *, busy: bool = False) -> HttpResponse:
    detail = part.detail if part else BUSY if busy else "A store does not answer."
    heading = f"{part.called} does not answer" if part else detail.removesuffix(".")
    shown = {"part": part, "busy": busy, "heading": heading, "detail": detail}
    # Without the request: the page is nobody's, and asks no store.
    return HttpResponse(render_to_string("503.html", shown), status=503)


def _part_of(error: BaseException) -> AwayStore | None:
    """Which store has failed; None where it answers, and gave up a statement that took long."""
    if isinstance(error, redis.RedisError):
        return AwayStore.REDIS
    return None if isinstance(error.__cause__, QueryCanceled) else AwayStore.POSTGRES


class ErrorPages:
    """Middleware, with DEBUG alone: what there is not, or cannot be read, is told by the pages above.

    Django has pages for developers then, which tell nothing to a person who tries the system. What a view
    raises without meaning to keeps its traceback.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        if not settings.DEBUG:
            raise MiddlewareNotUsed
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        try:
            # Once, for all that reads it further in. Django's page of an address that has too many would read
            # it again, and fail by that.
            _ = request.GET
        except TooManyFieldsSent as error:
            return self._unread(request, error)
        return self._get_response(request)

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], *given: object
    ) -> HttpResponse | None:
        """Reads a form that the look at CSRF reads next: what fails there comes to no `process_exception`."""
        if request.method == "POST" and not getattr(view, "csrf_exempt", False):
            try:
                _ = request.POST
            except TOO_MUCH as error:
                return self._unread(request, error)
        return None

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Django calls this with what a view has raised; None leaves it to Django."""
        if isinstance(error, Http404):
            return not_found(request, error)
        if isinstance(error, SuspiciousOperation | BadRequest):
            return self._unread(request, error)
        if isinstance(error, STORE_FAILURES):
            return server_error(request)
        return None

    @staticmethod
    def _unread(request: HttpRequest, error: Exception) -> HttpResponse:
        log.warning("Bad request: %s: %s", request.path, error)
        return bad_request(request, error)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's 500, called while the error is handled; 503 where it is a store that does not answer."""
    if isinstance(error := sys.exc_info()[1], STORE_FAILURES):
        log.error("A store failed under %s: %s", request.path, type(error).__name__)
        return _store_away(request, error)
    if _in_api(request):
        return JsonResponse({"detail": "A server error occurred."}, status=500)
    return _server_error(request)
