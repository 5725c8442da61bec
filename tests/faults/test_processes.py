"""Faults of our own processes: killed at named points, doubled, stopped, told to stop."""

import os
import signal

import pytest

from dev.waiting import wait_until
from tests.faults.conftest import Stage
from tests.faults.processes import group_of
from tests.support.flushing import POINTS
from transaction_monitoring.celery import app
from transactions.tasks import flush_transactions

pytestmark = pytest.mark.slow

# Points by the size of a chunk. Of a usual one rules judge what is flushed at once: ten of them are far more
# than is sent between two flushes. With small ones every flush is a backlog, and rules owe all of it.
POINTS_OF_CHUNKS = {
    "10000": (*(f"flush.{point}" for point in POINTS), "flush.amid_rules", "flush.after_rules"),
    "50": ("debt.amid",) * 2,
}
# Within this, in seconds, the session of a flusher that was stopped ends, and its lock with it.
IDLE_SESSION_S = 30


def test_fault_01_web_killed_before_the_push_after_it_and_before_the_answer(stage: Stage) -> None:
    system = stage.set_up()
    with stage.load() as load:
        for point in ("ingest.before_push", "ingest.after_push", "ingest.before_answer") * 2:
            load.wait(200)
            system.arm(point)
            system.wait_burnt(point)
        load.wait(200)
    assert system["web"].starts == 7
    stage.settle()


@pytest.mark.parametrize("chunk", POINTS_OF_CHUNKS)
def test_fault_02_flusher_killed_at_every_point(stage: Stage, chunk: str) -> None:
    system = stage.set_up(rules=True, settings={"FLUSH_CHUNK_RECORDS": chunk})
    with stage.load() as load:
        for point in POINTS_OF_CHUNKS[chunk]:
            load.wait(200)
            system.arm(point)
            system.wait_burnt(point)
        load.wait(200)
        # Not the child alone: the worker with all its children.
        system["worker"].kill()
        load.wait(200)
    stage.settle()


def test_fault_03_beat_killed_doubled_and_ten_flushes_at_once(stage: Stage) -> None:
    system = stage.set_up()
    system.add("worker-2", "-c", "10")
    with stage.load() as load:
        system["beat"].kill()
        load.wait(300)
        system.add("beat-2")
        load.wait(300)
        url = system.redis.url.replace("unix://", "redis+socket://").replace("?db=", "?virtual_host=")
        with app.connection_for_write(url) as broker:
            for _ in range(10):
                for _ in range(10):
                    app.send_task(flush_transactions.name, connection=broker)
                load.wait(100)
    stage.settle()


@pytest.mark.parametrize("point", ["after_promise", "amid_insert", "before_released"])
def test_fault_04_flusher_stopped_while_another_drains(stage: Stage, point: str) -> None:
    system = stage.set_up(rules=True)
    with stage.load() as load:
        load.wait(300)
        system.arm(f"flush.{point}", "SIGSTOP")
        stopped = system.wait_burnt(f"flush.{point}")
        wait_until(lambda: group_of(system["worker"]).get(stopped) == "T", 5, "the flusher is stopped")
        system.add("worker-2")
        with system.sql() as cursor:
            cursor.execute("SELECT now()")
            moment = cursor.fetchone()[0].isoformat()
        # Its session ends, and its lock with it; the other one drains.
        system.wait_flushed_after(moment, IDLE_SESSION_S + 15)
        load.wait(300)
        os.kill(stopped, signal.SIGCONT)
        load.wait(600)
    stage.settle()


def test_fault_22_everything_told_to_stop_under_load(stage: Stage) -> None:
    system = stage.set_up(rules=True)
    with stage.load() as load:
        load.wait(600)
        for name in ("web", "beat", "worker", "redis", "postgres"):
            system[name].held = True
        for name in ("web", "beat", "worker"):
            system[name].stop()
        system["redis"].stop(system.redis.stop_signal)
        system["postgres"].stop(system.postgres.stop_signal)
        system.release("postgres", "redis", "web", "beat", "worker")
        load.wait(600)
    stage.settle()
