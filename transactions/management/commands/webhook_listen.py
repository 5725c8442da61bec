"""`manage.py webhook_listen`: a receiver on this machine, which prints what it gets and judges it."""

import json
import os
import signal
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

from django.core.management.base import CommandError, CommandParser

from transactions.notifications import endpoints, signing
from transactions.notifications.models import Endpoint

from ._own import OwnCommand

PORT_MAX = 65_535
BODY_BYTES_MAX = 64 * 1024
# A message older than that is somebody else's copy of it.
OLD_S = 300


class Command(OwnCommand):
    help = (
        "Makes a webhook to this machine, prints what comes by it, verified, and removes it at the end. "
        "With WEBHOOK_SECRET in the environment it makes none, and listens for the one of which that is the "
        "secret: a command line can be read by others on the machine."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=0, help="to listen on (default: any that is free)")
        parser.add_argument("--count", type=int, metavar="N", help="ends after so many messages")

    def handle(self, *args: Any, port: int, count: int | None, **options: Any) -> None:
        if not 0 <= port <= PORT_MAX:
            raise CommandError(f"--port is a number from 0 to {PORT_MAX}.")
        try:
            server = Listener(port)
        except OSError as error:
            raise CommandError(f"port {port} cannot be listened on: {error.strerror}") from None
        # However it is asked to end, its webhook goes: it would fail for days, and be an alarm then.
        for asked in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(asked, signal.default_int_handler)
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        made: Endpoint | None = None
        secret = os.environ.get("WEBHOOK_SECRET", "")
        if not secret:
            try:
                made, secret = endpoints.add(url, description="webhook_listen")
            except (signing.NoKey, endpoints.EndpointRefused, ValueError) as error:
                raise CommandError(str(error)) from None
        server.secret = secret
        try:
            # Within: who reads it may end this at once.
            self.stderr.write(f"listening on {url}, until Ctrl-C", style_func=str)
            while count is None or server.told < count:
                server.handle_request()
                for line in server.lines:
                    self.stdout.write(line)
                server.lines.clear()
                self.stdout.flush()
        except KeyboardInterrupt:
            self.stderr.write("stopped", style_func=str)
        finally:
            server.server_close()
            if made is not None:
                endpoints.remove(made.pk)


class Listener(HTTPServer):
    """Takes one request after the other, and keeps what is to be said of it."""

    def __init__(self, port: int) -> None:
        super().__init__(("127.0.0.1", port), Listening)
        self.secret, self.told = "", 0
        self.lines: list[str] = []


class Listening(BaseHTTPRequestHandler):
    """One request."""

    server: Listener
    timeout = 10

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > BODY_BYTES_MAX:
            self.send_error(413)
            return
        body = self.rfile.read(int(length))
        fault = self._fault(body)
        self.server.told += 1
        self.server.lines.append(
            f"{datetime.now(UTC):%H:%M:%S} {self.headers.get('webhook-id', '')} {fault or 'verified'}"
        )
        self.server.lines.append(_legible(body))
        self.send_response(401 if fault else 204)
        self.end_headers()

    def _fault(self, body: bytes) -> str:
        """What is wrong with it; "" for a message that is ours."""
        id, sent = self.headers.get("webhook-id", ""), self.headers.get("webhook-timestamp", "")
        if not sent.isdecimal() or abs(datetime.now(UTC).timestamp() - int(sent[:12])) > OLD_S:
            return "NOT VERIFIED: its time is not now"
        wanted = signing.signatures([self.server.secret], id, int(sent), body)
        if wanted not in self.headers.get("webhook-signature", "").split(" "):
            return "NOT VERIFIED: the signature is another one"
        return ""

    def log_message(self, format: str, *args: Any) -> None:
        """What there is to say is said on stdout."""


def _legible(body: bytes) -> str:
    try:
        # In ASCII, so that nothing in it can move the terminal's cursor.
        return json.dumps(json.loads(body), indent=2)
    except ValueError:
        return repr(body)
