"""Static files that never change, answered from memory: as Django has answered the first who asked.

Of a file whose name tells its content Django's answer is kept, with all its headers, and told to whoever asks
for the same in the same way: a thread, and all of Django, would cost ten times what is sent. So there is no
second way to answer: what is not kept, or is asked for on conditions or in part, goes to Django.

A larger file goes to Django too, which sends it as it is read: here nothing waits for a client.
"""

from collections import OrderedDict
from typing import NamedTuple
from urllib.parse import urlsplit

from asgiref.typing import (
    ASGI3Application,
    ASGIReceiveCallable,
    ASGISendCallable,
    ASGISendEvent,
    HTTPScope,
    Scope,
)
from django.conf import settings

from .early_answers import header, is_secure, path_of

# Of all bodies that a process keeps, each with some hundred bytes of headers. Ours have less than 1 MB.
KEPT_BYTES_MAX = 8 * 1024 * 1024
ENTRY_BYTES = 1024
# What browsers and clients send is shorter; each wording has an answer of its own.
ENCODINGS_MAX = 64
# Whatever asks for less than the whole, or states a body.
ON_CONDITIONS = frozenset(
    {
        *(b"if-none-match", b"if-modified-since", b"if-range", b"range"),
        *(b"content-type", b"content-length", b"transfer-encoding"),
    }
)

# The path, how it may be packed, and whether it is asked for by TLS.
Key = tuple[str, str, bool]


class KeptAnswer(NamedTuple):
    """An answer of Django's."""

    headers: list[tuple[bytes, bytes]]
    body: bytes


class KeptAnswers:
    """The answers of one process; those that were told longest ago go first."""

    def __init__(self, bytes_max: int = KEPT_BYTES_MAX) -> None:
        self._answers: OrderedDict[Key, KeptAnswer] = OrderedDict()
        self._room = bytes_max

    def get(self, key: Key) -> KeptAnswer | None:
        """The answer to that, if it is kept."""
        kept = self._answers.get(key)
        if kept is not None:
            self._answers.move_to_end(key)
        return kept

    def put(self, key: Key, kept: KeptAnswer) -> None:
        """Keeps one; of two that came at once the second takes the place of the first."""
        self._forget(self._answers.pop(key, None))
        self._answers[key] = kept
        self._room -= len(kept.body) + ENTRY_BYTES
        while self._room < 0:
            self._forget(self._answers.popitem(last=False)[1])

    def _forget(self, kept: KeptAnswer | None) -> None:
        if kept is not None:
            self._room += len(kept.body) + ENTRY_BYTES


def kept_files(application: ASGI3Application) -> ASGI3Application:
    """`application` behind the answers that are kept; with FAST_LANE off `application` itself."""
    if not settings.FAST_LANE:
        return application
    prefix = urlsplit(settings.STATIC_URL).path
    answers = KeptAnswers()

    async def kept_or_asked(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] != "http" or (key := _key(scope, prefix)) is None:
            return await application(scope, receive, send)
        if (kept := answers.get(key)) is None:
            return await application(scope, receive, _noting(send, answers, key))
        await send({"type": "http.response.start", "status": 200, "headers": kept.headers, "trailers": False})
        await send({"type": "http.response.body", "body": kept.body, "more_body": False})
        return None

    return kept_or_asked


def _key(scope: HTTPScope, prefix: str) -> Key | None:
    """What is asked for; None for what is none of these files, or is asked for in another way."""
    if scope["method"] != "GET" or scope["query_string"] or not (path := path_of(scope)).startswith(prefix):
        return None
    if not ON_CONDITIONS.isdisjoint(name for name, _ in scope["headers"]):
        return None
    encodings = header(scope, b"accept-encoding") or ""
    return (path, encodings, is_secure(scope)) if len(encodings) <= ENCODINGS_MAX else None


def _noting(send: ASGISendCallable, answers: KeptAnswers, key: Key) -> ASGISendCallable:
    """`send`, which keeps what it sends if that is whole and says that it never changes."""
    headers: list[tuple[bytes, bytes]] | None = None

    async def noted(message: ASGISendEvent) -> None:
        nonlocal headers
        if message["type"] == "http.response.start":
            given = list(message["headers"])
            says = {name.lower(): value for name, value in given}.get(b"cache-control", b"")
            headers = given if message["status"] == 200 and b"immutable" in says else None
        elif message["type"] == "http.response.body" and headers is not None:
            if not message.get("more_body"):
                answers.put(key, KeptAnswer(headers, message["body"]))
            headers = None
        await send(message)

    return noted
