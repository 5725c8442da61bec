"""Everything that connects to Redis asks sentinels, and follows a primary that moves within seconds."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import redis

from dev.ports import free_port
from dev.servers import redis_answers
from dev.trio import IN_A_URL, OF_SENTINELS, Member, Trio
from dev.waiting import wait_until
from tests.support.serving import ROOT
from transactions.stores import sentinel_url, sentinels
from transactions.stores.redis_connection import close, connection, intake_connection

pytestmark = pytest.mark.slow


def test_a_url_names_sentinels_a_master_and_the_servers_password() -> None:
    url = "sentinel://me:a%2Fb%40@one,[::1]:26380,three:1/payments?db=3"
    read = sentinel_url.read(url)
    assert read is not None
    assert read.sentinels == (("one", 26379), ("::1", 26380), ("three", 1))
    assert (read.master, read.db, read.user, read.password) == ("payments", 3, "me", "a/b@")
    assert read.majority == 2
    assert "a/b@" not in repr(read)
    assert read.of_broker == (
        "sentinel://me:a%2Fb%40@one:26379/3;sentinel://me:a%2Fb%40@[::1]:26380/3;"
        "sentinel://me:a%2Fb%40@three:1/3"
    )


@pytest.mark.parametrize("url", ["redis://localhost", "unix:///run/redis.sock?db=0", "rediss://host:1/0"])
def test_any_other_url_names_none(url: str) -> None:
    assert sentinel_url.read(url) is None


def test_both_clients_write_to_the_primary(three: Trio) -> None:
    connection().set("blocking", "1")

    async def write() -> None:
        client = intake_connection()
        await client.set("asynchronous", "2")
        await close(client)

    asyncio.run(write())
    with three.primary.client() as client:
        assert client.mget("blocking", "asynchronous") == [b"1", b"2"]


def test_a_primary_that_is_lost_is_followed_within_seconds_by_both_clients(three: Trio) -> None:
    """Its sentinel goes with it: clients ask one that is silent, and the next after half a second."""

    async def follow() -> float:
        client = intake_connection()
        await client.set("before", "1")
        connection().set("before", "1")
        lost = three.primary
        beside = three.sentinels[three.servers.index(lost)]
        beside.freeze()
        lost.freeze()
        began = time.monotonic()
        while True:
            try:
                await client.set("after", "2")
                connection().set("after", "2")
                break
            except redis.RedisError:
                assert time.monotonic() - began < 30
                await asyncio.sleep(0.1)
        took_s = time.monotonic() - began
        await close(client)
        assert three.primary is not lost
        lost.wake()
        beside.wake()
        return took_s

    assert asyncio.run(follow()) < 15


def test_a_primary_that_hands_over_in_good_order_is_followed_at_once(three: Trio) -> None:
    before = three.primary
    connection().set("before", "1")
    with three.sentinels[0].client() as client:
        client.execute_command("SENTINEL", "FAILOVER", sentinel_url.read(three.url).master)  # type: ignore[union-attr]
    wait_until(lambda: three.primary is not before, 60, "another one takes over")

    def follows() -> bool:
        """The old one may take a write still, which is lost: nobody has waited for a replica."""
        try:
            connection().set("after", "2")
        except redis.RedisError:
            return False
        with three.primary.client() as client:
            return bool(client.get("after") == b"2")

    wait_until(follows, 15, "the client follows")


def test_sentinels_that_know_no_such_master_are_an_error_of_redis(three: Trio) -> None:
    read = sentinel_url.read(three.url.replace("payments", "nobody"))
    assert read is not None
    with pytest.raises(redis.ConnectionError, match="No master found for 'nobody'"):
        sentinels.primary(read).ping()


def test_sentinels_that_are_all_silent_cost_half_a_second_each(three: Trio) -> None:
    connection.cache_clear()
    for sentinel in three.sentinels:
        sentinel.freeze()
    began = time.monotonic()
    try:
        with pytest.raises(redis.ConnectionError, match="No master found"):
            connection().ping()
    finally:
        for sentinel in three.sentinels:
            sentinel.wake()
    assert 1.4 < time.monotonic() - began < 4


def test_sentinels_with_the_same_password_are_asked_with_it(tmp_path: Path) -> None:
    """Those that ask for none take any: those of the other tests do."""
    closed = Member(
        tmp_path / "closed", OF_SENTINELS + 'requirepass "{password}"\n', master="nobody", primary=free_port()
    )
    url = sentinel_url.read(f"sentinel://:{IN_A_URL}@127.0.0.1:{closed.port}/nobody")
    assert url is not None
    closed.start()
    try:
        with redis.Redis(port=closed.port) as client, pytest.raises(redis.AuthenticationError):
            client.ping()
        with redis.Redis(port=closed.port, **sentinels.asking(url)) as client:
            assert client.ping()
    finally:
        closed.kill()


# Purpose: to use Redis as everything does that knows its URL.
USE = """
import django; django.setup()
from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from transaction_monitoring.celery import app
from transactions.stores.redis_connection import connection
connection().ping()
async def talk():
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add("group", channel)
    await layer.group_send("group", {"type": "x"})
    return await layer.receive(channel)
assert async_to_sync(talk)() == {"type": "x"}
with app.connection_for_write() as broker:
    broker.ensure_connection(max_retries=1)
    queue = broker.SimpleQueue("tried")
    queue.put("told")
    assert queue.get(timeout=5).payload == "told"
print("used")
"""


@pytest.mark.parametrize("silent", [False, True])
def test_channel_layer_and_celery_ask_the_sentinels(three: Trio, tmp_path: Path, silent: bool) -> None:
    """Also where the first of them is silent, which costs each client half a second."""
    environment = {
        "PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path), "SECRET_KEY": "x", "REDIS_URL": three.url,
        "DJANGO_SETTINGS_MODULE": "transaction_monitoring.settings",
    }  # fmt: skip
    if silent:
        three.sentinels[0].freeze()
    used = subprocess.run(
        [sys.executable, "-c", USE], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=90
    )
    assert used.stdout == "used\n", used.stderr


def test_whoever_starts_the_system_asks_them_too(three: Trio) -> None:
    """`make run` with such a REDIS_URL, before it starts anything."""
    assert redis_answers(three.url)
    assert not redis_answers(three.url.replace("payments", "nobody"))
