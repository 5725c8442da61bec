"""The calls that sum up and page, by the shortest way: a page of the list, averages, the books.

Django's middleware, its resolver and the REST framework take longer over such a GET than what is asked for.
So for a plain one, with a token that this process knows or anonymous in a private run, a thread does what the
view does, and nothing around it. What is not plain, or not right, comes to nothing here, is paid back, and
Django answers it from the beginning: its views define the API. One test sends a long table of requests both
ways and demands the same answers.
"""

import logging
from collections.abc import Callable
from typing import Any, NamedTuple, cast

from asgiref.typing import HTTPScope
from django.core.exceptions import TooManyFieldsSent
from django.http import HttpResponse, QueryDict
from rest_framework.exceptions import APIException
from rest_framework.renderers import JSONRenderer

from ..access import rate_limits
from ..access.plain_heads import Rules, Sender
from ..encodings import escapes_fault
from ..reading.averages import AverageParameters, asks_for_few_days
from ..reading.listing import ListParameters
from ..reading.paging import next_address
from ..reading.parameters import Parameters
from ..reading.read_lane import read_headers, reader_of
from .base import PageRenderer, as_dict
from .transactions import averaged, books, listed

log = logging.getLogger(__name__)

# What the API says of an error, None of one that is none of a store's.
FailureOf = Callable[[Exception], APIException | None]


def answer(scope: HTTPScope, rules: Rules, failure_of: FailureOf) -> HttpResponse | None:
    """The answer to a plain GET, in a thread; None, and nothing paid, where Django is to answer."""
    call = CALLS.get(scope["path"])
    if call is None or scope["method"] != "GET" or (sent_by := reader_of(scope, rules)) is None:
        return None
    caller, content = sent_by.caller, None
    allowance = rate_limits.take_in_thread(caller, 1)
    if allowance is not None and allowance.wait_s:
        return _told(429, JSONRenderer().render({"detail": rate_limits.REFUSED}), sent_by, allowance)
    try:
        content = _content(call, scope, sent_by)
    except Exception as error:
        if (failure := failure_of(error)) is not None:
            told = _told(
                failure.status_code, JSONRenderer().render({"detail": failure.detail}), sent_by, allowance
            )
            told.headers["Retry-After"] = str(getattr(failure, "wait", 1))
            return told
        log.warning("A plain GET of %s is left to Django", scope["path"], exc_info=True)
    if content is None:
        if allowance is not None:
            rate_limits.give_back(caller, 1)
        return None
    return _told(200, content, sent_by, allowance)


def _told(
    status: int, content: bytes, sent_by: Sender, allowance: rate_limits.Allowance | None
) -> HttpResponse:
    response = HttpResponse(content, status=status)
    for name, value in read_headers(sent_by, content, allowance):
        response.headers[name.decode()] = value.decode()
    return response


def _content(call: "Call", scope: HTTPScope, sent_by: Sender) -> bytes | None:
    query = scope["query_string"]
    if not query.isascii() or escapes_fault(query.decode(), "query string"):
        return None
    try:
        given = QueryDict(query.decode())
    except TooManyFieldsSent:
        return None
    asked = call.parameters(data=given)
    if not asked.is_valid():
        return None
    host = dict(scope["headers"])[b"host"].decode("latin-1")
    return call.content(asked, f"{'https' if sent_by.secure else 'http'}://{host}{scope['path']}", given)


def _page(asked: Any, address: str, given: QueryDict) -> bytes:
    page = listed(asked.wanted())
    return cast("bytes", PageRenderer().render(as_dict(page, next_address(address, given, page.cursor))))


def _averages(asked: Any, address: str, given: QueryDict) -> bytes | None:
    """Of a range that no other has to wait for."""
    question = asked.question()
    return JSONRenderer().render(averaged(question)) if asks_for_few_days(question) else None


def _books(asked: Any, address: str, given: QueryDict) -> bytes:
    return JSONRenderer().render(books())


class Call(NamedTuple):
    """The parameters of a call, and its content: of them, checked, its address, and all that was given."""

    parameters: type[Parameters[Any]]
    content: Callable[[Any, str, QueryDict], bytes | None]


CALLS = {
    path + slash: call
    for path, call in {
        "/api/transactions": Call(ListParameters, _page),
        "/api/transactions/average": Call(AverageParameters, _averages),
        "/api/pipeline": Call(Parameters, _books),
    }.items()
    for slash in ("", "/")
}
