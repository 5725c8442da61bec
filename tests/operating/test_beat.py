"""Celery Beat as it is run everywhere: what it sends as it starts, and how it ends."""

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from dev.servers import PrivateRedis, launch
from dev.waiting import wait_until
from tests.support.serving import ROOT
from transactions.metrics.signs import BEAT, SIGNS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a server that may be paused."""
    server = PrivateRedis(tmp_path_factory.mktemp("beat") / "redis")
    server.start()
    yield server.url
    server.stop()


@pytest.fixture
def client(own_redis: str) -> Iterator["redis.Redis"]:
    """Of an empty server; what was paused goes on."""
    with redis.Redis.from_url(own_redis, decode_responses=True) as made:
        made.flushall()
        yield made
        made.client_unpause()


@contextlib.contextmanager
def beat(
    redis_url: str, directory: Path, flush_interval_s: int
) -> Iterator[tuple["subprocess.Popen[bytes]", Path]]:
    """The process, and the file of what it says; it runs in `directory`, and is killed in the end."""
    log = directory.with_name("beat.log")
    command = [*("-m", "celery", "-q", "-A", "transaction_monitoring"), *("beat", "-l", "warning")]
    told = {
        "REDIS_URL": redis_url,
        "FLUSH_INTERVAL_SECONDS": str(flush_interval_s),
        "PYTHONPATH": str(ROOT),
    }
    with log.open("wb") as said:
        process = subprocess.Popen(
            launch([sys.executable, *command], directory, signal.SIGKILL),
            env={**os.environ, **told},
            stdout=said,
            stderr=said,
        )
        try:
            yield process, log
        finally:
            process.kill()
            process.wait()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Where Beat runs."""
    made = tmp_path / "empty"
    made.mkdir()
    return made


def sent(client: "redis.Redis") -> set[str]:
    """The tasks that wait for a worker of the flush."""
    return {json.loads(message)["headers"]["task"] for message in client.lrange("celery", 0, -1)}


def test_what_comes_rarely_is_sent_at_its_start_and_it_writes_no_file(
    own_redis: str, client: "redis.Redis", directory: Path
) -> None:
    """It remembers nothing: started again and again, it would never come to them."""
    at_once = {"transactions.tasks.flush_transactions", "transactions.tasks.note_expired_tokens"}

    with beat(own_redis, directory, flush_interval_s=86_400):
        wait_until(lambda: sent(client) == at_once, 30, "they are sent")

    assert list(directory.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_without_a_word_amid_a_send(
    number: signal.Signals, own_redis: str, client: "redis.Redis", directory: Path
) -> None:
    """Celery closes the connection under it: that it fails hid the end, or was told in a traceback."""
    with beat(own_redis, directory, flush_interval_s=1) as (process, log):
        wait_until(lambda: client.hget(SIGNS, BEAT), 30, "it sends")
        # Whoever writes waits.
        client.client_pause(600_000, all=False)
        wait_until(lambda: any("b" in one["flags"] for one in client.client_list()), 30, "it is amid a send")
        process.send_signal(number)

        assert (process.wait(10), log.read_text()) == (0, "")
