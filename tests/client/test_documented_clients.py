"""The programs of docs/clients.md, as they stand there, against the running server, which falters."""

import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import pytest
from django.contrib.auth.models import User

from tests.support.faltering import faltering
from tests.support.serving import ROOT
from transactions.access.rights import Right
from transactions.access.tokens import create
from transactions.books.balance import read
from transactions.models import Transaction
from transactions.storing.flush import flush

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

PAGE = (ROOT / "docs" / "clients.md").read_text()
FENCED: list[tuple[str, str]] = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PROGRAMS = {
    "python": (sys.executable, "post.py"),
    "javascript": ("node", "post.mjs"),
    "bash": ("bash", "post.sh"),
}
# What goes wrong with the first record, the second and the batch, and what does not; see `faltering`.
# curl gives up where a connection is cut.
CUT = ["503", "cut", "", "429", "", "503", "cut"]
FAULTS = {"python": CUT, "javascript": CUT, "bash": [fault.replace("cut", "504") for fault in CUT]}
PRINTED = "2 1000 SUCCESS\n"
each_language = pytest.mark.parametrize("language", list(PROGRAMS))


@pytest.fixture
def server(transactional_db: None, token_url: str) -> str:
    return token_url


@pytest.fixture
def environment(server: str, people: list[User]) -> dict[str, str]:
    """What the page says is to be set, for the server itself."""
    token, _ = create("client", rights=frozenset({Right.POST, Right.READ}))
    return {"PATH": os.environ["PATH"], "API_URL": server, "API_TOKEN": token, "USER_KEY": str(people[0].pk)}


def program(language: str) -> str:
    """The first program of a language on the page."""
    return next(text for each, text in FENCED if each == language)


def run(language: str, directory: Path, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    command, name = PROGRAMS[language]
    if shutil.which(command) is None or (language == "bash" and shutil.which("curl") is None):
        pytest.skip(f"There is no {command} here, or no curl.")
    (directory / name).write_text(program(language))
    return subprocess.run(
        [command, name], cwd=directory, env=environment, capture_output=True, text=True, timeout=120
    )


def stored() -> list[tuple[int, str]]:
    flush()
    assert read().balanced
    return sorted(Transaction.objects.values_list("amount", "status"))


ONCE = [(250, "PENDING"), (750, "PENDING"), (1000, "SUCCESS")]


@each_language
def test_a_program_of_the_page_posts_everything_once_through_a_server_that_falters(
    server: str, environment: dict[str, str], tmp_path: Path, language: str
) -> None:
    with faltering(server, faults := list(FAULTS[language])) as url:
        done = run(language, tmp_path, {**environment, "API_URL": url})
    assert (done.returncode, done.stdout) == (0, PRINTED), done.stderr
    assert faults == []
    assert stored() == ONCE
    # What was written down is crossed off.
    assert [file.name for file in tmp_path.iterdir()] == [PROGRAMS[language][1]]


@each_language
def test_it_stops_where_sending_again_is_of_no_use(
    environment: dict[str, str], tmp_path: Path, language: str
) -> None:
    done = run(language, tmp_path, {**environment, "API_TOKEN": "of nobody"})
    assert done.returncode != 0
    assert "401" in done.stderr
    assert stored() == []
    # Nothing is forgotten either: once there is a token, the same is sent.
    assert len(list(tmp_path.iterdir())) > 1


@pytest.mark.parametrize("language", ["python", "javascript"])
def test_what_was_written_down_before_a_crash_is_sent_first(
    environment: dict[str, str], tmp_path: Path, language: str
) -> None:
    left = {"transaction_id": "left", "user": int(environment["USER_KEY"]), "amount": 7}
    (tmp_path / "outbox.jsonl").write_text(f"{json.dumps(left)}\n" + '{"transaction_id": "ha')
    assert run(language, tmp_path, environment).stdout == PRINTED
    assert stored() == [(7, "PENDING"), *ONCE]


def test_the_curl_script_sends_the_same_when_it_is_run_again(
    server: str, environment: dict[str, str], tmp_path: Path
) -> None:
    with faltering(server, ["cut"]) as url:
        cut = run("bash", tmp_path, {**environment, "API_URL": url})
    assert cut.returncode != 0
    assert run("bash", tmp_path, environment).stdout == PRINTED
    assert stored() == ONCE


def test_the_watching_program_prints_what_is_accepted(
    server: str, environment: dict[str, str], tmp_path: Path
) -> None:
    (text,) = (text for language, text in FENCED if language == "python" and "websockets" in text)
    (tmp_path / "watch.py").write_text(text)
    watching = subprocess.Popen(
        [sys.executable, "watch.py"], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    )
    headers = {"Authorization": f"Bearer {environment['API_TOKEN']}"}
    stopped = threading.Event()

    def post() -> None:
        number = 0
        while not stopped.wait(0.2):
            record = {"transaction_id": f"T{number}", "user": environment["USER_KEY"], "amount": number}
            httpx.post(f"{server}/api/add-transaction/", json=record, headers=headers, trust_env=False)
            number += 1

    posting = threading.Thread(target=post)
    posting.start()
    try:
        assert watching.stdout is not None
        assert re.fullmatch(r"T(\d+) \1 PENDING\n", watching.stdout.readline())
    finally:
        stopped.set()
        posting.join()
        watching.kill()
        watching.communicate()


def test_every_program_of_the_page_is_run_here() -> None:
    assert [language for language, _ in FENCED] == ["python", "javascript", "bash", "python"]
