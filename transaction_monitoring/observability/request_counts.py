"""Counting and timing of requests and websockets, around the applications that serve them."""

from time import perf_counter

from transactions.intake.fast_lane import ENDPOINTS, Application, Message, Receive, Scope, Send
from transactions.metrics.counters import tally


def observed_posts(application: Application) -> Application:
    """`application`, whose answers to posted transactions are counted and timed, by their first byte."""

    async def observed(scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = ENDPOINTS.get(scope["path"])
        if endpoint is None or scope.get("method") != "POST":
            return await application(scope, receive, send)
        began = perf_counter()

        async def send_observed(message: Message) -> None:
            if message["type"] == "http.response.start":
                tally.answered(endpoint, message["status"], perf_counter() - began)
            await send(message)

        return await application(scope, receive, send_observed)

    return observed


def observed_websockets(application: Application) -> Application:
    """`application`, whose connections are counted: those that are open, and how we closed others."""

    async def observed(scope: Scope, receive: Receive, send: Send) -> None:
        is_open = False

        async def send_observed(message: Message) -> None:
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
