"""A mail server that drips what it says: each of its replies comes in time, or the mail has failed."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from transaction_monitoring import notification_settings
from transactions.notifications import trying_mail
from transactions.notifications.models import Recipient

pytestmark = pytest.mark.django_db(transaction=True)

# So long it drips at most: whoever waits for it all has waited for longer than a reply may take.
DRIPS_S = 10.0
REPLIES = ["220 mail.example", "250 mail.example", "250 ok", "250 ok", "354 go on", "250 taken", "221 bye"]


@contextmanager
def mail_server(whole: int, drip: bytes) -> Iterator[tuple[int, list[str]]]:
    """A server that gives so many replies and drips the next one; its port, and what it was told."""
    said: list[str] = []

    def talk(caller: socket.socket) -> None:
        with caller, caller.makefile("rb") as lines:
            for reply in REPLIES[:whole]:
                caller.sendall(f"{reply}\r\n".encode())
                said.append(lines.readline().decode())
                while reply.startswith("354") and said[-1] not in (".\r\n", ""):
                    said.append(lines.readline().decode())
            began = time.monotonic()
            while time.monotonic() - began < DRIPS_S:
                caller.sendall(drip)
                time.sleep(0.2)

    def serve() -> None:
        with suppress(OSError):
            talk(listener.accept()[0])

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()[1], said


def failure_of_a_test_mail(settings: Any, port: int, timeout_s: int = 3) -> str:
    """Sends a test mail by that server, as its URL has it: what it failed by."""
    for name, value in notification_settings.email(f"smtp://127.0.0.1:{port}").items():
        setattr(settings, name, value)
    settings.EMAIL_ENABLED, settings.EMAIL_TIMEOUT = True, timeout_s
    recipient = Recipient.objects.create(address="ann@example.org")
    trying_mail.ask(recipient.pk)
    trying_mail.send_asked()
    recipient.refresh_from_db()
    assert recipient.test_ended_at is not None
    return recipient.test_failure


@pytest.mark.parametrize("drip", [b"220-wait\r\n", b"2"])
@pytest.mark.parametrize("whole", [0, 1, 3, 5])
def test_a_mail_server_that_drips_a_reply_is_not_waited_for(settings: Any, whole: int, drip: bytes) -> None:
    with mail_server(whole, drip) as (port, _):
        assert failure_of_a_test_mail(settings, port, 1) == "The mail server did not answer in time."


def test_a_mail_that_was_taken_has_not_failed_however_long_the_farewell_takes(settings: Any) -> None:
    with mail_server(6, b"221-bye\r\n") as (port, said):
        began = time.monotonic()
        assert failure_of_a_test_mail(settings, port) == ""
        assert time.monotonic() - began < DRIPS_S
        assert said[-1] == "quit\r\n"


def test_a_mail_server_that_hangs_up_is_told_as_such(settings: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        hanging_up = threading.Thread(target=lambda: listener.accept()[0].close(), daemon=True)
        hanging_up.start()
        port = listener.getsockname()[1]
        assert failure_of_a_test_mail(settings, port) == "The mail server hung up."
