"""What is promised is confirmed by every replica that counts; with one Redis nobody is asked."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.test import override_settings

from dev.trio import BINARY, Trio
from dev.waiting import wait_until
from transactions.stores import confirmation, lookout, primaries
from transactions.stores.confirmation import WRITTEN, Unconfirmed, confirmed, run_confirmed
from transactions.stores.redis_connection import connection

SLOW = pytest.mark.slow
GONE_S = 3
SET = "redis.call('SET', KEYS[1], ARGV[1]) return ARGV[1]"


@pytest.fixture
def soon_gone() -> Iterator[None]:
    """As after 12 seconds, in 3: the servers of the tests know of a failover by then."""
    with override_settings(REPLICA_GONE_SECONDS=GONE_S):
        yield


def holds(ask: Callable[[], Any] = lambda: confirmed(lambda pipeline: pipeline.set("x", "1"))) -> bool:
    try:
        ask()
    except redis.RedisError:
        return False
    return True


@SLOW
def test_what_is_written_and_read_is_confirmed_in_no_time(three: Trio) -> None:
    assert confirmed(lambda pipeline: [pipeline.set("x", "1"), pipeline.get("x")]) == [True, b"1"]
    assert run_confirmed(SET, ["y"], ["2"]) == b"2"
    began = time.monotonic()
    for _ in range(5):
        confirmed(lambda pipeline: pipeline.get("x"))
    # WAITAOF alone would take a second each time.
    assert time.monotonic() - began < 2.5
    for replica in three.replicas:
        with replica.client() as client:
            assert client.mget("x", "y") == [b"1", b"2"]


@SLOW
def test_one_replica_of_two_is_not_enough(three: Trio) -> None:
    """Frozen, it is online for the primary still."""
    three.replicas[0].freeze()
    began = time.monotonic()
    with pytest.raises(Unconfirmed, match=r"^1 of 2 replicas confirm what was written$"):
        confirmed(lambda pipeline: pipeline.set("x", "1"))
    assert time.monotonic() - began < 3
    three.replicas[0].wake()
    wait_until(holds, 60, "a replica that is awake confirms")


@SLOW
def test_a_read_is_confirmed_by_a_write_of_its_own(three: Trio) -> None:
    confirmed(lambda pipeline: pipeline.set("x", "1"))
    three.replicas[0].freeze()
    with pytest.raises(Unconfirmed):
        confirmed(lambda pipeline: pipeline.get("x"))


@SLOW
def test_a_read_is_confirmed_over_the_memory_limit_too(three: Trio) -> None:
    """The flush, which makes room, goes on by it."""
    primary = three.primary
    with primary.client() as client:
        client.config_set("maxmemory", "1mb")
        try:
            with pytest.raises(redis.exceptions.OutOfMemoryError):
                connection().set("x", "1")
            assert confirmed(lambda pipeline: pipeline.get("x")) == [None]
        finally:
            client.config_set("maxmemory", "0")


@SLOW
def test_a_disk_of_the_primary_s_that_is_not_written_confirms_nothing(three: Trio) -> None:
    with three.primary.client() as client:
        client.config_set("appendonly", "no")
        try:
            with pytest.raises(redis.ResponseError, match="appendonly is disabled"):
                confirmed(lambda pipeline: pipeline.set("x", "1"))
        finally:
            client.config_set("appendonly", "yes")
            wait_until(
                lambda: not client.info("persistence")["aof_rewrite_in_progress"],
                60,
                "nothing is being rewritten",
            )


@SLOW
def test_a_replica_that_is_gone_stops_counting_after_a_while_and_counts_again_once_it_is_back(
    three: Trio, soon_gone: None
) -> None:
    confirmed(lambda pipeline: pipeline.set("x", "1"))
    gone = three.replicas[0]
    gone.kill()
    began = time.monotonic()
    assert not holds()
    wait_until(holds, 30, "it goes on with one replica")
    assert time.monotonic() - began > GONE_S
    (left,) = (each for each in three.replicas if each is not gone)
    left.freeze()
    told = r"^0 of 1 replicas confirm what was written; of 2 wanted 1 no longer counts, gone for long$"
    with pytest.raises(Unconfirmed, match=told):
        confirmed(lambda pipeline: pipeline.set("x", "1"))
    left.wake()
    three.until_whole()
    wait_until(lambda: lookout.counted.needed(2) == 2, 60, "a replica that is back counts")
    gone.freeze()
    assert not holds()


@SLOW
def test_a_replica_whose_disk_is_full_stops_counting_though_it_is_online_again_and_again(
    three: Trio, soon_gone: None, tmp_path: Path
) -> None:
    # Nothing that a copy would press together.
    confirmed(lambda pipeline: pipeline.set("much", os.urandom(1_000_000)))
    full, primary = three.replicas[0], three.primary
    full.kill()
    wait_until(lambda: primary.info("replication")["connected_slaves"] == 1, 10, "it is away")
    # To who may write no longer files a disk is full. It reads what it has, and cannot write the copy down.
    command = ["env", "--ignore-signal=XFSZ", "prlimit", "--fsize=100000", BINARY]
    command += [str(full.directory / "server.conf"), "--replicaof", "127.0.0.1", str(primary.port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=tmp_path) as running:
        try:
            states = set[tuple[str, bool]]()
            began = time.monotonic()
            while time.monotonic() - began < 20:
                told = primary.info("replication")
                lines = [told[name] for name in ("slave0", "slave1") if name in told]
                states |= {(each["state"], each["offset"] > 0) for each in lines if each["port"] == full.port}
                if holds() and time.monotonic() - began > 3 * GONE_S:
                    break
            # It was online, and never in step.
            assert ("online", False) in states
            assert ("online", True) not in states
            assert all(holds() for _ in range(10))
            assert lookout.counted.needed(2) == 1
            found = primaries.read()
            assert found is not None
            assert (found.online, found.missing) == (1, 1)
        finally:
            running.kill()
    three.until_whole()
    wait_until(lambda: lookout.counted.needed(2) == 2, 60, "a replica that is back counts")


@SLOW
def test_it_goes_on_counting_while_no_majority_of_sentinels_names_this_primary(
    three: Trio, soon_gone: None
) -> None:
    confirmed(lambda pipeline: pipeline.set("x", "1"))
    gone = three.replicas[0]
    for sentinel in three.sentinels[:2]:
        sentinel.freeze()
    gone.kill()
    ends = time.monotonic() + 3 * GONE_S
    while time.monotonic() < ends:
        assert not holds()
        time.sleep(0.3)
    for sentinel in three.sentinels[:2]:
        sentinel.wake()
    wait_until(holds, 30, "it goes on once the sentinels are back")


@SLOW
def test_with_all_replicas_gone_nothing_is_ever_confirmed(three: Trio, soon_gone: None) -> None:
    for replica in three.replicas:
        replica.kill()
    ends = time.monotonic() + 3 * GONE_S
    while time.monotonic() < ends:
        assert not holds()
        time.sleep(0.3)


@SLOW
def test_a_primary_that_is_lost_is_followed_and_the_new_one_s_replica_confirms(
    three: Trio, soon_gone: None
) -> None:
    confirmed(lambda pipeline: pipeline.set("x", "1"))
    three.primary.freeze()
    began = time.monotonic()
    wait_until(lambda: holds(lambda: confirmed(lambda pipeline: pipeline.set("x", "2"))), 40, "it goes on")
    assert time.monotonic() - began < 25
    assert connection().get("x") == b"2"


@SLOW
def test_whoever_is_asked_in_vain_is_told_before_anything_is_written(three: Trio) -> None:
    confirmed(lambda pipeline: pipeline.set("x", "1"))
    assert confirmation.lacking() == 0
    three.replicas[0].kill()
    wait_until(confirmation.lacking, 60, "it is noticed that a replica is gone")
    assert confirmation.lacking() == 1


@SLOW
def test_a_child_of_a_process_that_looked_out_looks_out_itself(three: Trio) -> None:
    """As Celery's worker and its child: the parent's thread is not there, and its locks may be held."""
    confirmed(lambda pipeline: pipeline.set("x", "1"))
    child = os.fork()
    if child == 0:
        connection.cache_clear()
        lookout.keep()
        os._exit(0 if lookout._thread is not None and lookout._thread.is_alive() and holds() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_with_one_redis_nobody_is_asked_and_nothing_is_written_beside() -> None:
    connection().config_resetstat()
    assert confirmed(lambda pipeline: pipeline.get("x")) == [None]
    assert run_confirmed(SET, ["y"], ["2"]) == b"2"
    assert run_confirmed(SET, ["y"], ["3"]) == b"3"
    assert confirmation.lacking() == 0
    calls = {
        name.removeprefix("cmdstat_"): stats["calls"]
        for name, stats in connection().info("commandstats").items()
        if not name.startswith(("cmdstat_config", "cmdstat_client", "cmdstat_hello"))
    }
    # The script's text is sent once.
    assert calls.pop("script|load", 0) <= 1
    assert calls == {"get": 1, "evalsha": calls["evalsha"], "set": 2}
    assert calls["evalsha"] <= 3
    assert not connection().exists(WRITTEN)
