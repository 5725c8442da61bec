"""X-Request-Id: one name for a request, on its answer, in its log lines, and on the records it leaves.

In front of Django and the websocket, so that also a 404 and a refusal by a middleware bear one. What
is behind finds the name in the request's own header. The fast lane and the limits on bodies answer in
front of this, and name their answers themselves.
"""

from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope

from transactions.intake import request_ids

from ..observability import logs

HEADER = b"x-request-id"


def name_of_request(given: list[bytes]) -> str:
    """The name of a request with these X-Request-Id: the client's if it is one and fit, else ours."""
    return request_ids.kept_or_new(given[0].decode("latin-1") if len(given) == 1 else "")


def with_request_id(application: ASGI3Application) -> ASGI3Application:
    """`application`, each of whose requests has one X-Request-Id: the client's if it is fit, else ours."""

    async def named(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] == "lifespan":
            return await application(scope, receive, send)
        given = [value for name, value in scope["headers"] if name == HEADER]
        name = name_of_request(given)
        stated = (HEADER, name.encode())
        if given != [stated[1]]:
            others = [header for header in scope["headers"] if header[0] != HEADER]
            scope = scope.copy()
            scope["headers"] = [*others, stated]

        async def send_named(message: ASGISendEvent) -> None:
            if message["type"] == "http.response.start" or message["type"] == "websocket.accept":
                message = message.copy()
                message["headers"] = [*message.get("headers", ()), (b"X-Request-Id", stated[1])]
            await send(message)

        token = logs.request_id.set(name)
        try:
            await application(scope, receive, send_named)
        finally:
            logs.request_id.reset(token)

    return named
