"""`manage.py webhook_listen` and `manage.py messages`, as somebody types them."""

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from tests.support.serving import ROOT, database_url
from transactions.notifications import outbox
from transactions.notifications.models import Endpoint, Message, MessageType

from .conftest import deliver, eventually

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.slow
def test_a_listener_prints_what_comes_verified_and_takes_its_webhook_away() -> None:
    environment = {
        **os.environ,
        "DATABASE_URL": database_url(),
        "WEBHOOK_SECRET_KEYS": "k" * 32,
        "WEBHOOK_PRIVATE_NETWORKS": "127.0.0.0/8",
    }
    command = [sys.executable, "manage.py", "webhook_listen", "--count", "2"]
    listener = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
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
def test_a_listener_that_is_told_to_end_takes_its_webhook_away() -> None:
    environment = {
        **os.environ,
        "DATABASE_URL": database_url(),
        "WEBHOOK_SECRET_KEYS": "k" * 32,
        "WEBHOOK_PRIVATE_NETWORKS": "127.0.0.0/8",
    }
    command = [sys.executable, "manage.py", "webhook_listen"]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as listener:
        try:
            assert listener.stderr is not None
            assert "listening on" in listener.stderr.readline()
            assert Endpoint.objects.exists()
            listener.terminate()
            listener.wait(timeout=60)
        finally:
            listener.kill()
    assert not Endpoint.objects.exists()


def test_a_message_that_nobody_tells_is_an_error() -> None:
    said = StringIO()
    outbox.write(MessageType.SYSTEM_ALARM, {})
    call_command("messages", stdout=said)
    assert said.getvalue() == "No message waits in vain.\n"
    Message.objects.update(not_before=datetime.now(UTC) - timedelta(seconds=61))
    with pytest.raises(CommandError, match="A message has waited more than 60 s"):
        call_command("messages", "--within", "60")
