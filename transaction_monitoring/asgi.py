"""The ASGI application: `daphne -p 8000 transaction_monitoring.asgi:application`."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "transaction_monitoring.settings")
http_application = get_asgi_application()

# Imported once Django is set up.
from channels.routing import ProtocolTypeRouter  # noqa: E402

from transactions.ingest import serve_here  # noqa: E402
from transactions.lane import Receive, Scope, Send, fast_lane  # noqa: E402

from .routing import websocket_application  # noqa: E402

_router = fast_lane(ProtocolTypeRouter({"http": http_application, "websocket": websocket_application}))


async def application(scope: Scope, receive: Receive, send: Send) -> None:
    """Serves one connection on a loop that lasts, so that its requests share their calls to Redis."""
    serve_here()
    await _router(scope, receive, send)
