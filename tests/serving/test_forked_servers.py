"""Servers of the suite are forks of one process; each is a process of its own, with settings of its own."""

import os
import signal
import socket
from pathlib import Path

import httpx
import pytest

from tests.support import forking
from tests.support.serving import daphne, the_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not forking.WORKS, reason="forks of a prepared process are Linux's alone"),
]


def test_each_has_the_settings_that_it_was_given_whatever_others_have() -> None:
    with daphne() as open_one, daphne(ALLOW_ANONYMOUS_API="false") as closed, daphne() as other:
        answers = [httpx.get(f"{url}/api/transactions/") for url in (open_one, closed, other)]

    assert [answer.status_code for answer in answers] == [200, 401, 200]


def test_one_that_does_not_come_up_is_told_with_its_status_and_with_what_it_said(tmp_path: Path) -> None:
    log = tmp_path / "log"

    with pytest.raises(RuntimeError, match="ended with status 1"), daphne(log=log, CURRENCY="none"):
        pass

    assert "CURRENCY" in log.read_text()


def test_it_is_a_child_of_the_suite_and_gone_once_it_is_stopped() -> None:
    with daphne():
        # Found among the children of this process.
        server = the_server()

    assert not Path(f"/proc/{server}").exists()


def test_one_that_is_killed_tells_by_which_signal() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, Path(os.devnull).open("ab") as output:
        arguments = ["transaction_monitoring.asgi:application"]
        server = forking.fork("daphne", arguments, dict(os.environ), listener.fileno(), output.fileno())
        server.kill()

        assert server.wait(60) == -signal.SIGKILL
        assert server.poll() == -signal.SIGKILL
