"""`manage.py webhook_listen` and `manage.py messages`, as somebody types them."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tests.support.serving import ROOT, database_url
from transactions.notifications import outbox, signing, untold
from transactions.notifications.models import Endpoint, Message, MessageType

from .conftest import deliver, eventually

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.slow
def test_a_listener_prints_what_comes_verified_and_takes_its_webhook_away() -> None:
    command = [sys.executable, "manage.py", "webhook_listen", "--count", "2"]
    listener = subprocess.Popen(command, cwd=ROOT, env=listening(), stdout=subprocess.PIPE, text=True)
    try:
        eventually(Endpoint.objects.exists)
        outbox.write(MessageType.SYSTEM_ALARM, {"text": "\x1b[2J"})
        outbox.write(MessageType.SYSTEM_RECOVERED, {})
        deliver()
        said, _ = listener.communicate(timeout=60)
    finally:
        listener.kill()
    first, second = Message.objects.order_by("id")
    assert f"{first.webhook_id} verified\n" in said
    assert f"{second.webhook_id} verified\n" in said
    assert '"type": "system.alarm"' in said
    assert "\x1b" not in said
    assert not Endpoint.objects.exists()


@pytest.mark.slow
def test_a_listener_that_is_ended_takes_its_webhook_away() -> None:
    listener = subprocess.Popen(
        [sys.executable, "manage.py", "webhook_listen"], cwd=ROOT, env=listening(), stderr=subprocess.PIPE
    )
    try:
        assert listener.stderr is not None
        assert b"listening on" in listener.stderr.readline()
        assert Endpoint.objects.exists()
        listener.terminate()
        listener.communicate(timeout=60)
    finally:
        listener.kill()
    assert listener.returncode == 0
    assert not Endpoint.objects.exists()


@pytest.mark.slow
def test_a_listener_with_a_secret_makes_no_webhook() -> None:
    """It comes by the environment: a command line can be read by others."""
    listener = subprocess.Popen(
        [sys.executable, "manage.py", "webhook_listen", "--count", "1"],
        cwd=ROOT,
        env={**listening(), "WEBHOOK_SECRET": signing.new_secret()},
        stderr=subprocess.PIPE,
    )
    try:
        assert listener.stderr is not None
        assert b"listening on" in listener.stderr.readline()
        assert not Endpoint.objects.exists()
    finally:
        listener.kill()
        listener.communicate()


def listening() -> dict[str, str]:
    """The environment of a listener."""
    return {
        **os.environ,
        "DATABASE_URL": database_url(),
        "WEBHOOK_SECRET_KEYS": "k" * 32,
        "WEBHOOK_PRIVATE_NETWORKS": "127.0.0.0/8",
    }


@pytest.mark.parametrize("port", ["99999", "-1"])
def test_a_port_that_there_is_not_is_refused(port: str) -> None:
    with pytest.raises(CommandError, match=r"^--port is a number from 0 to 65535\.$"):
        call_command("webhook_listen", "--port", port)
    assert not Endpoint.objects.exists()


def test_a_message_that_nobody_tells_is_an_error() -> None:
    said = StringIO()
    outbox.write(MessageType.SYSTEM_ALARM, {})
    call_command("messages", stdout=said)
    assert said.getvalue() == "No message waits in vain.\n"
    Message.objects.update(not_before=datetime.now(UTC) - timedelta(seconds=61))
    with pytest.raises(CommandError, match="A message has waited more than 60 s"):
        call_command("messages", "--within", "60")
    call_command("messages")
    Message.objects.update(not_before=datetime.now(UTC) - timedelta(seconds=untold.OLD_S + 1))
    with pytest.raises(CommandError, match="A message has waited more than 300 s"):
        call_command("messages")
