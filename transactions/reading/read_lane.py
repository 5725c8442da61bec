"""The read lane: a client asks for what it posted, answered without Django's threads.

A GET of one transaction by a plain id, with a token that this process knows or anonymous in a private run,
is answered here by one look for all that ask at once (see `found_together`). What is not found, is asked for
in any unusual way, or while a store is silent, goes to Django untouched, whose view defines the answer: one
test sends a long table of requests both ways and demands the same answers.
"""

import re

from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, HTTPScope, Scope
from django.conf import settings
from rest_framework.renderers import JSONRenderer

from ..access import rate_limits
from ..access.plain_heads import JSON, Rules, Sender, answer_headers, media_type, plain_headers, sender
from ..access.rights import Right
from . import found_together

# Ids that stand in a path as they are. `average` is another call.
PATH = re.compile(r"/api/transactions/(?!average/?\Z)([A-Za-z0-9_.:@~=,!-]{1,100})/?")
# The methods of the view that the lane stands for.
ALLOW = "GET, HEAD, OPTIONS"


def read_lane(application: ASGI3Application) -> ASGI3Application:
    """`application` behind the lane; with FAST_LANE off `application` itself."""
    if not settings.FAST_LANE:
        return application
    rules = Rules.of_settings()

    async def lane(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if (
            scope["type"] != "http"
            or scope["method"] != "GET"
            or (asked := PATH.fullmatch(scope["path"])) is None
            or scope["query_string"]
            or (sent_by := reader_of(scope, rules)) is None
            or not await _answered(asked[1], sent_by, send)
        ):
            await application(scope, receive, send)

    return lane


def reader_of(scope: HTTPScope, rules: Rules) -> Sender | None:
    """Who asks by a plain GET; None where Django is to answer."""
    if scope.get("root_path"):
        return None
    headers = plain_headers(scope, rules)
    if headers is None or headers.get(b"content-length", b"0") != b"0":
        return None
    if media_type(headers.get(b"content-type", b"application/json")) != JSON:
        return None
    return sender(scope, headers, rules, Right.READ)


def read_headers(
    sent_by: Sender, content: bytes, allowance: rate_limits.Allowance | None
) -> list[tuple[bytes, bytes]]:
    """Those of the answer to a plain GET, as Django's view would have sent them."""
    return [
        *answer_headers(ALLOW, anonymous=sent_by.anonymous, secure=sent_by.secure),
        (b"Content-Length", b"%d" % len(content)),
        *(allowance.lines() if allowance is not None else ()),
    ]


async def _answered(id: str, sent_by: Sender, send: ASGISendCallable) -> bool:
    """Answers, and pays for it; False, and nothing paid, where Django is to answer."""
    caller = sent_by.caller
    allowance = rate_limits.take_held(caller, 1) or await rate_limits.take(caller, 1)
    if allowance is not None and allowance.wait_s:
        await _send(send, sent_by, 429, {"detail": rate_limits.REFUSED}, allowance)
        return True
    found = await found_together.find(id)
    if found is None:
        if allowance is not None:
            rate_limits.give_back(caller, 1)
        return False
    await _send(send, sent_by, 200, found, allowance)
    return True


async def _send(
    send: ASGISendCallable,
    sent_by: Sender,
    status: int,
    told: dict[str, object],
    allowance: rate_limits.Allowance | None,
) -> None:
    content = JSONRenderer().render(told)
    headers = read_headers(sent_by, content, allowance)
    await send({"type": "http.response.start", "status": status, "headers": headers, "trailers": False})
    await send({"type": "http.response.body", "body": content, "more_body": False})
