"""A receiver of webhooks: a real HTTP server, which answers as it is told; and deliveries to it."""

import socket
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from standardwebhooks.webhooks import Webhook

from transactions.notifications import delivery


class Received(NamedTuple):
    """One request that a receiver got; `at` in seconds since 1970."""

    path: str
    headers: dict[str, str]
    body: bytes
    at: float

    def verified(self, secret: str) -> Any:
        """What the library `standardwebhooks` makes of it; raises where the signature is wrong."""
        return Webhook(secret).verify(self.body, self.headers)


Answer = tuple[int, dict[str, str], bytes]


class Receiver:
    """On loopback, and up from the first. While it is down its port is its own, and nobody listens there."""

    def __init__(self) -> None:
        self.got: list[Received] = []
        self.answers: Callable[[int], Answer] = lambda number: (204, {}, b"")
        self._place: socket.socket | None = None
        self._port = 0
        self.come_up()
        self.url = f"http://127.0.0.1:{self._port}/hook"

    def come_up(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append(Received(self.path, dict(self.headers.items()), body, time.time()))
                status, headers, text = receiver.answers(len(receiver.got))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing is said."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: Any, client_address: Any) -> None:
                """Who hangs up first, as a sender that is killed does, is no error here."""

        self._leave()
        self.server = Server(("127.0.0.1", self._port), Handler)
        self._port = self.server.server_address[1]
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()

    def go_down(self) -> None:
        """Connections are refused from now on."""
        self.end()
        self._place = socket.socket()
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._place.bind(("127.0.0.1", self._port))

    def answer(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.answers = lambda number: (status, headers or {}, body)

    def end(self) -> None:
        self._leave()
        self.server.shutdown()
        self.server.server_close()

    def _leave(self) -> None:
        if self._place is not None:
            self._place.close()
            self._place = None


def deliver() -> None:
    """Gives places to what is there, and carries all that is due, until nothing is."""
    for courier in delivery.deliver():
        courier.result()
