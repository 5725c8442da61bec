"""Ports for servers that somebody else is told of before they listen."""

import contextlib
import secrets
import socket


def free_port() -> int:
    """A port of loopback for a program that binds it itself, a moment later.

    Of those that the system gives to nobody who does not ask for them: the connections and servers of
    other processes do not come between.
    """
    while True:
        port = 10_000 + secrets.randbelow(20_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
