"""A request that was answered is gone from Daphne at once."""

import asyncio
from typing import Any

import pytest
from daphne.server import Server

from transaction_monitoring.serving import finished_requests


class Protocol:
    """Stands for a request in Daphne's books."""

    def handle_exception(self, error: BaseException) -> None:
        raise AssertionError("answered already")


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await receive()
    if scope["path"] == "/raises":
        raise ValueError


@pytest.mark.parametrize(
    ("path", "disconnects", "kept"), [("/", True, 0), ("/raises", True, 1), ("/", False, 1)]
)
def test_daphne_keeps_only_what_did_not_end_well(
    monkeypatch: pytest.MonkeyPatch, path: str, disconnects: bool, kept: int
) -> None:
    """What raised, or whose connection goes on, is left to Daphne's own look."""
    monkeypatch.setattr(Server, "create_application", Server.create_application)
    finished_requests.install()
    server, protocol = Server(application, endpoints=["tcp:0"]), Protocol()
    server.connections = {}  # as `run` begins

    async def serve() -> None:
        asyncio.set_event_loop(asyncio.get_running_loop())
        server.protocol_connected(protocol)
        messages = server.create_application(protocol, {"type": "http", "path": path})
        if disconnects:
            server.protocol_disconnected(protocol)
        messages.put_nowait({"type": "http.request"})
        for _ in range(5):
            await asyncio.sleep(0)
        assert server.connections[protocol]["application_instance"].exception() if path == "/raises" else True

    asyncio.run(serve())
    assert len(server.connections) == kept
