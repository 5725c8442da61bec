"""The programs of docs/webhooks.md, as they stand there: receivers take ours alone, the pull misses none."""

import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from dev.ports import free_port
from tests.support.serving import ROOT, daphne
from transactions.access.rights import Right
from transactions.access.tokens import create
from transactions.notifications import endpoints, numbering, outbox
from transactions.notifications.models import Delivery, Message, MessageType

from .conftest import deliver, eventually

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

PAGE = (ROOT / "docs" / "webhooks.md").read_text()
FENCED: list[tuple[str, str]] = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
RECEIVERS = {"python": (sys.executable, "receive.py"), "javascript": ("node", "receive.mjs")}


def program(language: str, beginning: str) -> str:
    (found,) = (text for each, text in FENCED if each == language and text.startswith(beginning))
    return found


def takes(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


@pytest.mark.parametrize("language", RECEIVERS)
def test_a_receiver_takes_what_is_ours_once_and_refuses_the_rest(language: str, tmp_path: Path) -> None:
    runner, name = RECEIVERS[language]
    sign = "#" if language == "python" else "//"
    (tmp_path / name).write_text(program(language, f"{sign} A receiver"))
    port = free_port()
    url = f"http://127.0.0.1:{port}/"
    made, secret = endpoints.add(url)
    environment = {"PATH": os.environ["PATH"], "PORT": str(port), "WEBHOOK_SECRET": secret}
    receiver = subprocess.Popen(
        [runner, name], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    )
    try:
        eventually(lambda: takes(port))
        outbox.write(MessageType.SYSTEM_ALARM, {"text": "é"})
        deliver()
        endpoints.rotate(made.pk)
        endpoints.send_again(made.pk, Delivery.objects.get().pk)
        deliver()
        outbox.write(MessageType.SYSTEM_RECOVERED, {})
        deliver()
        assert set(Delivery.objects.values_list("state", flat=True)) == {"DELIVERED"}
        forged = {"webhook-id": "msg_1", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"}
        for headers in (forged, {**forged, "webhook-timestamp": "x"}, {}):
            assert httpx.post(url, json={}, headers=headers, trust_env=False).status_code == 401
    finally:
        receiver.kill()
        said, _ = receiver.communicate()
    first, second = Message.objects.order_by("id")
    assert said == f"system.alarm {first.webhook_id}\nsystem.recovered {second.webhook_id}\n"


@pytest.fixture
def server(transactional_db: None) -> Iterator[str]:
    with daphne(ALLOW_ANONYMOUS_API="false", WEBHOOK_SECRET_KEYS="k" * 32) as url:
        yield url


def test_the_pull_goes_on_where_it_ended(server: str, tmp_path: Path) -> None:
    token, _ = create("puller", rights=frozenset({Right.VIEW_EVENTS}))
    (tmp_path / "pull.sh").write_text(program("bash", "# pull.sh"))

    def pulled() -> list[int]:
        said = subprocess.run(
            ["bash", "pull.sh"],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "API_URL": server, "API_TOKEN": token},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        return [int(each) for each in re.findall(r'"data":\{"number":([0-9]+)\}', said)]

    for number in range(1_001):
        outbox.write(MessageType.SYSTEM_ALARM, {"number": number})
    while numbering.number():
        """A thousand at a time."""
    assert pulled() == list(range(1_001))
    assert pulled() == []
    outbox.write(MessageType.SYSTEM_ALARM, {"number": 7})
    numbering.number()
    assert pulled() == [7]


def test_a_webhook_is_made_by_curl_as_the_page_says(server: str) -> None:
    token, _ = create("maker", rights=frozenset({Right.MANAGE_WEBHOOKS}))
    environment = {"PATH": os.environ["PATH"], "API_URL": server, "API_TOKEN": token}

    def answered(beginning: str) -> str:
        command = ["bash", "-c", program("bash", beginning)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout

    assert '"secret":"whsec_' in answered("curl -sS -X POST")
    channel = json.loads(answered("# A channel of Slack"))
    assert (channel["url"], channel["secret"]) == ("https://hooks.slack.com/…", None)
