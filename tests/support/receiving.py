"""Receivers of webhooks: real servers on loopback, and deliveries to them."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from standardwebhooks.webhooks import Webhook

from transactions.notifications import delivery


class Received(NamedTuple):
    """One request that a receiver got."""

    path: str
    headers: dict[str, str]
    body: bytes

    def verified(self, secret: str) -> Any:
        """What the library `standardwebhooks` makes of it; raises where the signature is wrong."""
        return Webhook(secret).verify(self.body, self.headers)


Answer = tuple[int, dict[str, str], bytes]


class Receiver:
    """A real HTTP server on loopback, which keeps what it gets and answers as it is told."""

    def __init__(self) -> None:
        self.got: list[Received] = []
        self.answers: Callable[[int], Answer] = lambda number: (204, {}, b"")
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.got.append(Received(self.path, dict(self.headers.items()), body))
                status, headers, text = receiver.answers(len(receiver.got))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing is said."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(
            target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True
        ).start()

    def answer(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
        self.answers = lambda number: (status, headers or {}, body)

    def end(self) -> None:
        self.server.shutdown()
        self.server.server_close()


def deliver() -> None:
    """Gives places to what is there, and carries all that is due, until nothing is."""
    for courier in delivery.deliver():
        courier.result()
