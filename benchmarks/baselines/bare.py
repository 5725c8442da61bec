"""The limit of a server program: an ASGI callable that reads the request and says what we would say."""

from asgiref.typing import (
    ASGIReceiveCallable,
    ASGISendCallable,
    HTTPResponseBodyEvent,
    HTTPResponseStartEvent,
    Scope,
)

CONTENT = b'{"message":"Transaction detail was obtained successfully."}'
HEADERS = [
    (b"Content-Type", b"application/json"),
    (b"Allow", b"POST, OPTIONS"),
    (b"X-Frame-Options", b"DENY"),
    (b"X-Content-Type-Options", b"nosniff"),
    (b"Referrer-Policy", b"same-origin"),
    (b"Cross-Origin-Opener-Policy", b"same-origin"),
    (b"Content-Length", b"%d" % len(CONTENT)),
]
START: HTTPResponseStartEvent = {
    "type": "http.response.start",
    "status": 200,
    "headers": HEADERS,
    "trailers": False,
}
BODY: HTTPResponseBodyEvent = {"type": "http.response.body", "body": CONTENT, "more_body": False}


async def application(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    if scope["type"] == "http":
        while (await receive()).get("more_body"):
            pass
        await send(START)
        await send(BODY)
