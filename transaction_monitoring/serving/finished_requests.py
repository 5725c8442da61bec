"""Lets go of a request as soon as it is answered.

Daphne keeps every request until it goes through all of them once a second, and then lets go of a
second's worth at once: 15 µs each, in which nobody is served, since their memory has long left the
processor's caches. So a request that ended well is taken out when its application returns. The others,
which raised, were cancelled or outlived their connection, are left to Daphne.

This looks into Daphne: a test fails if it changes.
"""

import asyncio
from functools import partial
from typing import Any

from daphne.server import Server

_create_application = Server.create_application


def install() -> None:
    """Puts this into Daphne's server class, for this process."""
    Server.create_application = create_application


def create_application(server: Any, protocol: Any, scope: Any) -> Any:
    """As Daphne's own: starts the application for a request, and returns the queue of its messages."""
    queue = _create_application(server, protocol, scope)
    if queue is not None:
        server.connections[protocol]["application_instance"].add_done_callback(
            partial(_ended, server, protocol)
        )
    return queue


def _ended(server: Any, protocol: Any, application: "asyncio.Future[None]") -> None:
    well = not application.cancelled() and application.exception() is None
    if well and "disconnected" in server.connections.get(protocol, ()):
        del server.connections[protocol]
