"""Faults of Redis: killed, full, cut short, emptied of scripts, answers lost, silent."""

import random
from pathlib import Path

import pytest
from redis.exceptions import OutOfMemoryError

from dev.waiting import wait_until
from tests.faults.conftest import Stage
from tests.faults.ledger import Sent
from tests.faults.load import pause
from tests.faults.system import System

pytestmark = pytest.mark.slow


def test_fault_05_redis_killed_and_slow_to_load(stage: Stage) -> None:
    # A third of a millisecond for every command of its file: several seconds of LOADING.
    system = stage.set_up(redis_options=("--key-load-delay", "300"))
    with stage.load() as load:
        for _ in range(2):
            load.wait(2000)
            system["redis"].kill()
            wait_until(lambda: not system.redis.answers(), 10, "Redis is gone")
            system.wait_answers(system.redis)
        load.wait(500)
    assert "DB loaded from append only file" in system.logs("redis")
    stage.settle()


def test_fault_06_redis_full_while_postgresql_is_down(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_MAXMEMORY", "16mb")
    system = stage.set_up(settings={"REDIS_RESERVE_BYTES": str(4 * 1024 * 1024)})
    with stage.load(connections=12) as load:
        load.wait(1000)
        system.hold("postgres")
        wait_until(lambda: load.statuses[503] > 50, 120, "intake refuses within its reserve")
    client = system.redis_client()
    assert client.info("memory")["used_memory"] < 16 * 1024 * 1024
    # Something else fills what was kept in reserve, and no tick can be sent any more.
    client.config_set("maxmemory", int(client.info("memory")["used_memory"]) - 1024 * 1024)
    with pytest.raises(OutOfMemoryError):
        client.set("filler", b"x")
    pause(5)
    system.release("postgres")
    stage.settle()
    assert client.info("memory")["used_memory"] < 16 * 1024 * 1024


def test_fault_07_the_end_of_redis_file_is_cut_short(stage: Stage) -> None:
    system = stage.set_up(proxied=("redis",))
    with stage.load() as load:
        load.wait(1200)
    stage.system.wait_drained()
    system.hold("worker", "beat")
    assert stage.post(Sent("one-before", 1, 7, "PENDING")) == 200
    # A record whose answer never comes: on the disk, and acknowledged to nobody.
    last = Sent("never-acknowledged", 1, 7, "PENDING")
    system.proxies["redis"].rule(b"never-acknowledged")
    assert stage.post(last) == 503
    system.hold("redis", "web")
    file = _append_only_file(system)
    tail = file.read_bytes()
    begins = tail.rindex(b"never-acknowledged")
    cut = random.Random(stage.seed).randint(1, len(tail) - begins)
    with file.open("r+b") as cut_short:
        cut_short.truncate(len(tail) - cut)
    system.release("redis", "web", "worker", "beat")
    system.wait_answers(system.redis)
    system.wait_drained()
    assert system.get("/api/transactions/never-acknowledged/")[0] == 404
    assert stage.post(last) == 200
    with stage.load("after") as load:
        load.wait(300)
    stage.settle()


def _append_only_file(system: System) -> Path:
    files = sorted((system.redis.directory / "appendonlydir").glob("*.incr.aof"))
    return files[-1]


def test_fault_08_scripts_flushed_under_load(stage: Stage) -> None:
    system = stage.set_up()
    client = system.redis_client()
    with stage.load() as load:
        for _ in range(20):
            load.wait(75)
            client.script_flush()
    assert set(load.statuses) <= {200, 409}, load.statuses
    stage.settle()


@pytest.mark.parametrize(
    ("answer_bytes", "silent"),
    [(0, False), (1, False), (0, True)],
    ids=["dropped", "cut short", "never ends"],
)
def test_fault_09_redis_answer_lost(stage: Stage, answer_bytes: int, silent: bool) -> None:
    system = stage.set_up(proxied=("redis",))
    proxy = system.proxies["redis"]
    with stage.load() as load:
        for _ in range(3):
            load.wait(150)
            rule = proxy.rule(b"EVALSHA", answer_bytes=answer_bytes, silent=silent)
            wait_until(rule.hit.is_set, 20, "an answer is lost")
        load.wait(150)
        rule = proxy.rule(b"once-and-only-once", answer_bytes=answer_bytes, silent=silent)
        sent = Sent("once-and-only-once", 1, 7, "PENDING")
        assert stage.post(sent) == 503
        assert rule.hit.is_set()
        assert stage.post(sent) == 200
        load.wait(400)
    stage.settle()
    # It was sent once: what the client was told 503 about and sent again is no second acceptance.
    assert system.books()["duplicates"] == 0


def test_fault_13_redis_goes_silent(stage: Stage) -> None:
    system = stage.set_up(proxied=("redis",))
    with stage.load() as load:
        load.wait(500)
        system.proxies["redis"].silence()
        refused = load.statuses[503]
        # Bounded by time-outs: everybody is told, and nothing hangs.
        wait_until(lambda: load.statuses[503] > refused, 20, "clients are told 503")
        pause(5)
        assert system.get("/livez")[0] == 200
        system.proxies["redis"].heal()
        load.wait(700)
    stage.settle()
