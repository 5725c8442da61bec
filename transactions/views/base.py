"""What calls of the API have in common: checked parameters and bodies, refusals, and pages."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import wraps
from typing import Any

import orjson
from django.db import IntegrityError
from django.http import Http404
from rest_framework import status
from rest_framework.exceptions import APIException, NotFound, ParseError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ..encodings import escapes_fault
from ..intake.parsers import BoundedParser, decode
from ..reading.paging import Page, next_address
from ..reading.parameters import Parameters
from ..serializers import Posted
from ..stores import bounded_queries
from ..stores.meanwhile import came_between

BODY_BYTES_MAX = 64 * 1024
# What a call may raise, as the API says it; of two that fit the first.
Refusals = Mapping[type[Exception], Callable[[Any], Exception]]


class ApiView(APIView):
    """A call of the API. Its query string holds what `parameters` knows, each once, and nothing else."""

    parameters: type[Parameters[Any]] = Parameters
    # Whether a request that is refused counts as refused transactions.
    takes_transactions = False

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Checks who asks, then what for: `asked` has the parameters, checked."""
        super().initial(request, *args, **kwargs)
        if request.method not in self.allowed_methods:
            return  # a method that there is not is refused as such, whatever is asked
        if fault := escapes_fault(request.META.get("QUERY_STRING", ""), "query string"):
            raise ParseError(fault)
        self.asked = self.parameters(data=request.query_params)
        self.asked.is_valid(raise_exception=True)


class ObjectParser(BoundedParser):
    """One JSON object."""

    media_type = "application/json"

    def read(self, body: bytes) -> Any:
        if len(body) > BODY_BYTES_MAX:
            raise ParseError(f"The JSON has at most {BODY_BYTES_MAX:,} bytes.")
        found = decode(body)
        if not isinstance(found, dict):
            raise ParseError("Expected a JSON object.")
        return found


class Nothing(Posted):
    """A body that says nothing: what is done stands in the path."""


class Conflict(APIException):
    """What is there does not allow it."""

    status_code = status.HTTP_409_CONFLICT
    default_detail = "Somebody changed this at the same time. Look at it again."
    default_code = "conflict"


REFUSALS: Refusals = {
    # Not Django's words, which name our classes.
    Http404: lambda error: NotFound(),
    IntegrityError: lambda error: Conflict() if came_between(error) else error,
}


class JsonView(ApiView):
    """A call about what is kept beside transactions: JSON alone, with rights and refusals of its own."""

    parser_classes: Any = (ObjectParser,)
    # What a GET may ask; no other call has parameters.
    asks: type[Parameters[Any]] = Parameters
    refusals: Refusals = REFUSALS

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        self.parameters = self.asks if request.method in ("GET", "HEAD") else Parameters
        super().initial(request, *args, **kwargs)

    def posted(self, request: Request, form: type[Posted]) -> Any:
        """What was posted, checked by its form."""
        posted = form(data=request.data)
        posted.is_valid(raise_exception=True)
        return posted

    def author(self, request: Request) -> Any:
        """Who calls, None for somebody unknown in a private run."""
        return request.user if request.user.is_authenticated else None

    def handle_exception(self, exc: Exception) -> Response:
        for refused, told in self.refusals.items():
            if isinstance(exc, refused):
                exc = told(exc)
                break
        return super().handle_exception(exc)


def in_bounds(get: Callable[..., Response]) -> Callable[..., Response]:
    """A call each of whose statements is given up after a while: its answer is then 503, with a word."""

    @wraps(get)
    def bounded_get(self: ApiView, request: Request, **kwargs: str) -> Response:
        with bounded_queries.bounded():
            return get(self, request, **kwargs)

    return bounded_get


class PageRenderer(JSONRenderer):
    """The bytes of the REST framework's own renderer, for pages of rows: texts, whole numbers and moments.

    Its fifty rows take a fifth of what Django spends on a page, and orjson a tenth of that. What orjson would
    write otherwise is left to it: what is not ASCII, a DEL, half a character, and an answer that is indented.
    """

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> Any:
        if data is not None and not self.get_indent(accepted_media_type or "", renderer_context or {}):
            with suppress(TypeError):  # as orjson calls what it cannot write
                written = orjson.dumps(data, option=orjson.OPT_UTC_Z)
                if written.isascii() and b"\x7f" not in written:
                    return written
        return super().render(data, accepted_media_type, renderer_context)


def paged(request: Request, page: Page) -> Response:
    """A page, and the URL of the next one."""
    address = request.build_absolute_uri(request.path)
    return Response(as_dict(page, next_address(address, request.query_params, page.cursor)))


def as_dict(page: Page, following: str | None) -> dict[str, Any]:
    """A page as the API shows it; `following` is the URL of the next one."""
    return {"results": page.results, "next": following}
