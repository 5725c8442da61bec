"""Paths of the websocket."""

from collections.abc import Awaitable, Callable
from typing import Any

from channels.routing import URLRouter
from django.urls import re_path

from .consumers import TransactionStream

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    """A path that leads nowhere: the handshake is answered 403."""
    await receive()
    await send({"type": "websocket.close"})


websocket_urlpatterns = [
    re_path(r"^ws/admin/transactions/?$", TransactionStream.as_asgi()),
    re_path(r"", refuse),  # type: ignore[arg-type]
]
_routes = URLRouter(websocket_urlpatterns)


async def websocket_application(scope: Scope, receive: Receive, send: Send) -> None:
    """Leads a websocket to its consumer. A client may state any root path; the router would raise."""
    inside = scope["path"].startswith(scope.get("root_path", ""))
    await (_routes if inside else refuse)(scope, receive, send)
