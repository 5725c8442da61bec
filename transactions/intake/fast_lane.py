"""The fast lane: the common POST, answered without Django's threads.

A thread, and all that Django does in it, costs ten times what accepting a record does. So a plain POST,
JSON or a form, with a token that this process knows, or an anonymous one of a private run, is answered
here, by the decoder, the credentials, the limits and the `answers` that the views use too. Whatever is in
any way unusual goes to Django untouched, whose views define the API: one test sends a long table of
requests both ways and demands the same answers.
"""

from contextvars import ContextVar
from time import perf_counter
from typing import NamedTuple

from asgiref.typing import (
    ASGI3Application,
    ASGIReceiveCallable,
    ASGIReceiveEvent,
    ASGISendCallable,
    HTTPScope,
    Scope,
)
from django.conf import settings
from rest_framework.renderers import JSONRenderer

from ..access import rate_limits
from ..access.plain_heads import JSON, Rules, Sender, answer_headers, media_type, plain_headers, sender
from ..access.rights import Right
from ..metrics.counters import tally
from . import answers, batches, decoder, forms, request_ids
from .answers import Answer

RECORD_PATHS = frozenset({"/api/add-transaction", "/api/add-transaction/"})
BATCH_PATHS = frozenset({"/api/add-transactions", "/api/add-transactions/"})
# What the metrics call these paths.
ENDPOINTS = {path: path.strip("/").rpartition("/")[2] for path in RECORD_PATHS | BATCH_PATHS}
# The paths that the lane answers, and the query strings under each: whether a batch is all or none.
ATOMIC = {
    **{path: {b"": False} for path in RECORD_PATHS},
    **{path: {b"": False, b"atomic=false": False, b"atomic=true": True} for path in BATCH_PATHS},
}
_OBTAINED = JSONRenderer().render(answers.OBTAINED)
# The methods of the views that the lane stands for.
ALLOW = "POST, OPTIONS"

# What is said, and what is left to the caller, None where nothing is limited.
Limited = tuple[Answer, rate_limits.Allowance | None]


class Plain(NamedTuple):
    """What matters of a request that the lane can answer."""

    # Of the body, in bytes, as announced.
    length: int
    request_id: str
    is_form: bool
    atomic: bool
    sender: Sender


