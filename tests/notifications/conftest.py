"""What the tests of being told begin with: keys for secrets, receivers on loopback."""

import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from typing import Any, NamedTuple

import pytest
from django.contrib.auth.models import User
from standardwebhooks.webhooks import Webhook

from transactions.notifications import delivery, endpoints
from transactions.notifications.models import Endpoint


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


@pytest.fixture(autouse=True)
def keys(settings: Any) -> None:
    """Secrets can be kept, and receivers on loopback be sent to."""
    settings.WEBHOOK_SECRET_KEYS = ["k" * 32]
    settings.WEBHOOK_PRIVATE_NETWORKS = [ip_network("127.0.0.0/8")]


@pytest.fixture
def receivers() -> Iterator[Callable[[], Receiver]]:
    """Makes receivers, and ends them."""
    made: list[Receiver] = []

    def make() -> Receiver:
        made.append(Receiver())
        return made[-1]

    yield make
    for each in made:
        each.end()


@pytest.fixture
def receiver(receivers: Callable[[], Receiver]) -> Receiver:
    return receivers()


@pytest.fixture
def endpoint(receiver: Receiver, people: list[User]) -> tuple[Endpoint, str]:
    """An endpoint to the receiver, and its secret."""
    return endpoints.add(receiver.url, by=people[0])


def deliver() -> None:
    """Gives places to what is there, and carries all that is due, until nothing is."""
    for courier in delivery.deliver():
        courier.result()


def eventually(holds: Callable[[], bool]) -> None:
    """Waits until something holds, for half a minute."""
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
