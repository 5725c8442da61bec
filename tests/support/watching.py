"""Clients of the websocket, and what they see."""

import json
import socket
from typing import Any
from urllib.parse import urlsplit

import httpx
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

PATH = "/ws/admin/transactions/"
# Longer than anything takes on a busy machine.
PATIENCE_S = 30.0


def watch(url: str, path: str = PATH, host: str | None = None, **headers: str) -> ClientConnection:
    """A websocket of a client that is no browser. Raises InvalidStatus for a handshake refused."""
    parts = urlsplit(url)
    return connect(
        f"ws://{host or parts.netloc}{path}",
        sock=socket.create_connection((str(parts.hostname), parts.port or 80), PATIENCE_S),
        additional_headers={name.replace("_", "-"): value for name, value in headers.items()},
        proxy=None,
        open_timeout=PATIENCE_S,
    )


def refused(url: str, path: str = PATH, host: str | None = None, **headers: str) -> bool:
    """Whether a handshake is answered 403; else it is taken."""
    try:
        with watch(url, path, host, **headers):
            return False
    except InvalidStatus as error:
        if error.response.status_code != 403:
            raise
        return True


def post(url: str, user: User, *ids: str, **more: Any) -> None:
    documents = [{"transaction_id": id, "user": user.pk, "amount": 1000, **more} for id in ids]
    answer = httpx.post(f"{url}/api/add-transactions/", json=documents, timeout=PATIENCE_S, trust_env=False)
    assert (answer.status_code, answer.json()["errors"]) == (200, [])


def heard(websocket: ClientConnection) -> dict[str, Any]:
    message = websocket.recv(timeout=PATIENCE_S)
    assert isinstance(message, str)
    shown: dict[str, Any] = json.loads(message)
    return shown


def close_code(websocket: ClientConnection) -> int | None:
    """The code with which the server closes, once what it still sent is read."""
    try:
        while True:
            websocket.recv(timeout=PATIENCE_S)
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None


def session_of(user: User) -> str:
    client = Client()
    client.force_login(user)
    return f"{settings.SESSION_COOKIE_NAME}={client.cookies[settings.SESSION_COOKIE_NAME].value}"


def failures(log: str) -> list[str]:
    """What should never be in the log of a server, whatever its clients do and whichever store dies."""
    return [line for line in log.splitlines() if "Traceback" in line or "txmon_" in line]