def fast_lane(application: ASGI3Application, request_id: "ContextVar[str]") -> ASGI3Application:
    """`application` behind the lane; with FAST_LANE off `application` itself.

    Only what reads bodies stands in front of the lane. It is in front of what names, counts and times
    requests: what it answers, it names, counts and times itself. `request_id` is set to the request's
    name for the log.
    """
    if not settings.FAST_LANE:
        return application
    rules = Rules.of_settings()

    async def lane(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            return await application(scope, receive, send)
        began = perf_counter()
        plain = _plain(scope, rules)
        if plain is None:
            return await application(scope, receive, send)
        body, messages = await _read(plain, receive)
        named = request_id.set(plain.request_id)
        try:
            found = await _answer(scope["path"], plain, body) if body is not None else None
        finally:
            request_id.reset(named)
        if found is None:
            return await application(scope, _again(messages, receive), send)
        answer, allowance = found
        content = _OBTAINED if answer.body is answers.OBTAINED else JSONRenderer().render(answer.body)
        tally.answered(ENDPOINTS[scope["path"]], answer.status, perf_counter() - began)
        headers = _headers(answer, allowance, plain, len(content))
        await send(
            {
                "type": "http.response.start",
                "status": answer.status,
                "headers": headers,
                "trailers": False,
            }
        )
        await send({"type": "http.response.body", "body": content, "more_body": False})
        return None

    return lane


def _plain(scope: HTTPScope, rules: Rules) -> Plain | None:
    """What the lane needs of a request, None where Django is to answer it."""
    atomic = ATOMIC.get(scope["path"], {}).get(scope["query_string"])
    if atomic is None or scope.get("root_path"):
        return None
    headers = plain_headers(scope, rules)
    if headers is None:
        return None
    length = headers.get(b"content-length", b"")
    if not length.isdigit() or not 0 < int(length) <= rules.body_bytes_max:
        return None
    if scope["path"] in RECORD_PATHS and int(length) > decoder.RECORD_BYTES_MAX:
        return None
    of_type = media_type(headers.get(b"content-type", b""))
    is_form = of_type == forms.MEDIA_TYPE and scope["path"] in RECORD_PATHS
    if of_type != JSON and not is_form:
        return None
    sent_by = sender(scope, headers, rules, Right.POST)
    if sent_by is None:
        return None
    request_id = request_ids.kept_or_new(headers.get(b"x-request-id", b"").decode("latin-1"))
    return Plain(int(length), request_id, is_form, atomic, sent_by)


async def _read(plain: Plain, receive: ASGIReceiveCallable) -> tuple[bytes | None, list[ASGIReceiveEvent]]:
    """The body and the messages that it came in; no body where the client left or sent too much."""
    messages: list[ASGIReceiveEvent] = []
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        messages.append(message)
        if message["type"] != "http.request":
            return None, messages
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > plain.length:
            return None, messages
        if not message.get("more_body"):
            return b"".join(pieces), messages


def _again(messages: list[ASGIReceiveEvent], receive: ASGIReceiveCallable) -> ASGIReceiveCallable:
    """A `receive` for Django: gives what was received already, then what comes."""
    waiting = iter(messages)

    async def replay() -> ASGIReceiveEvent:
        for message in waiting:
            return message
        return await receive()

    return replay


async def _answer(path: str, plain: Plain, body: bytes) -> Limited | None:
    """None for what Django's parsers are to judge; nothing has been paid for that."""
    if path in RECORD_PATHS:
        return await _answer_to_record(plain, body)
    return await _answer_to_batch(plain, body)


async def _answer_to_record(plain: Plain, body: bytes) -> Limited | None:
    record = forms.record(body) if plain.is_form else decoder.record(body)
    if record is None:
        return None
    caller = plain.sender.caller
    allowance = rate_limits.take_held(caller, 1) or await rate_limits.take(caller, 1)
    if allowance is not None and allowance.wait_s:
        return answers.limited(), allowance
    return await answers.to_record(record, plain.request_id), allowance


async def _answer_to_batch(plain: Plain, body: bytes) -> Limited | None:
    # A batch pays before it is decoded: for as many records as there are braces. Those in an id count too
    # until then.
    braces = max(1, body.count(b"{"))
    if braces > answers.most_records(plain.atomic):
        return None
    caller = plain.sender.caller
    allowance = rate_limits.take_held(caller, braces) or await rate_limits.take(caller, braces)
    if allowance is not None and allowance.wait_s:
        # Django counts the records, where that is another number.
        exact = body.count(b'"transaction_id"') == body.count(b"{")
        return (answers.limited(), allowance) if exact else None
    records = decoder.records(body)
    count = 0 if records is None else max(1, len(records))
    if allowance is not None and count < braces:
        allowance = rate_limits.give_back(caller, braces - count) or allowance
    if records is None:
        return None
    judged = batches.all_right(records)
    return await answers.to_batch(judged, plain.request_id, atomic=plain.atomic), allowance


def _headers(
    answer: Answer, allowance: rate_limits.Allowance | None, plain: Plain, length: int
) -> list[tuple[bytes, bytes]]:
    """The headers that Django's middleware would have set, and those of what stands in front of Django."""
    _, anonymous, secure = plain.sender
    lines = [*answer_headers(ALLOW, anonymous=anonymous, secure=secure), (b"Content-Length", b"%d" % length)]
    for name, value in answer.headers.items():
        lines.append((name.encode(), value.encode()))
    if allowance is not None:
        lines += allowance.lines()
    lines.append((b"X-Request-Id", plain.request_id.encode()))
    return lines
