"""Counting and timing of requests and websockets, around the applications that serve them."""

from time import perf_counter

from asgiref.typing import ASGI3Application, ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, Scope

from transactions.intake.fast_lane import ENDPOINTS
from transactions.metrics.counters import tally


def observed_posts(application: ASGI3Application) -> ASGI3Application:
    """`application`, whose answers to posted transactions are counted and timed, until their first byte."""

    async def observed(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] not in ENDPOINTS:
            return await application(scope, receive, send)
        endpoint = ENDPOINTS[scope["path"]]
        began = perf_counter()

        async def send_observed(message: ASGISendEvent) -> None:
            if message["type"] == "http.response.start":
                tally.answered(endpoint, message["status"], perf_counter() - began)
            await send(message)

        return await application(scope, receive, send_observed)

    return observed


def observed_websockets(application: ASGI3Application) -> ASGI3Application:
    """`application`, whose connections are counted: how many are open, and by which codes we close them."""

    async def observed(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        is_open = False

        async def send_observed(message: ASGISendEvent) -> None:
            nonlocal is_open
            if message["type"] == "websocket.accept":
                is_open = True
                tally.clients(1)
            elif message["type"] == "websocket.close" and is_open:
                tally.add(f"websocket_closed|{message.get('code', 1000)}")
            await send(message)

        try:
            await application(scope, receive, send_observed)
        finally:
            if is_open:
                tally.clients(-1)

    return observed
