"""The calls that sum up and page, by the shortest way: a page of the list, averages, the books.

Django's middleware, its resolver and the REST framework take longer over such a GET than what is asked for.
So a plain one, with a token that this process knows or anonymous in a private run, goes to one of Django's
threads with a note (PLAIN) of what to do there, which is what its view does. What is not plain, is not right,
or fails has no note or comes to nothing, and Django answers it from the beginning: its views define the API.
One test sends a long table of requests both ways and demands the same answers.
"""

import logging
from collections.abc import Callable
from typing import Any, NamedTuple, cast

from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope
from django.conf import settings
from django.http import HttpResponse, QueryDict
from rest_framework.renderers import JSONRenderer

from ..access import rate_limits
from ..access.plain_heads import Rules, Sender, answer_headers
from ..encodings import escapes_fault
from ..reading.averages import DAYS_AT_ONCE, AverageParameters
from ..reading.listing import ListParameters
from ..reading.paging import next_address
from ..reading.parameters import Parameters
from ..reading.read_lane import ALLOW, reader_of, refuse
from .base import PageRenderer, as_dict
from .transactions import averaged, books, listed

log = logging.getLogger(__name__)

# Of the scope of a request: its PlainRead.
PLAIN = "transactions.plain_read"


class PlainRead(NamedTuple):
    """What a thread is to do for a plain GET, by whom it is sent, and what it was paid with."""

    scope: HTTPScope
    sent_by: Sender
    allowance: rate_limits.Allowance | None

    def answer(self) -> HttpResponse | None:
        """The answer, in a thread; None, and nothing paid, where Django is to answer."""
        try:
            content = self._content()
        except Exception as error:
            # Whatever it is, Django's way meets it again, and says what there is to say.
            log.debug("A plain GET of %s is left to Django: %s", self.scope["path"], type(error).__name__)
            content = None
        if content is None:
            rate_limits.give_back(self.sent_by.caller, 1)
            return None
        response = HttpResponse(content)
        lines = (
            *answer_headers(ALLOW, anonymous=self.sent_by.anonymous, secure=self.sent_by.secure),
            (b"Content-Length", b"%d" % len(content)),
            *(self.allowance.lines() if self.allowance is not None else ()),
        )
        for name, value in lines:
            response.headers[name.decode()] = value.decode()
        return response

    def _content(self) -> bytes | None:
        query = self.scope["query_string"].decode("ascii")
        if escapes_fault(query, "query string"):
            return None
        call = CALLS[self.scope["path"]]
        given = QueryDict(query)
        asked = call.parameters(data=given)
        if not asked.is_valid():
            return None
        return call.content(asked, self._address, given)

    @property
    def _address(self) -> str:
        """The address of the call, as Django makes it."""
        host = dict(self.scope["headers"])[b"host"].decode("latin-1")
        return f"{'https' if self.sent_by.secure else 'http'}://{host}{self.scope['path']}"


def _page(asked: Any, address: str, given: QueryDict) -> bytes:
    page = listed(asked.wanted())
    return cast("bytes", PageRenderer().render(as_dict(page, next_address(address, given, page.cursor))))


def _averages(asked: Any, address: str, given: QueryDict) -> bytes | None:
    """Of a range that no other has to wait for."""
    question = asked.question()
    if (
        question.first is None
        or question.last is None
        or (question.last - question.first).days >= DAYS_AT_ONCE
    ):
        return None
    return JSONRenderer().render(averaged(question))


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


def plain_reads(application: ASGI3Application) -> ASGI3Application:
    """`application`, which finds a PlainRead with each request that is one; with FAST_LANE off none is."""
    if not settings.FAST_LANE:
        return application
    rules = Rules.of_settings()

    async def lane(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if (
            scope["type"] != "http"
            or scope["method"] != "GET"
            or scope["path"] not in CALLS
            or (sent_by := reader_of(scope, rules)) is None
        ):
            return await application(scope, receive, send)
        caller = sent_by.caller
        allowance = rate_limits.take_held(caller, 1) or await rate_limits.take(caller, 1)
        if allowance is not None and allowance.wait_s:
            return await refuse(send, sent_by, allowance)
        noted = {**scope, PLAIN: PlainRead(scope, sent_by, allowance)}
        return await application(cast("Scope", noted), receive, send)

    return lane
