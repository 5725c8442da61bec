"""Lets go of a request as soon as it is answered.

Daphne keeps every request until a look at all of them once a second, and lets go of a second's
worth at once: 15 µs each, in which nobody is served, and memory that was long out of the
processor's caches. So what ended well is taken out when its application returns; Daphne's look
finds the others: those that raised, were cancelled, or outlived their connection.

This looks into Daphne: a test fails if it changes.
"""

import asyncio
from functools import partial
from typing import Any

from daphne.server import Server

_create_application = Server.create_application


def install() -> None:
    """For Daphne in this process."""
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
