"""How much waits for a client to read, of which ASGI has no word.

Daphne takes what it is to send without bound, so this looks into Daphne and its Twisted
transport. Tests with clients that do not read fail if they change. Other servers wait in their send.
"""

import array
import fcntl
import termios
from typing import Any


def _protocol(server_send: Any) -> Any:
    return next(iter(getattr(server_send, "args", ())), None)


def unsent_bytes(server_send: Any) -> int:
    """Bytes that Daphne has taken for a connection and the kernel has not; 0 under another server.

    `server_send` is the server's own, which the application leaves in `scope["state"]["server_send"]`.
    """
    transport = getattr(_protocol(server_send), "transport", None)
    waiting = len(getattr(transport, "dataBuffer", b"")) - getattr(transport, "offset", 0)
    return int(waiting + getattr(transport, "_tempDataLen", 0))


def unread_bytes(server_send: Any) -> int:
    """As `unsent_bytes`, and what the kernel has and the client's has not confirmed: with the least that is
    read this shrinks, where the kernel takes more only once there is much room.
    """
    transport = getattr(_protocol(server_send), "transport", None)
    queued = array.array("i", [0])
    try:
        fcntl.ioctl(getattr(transport, "fileno", lambda: -1)(), termios.TIOCOUTQ, queued)
    except (OSError, ValueError):  # closed, or no socket
        return unsent_bytes(server_send)
    return unsent_bytes(server_send) + queued[0]


def abort(server_send: Any) -> None:
    """Ends a connection amid its answer, whatever still waits; another server does so by itself
    when an application returns before its answer is complete.
    """
    transport = getattr(_protocol(server_send), "transport", None)
    if transport is not None:
        transport.abortConnection()
