"""Paths of the websocket."""

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, Scope
from channels.routing import URLRouter
from django.urls import re_path

from .consumers import TransactionStream


async def refuse(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """A path that leads nowhere: the handshake is answered 403."""
    await receive()
    await send({"type": "websocket.close", "code": 1000, "reason": None})


websocket_urlpatterns = [
    re_path(r"^ws/admin/transactions/?$", TransactionStream.as_asgi()),
    re_path(r"", refuse),  # type: ignore[arg-type]
]
_routes = URLRouter(websocket_urlpatterns)


async def websocket_application(scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
    """Leads a websocket to its consumer. A client may state any root path; the router would raise."""
    assert scope["type"] == "websocket"
    inside = scope["path"].startswith(scope.get("root_path", ""))
    await (_routes if inside else refuse)(scope, receive, send)
