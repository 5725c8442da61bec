"""Controls: the same losses with a safeguard taken out. Each must lose something, or these tests are blind.

They come last: what they lose stays lost, and books are closed over it.
"""

import asyncio
import json
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from dev.waiting import wait_until
from tests.faults.checker import check
from tests.faults.ledger import Ledger, Sent
from tests.faults.load import answer, pause, post_of
from tests.faults.mutations import LEFT_OUT, MUTATIONS, apply
from tests.faults.safeguards.mutation import Mutation
from tests.machines.conftest import CONTROLS, Stage
from tests.machines.machine import ROOT, WEB_PORT
from tests.machines.table import Control
from tests.machines.test_losses import CUT_S, freeze_until_promotion

pytestmark = pytest.mark.slow

# A frozen primary that wakes does not lose something each time.
ROUNDS_MAX = 3


class Blinded:
    """A stage whose ledger begins anew; what is accepted stays in Redis, as the workers are stopped."""

    def __init__(self, stage: Stage, path: Path) -> None:
        self.stage, self.cluster = stage, stage.cluster
        self.ledger = Ledger(path)
        self.inner = Stage(stage.cluster, self.ledger, stage.seed, loads=stage.loads + 100)
        for machine in self.cluster.machines.values():
            machine.stop("worker")

    def restart_webs(self, tree: Path) -> None:
        for machine in self.cluster.machines.values():
            machine.kill("web")
            machine.tree = tree
            machine.start("web")
        self.cluster.wait_whole()

    def lost(self) -> tuple[int, int]:
        """How many were acknowledged, and how many of them are gone once the rest is stored."""
        for machine in self.cluster.machines.values():
            machine.start("worker")
        self.cluster.wait_whole()

        def nothing_waits() -> bool:
            books = self.cluster.books()
            return books.get("buffered") == 0 and books.get("in_flight") == 0

        wait_until(nothing_waits, 60, "what is left is stored")
        time.sleep(3)
        verdict = check(self.cluster, self.ledger.path)
        return verdict.acknowledged, verdict.lost


@pytest.fixture
def blinded(stage: Stage, tmp_path: Path) -> Iterator[Blinded]:
    stage.cluster.wait_whole()
    blinded = Blinded(stage, tmp_path / "ledger.jsonl")
    yield blinded
    blinded.ledger.close()
    for machine in stage.cluster.machines.values():
        if "worker" not in machine.processes:
            machine.start("worker")


def posted(stage: Stage, name: str, records: Sequence[Sent]) -> int | None:
    """The status of a POST to the web of one machine, on a connection of its own; None for no answer."""

    async def post() -> int:
        reader, writer = await asyncio.open_connection(stage.cluster.addresses[name], WEB_PORT)
        writer.write(post_of(records, f"Authorization: Bearer {stage.cluster.token}\r\n"))
        status, _ = await asyncio.wait_for(answer(reader), 10)
        writer.close()
        return status

    try:
        return asyncio.run(post())
    except (OSError, TimeoutError, asyncio.IncompleteReadError, json.JSONDecodeError):
        return None


def without(tree: Path, *mutations: Mutation) -> Path:
    """A copy of the project that lacks some safeguards."""
    shutil.copytree(ROOT, tree, ignore=shutil.ignore_patterns(*LEFT_OUT))
    for mutation in mutations:
        apply(mutation, tree)
    return tree


BY_NAME = {mutation.name: mutation for mutation in MUTATIONS}
HSET = BY_NAME["a replay is confirmed by a write of its own"]
NOT_LACKING = BY_NAME["nothing is written where it cannot be confirmed"]
ONE_OF_TWO = Mutation(
    "every replica that counts confirms, and not one of them",
    "transactions/stores/replicas.py",
    "return max(1, len(self._missing_since))",
    "return 1",
)


def test_without_the_hset_a_replay_is_confirmed_by_nobody(stage: Stage, tmp_path: Path) -> None:
    cluster = stage.cluster
    redis = stage.apart()[0]
    others = [name for name in cluster.machines if name != redis]
    blind, seeing = others
    cluster[blind].kill("web")
    cluster[blind].tree = without(tmp_path / "tree", HSET)
    cluster[blind].start("web")
    cluster.wait_ready()
    record = [Sent("told twice", 1, 1, "PENDING")]
    for name in others:
        cluster[name].freeze("redis")
    try:
        # Nobody confirms what is written, nor that it had been written.
        assert posted(stage, seeing, record) == 503
        assert posted(stage, seeing, record) == 503
        assert posted(stage, blind, record) == 200
    finally:
        for name in others:
            cluster[name].thaw("redis")
        cluster[blind].kill("web")
        cluster[blind].tree = ROOT
        cluster[blind].start("web")
    CONTROLS.append(Control("a replay without the HSET, while no replica answers", "1", "confirmed by none"))


@pytest.mark.usefixtures("cables")
def test_without_waiting_a_primary_that_is_cut_off_loses_all_that_it_took(blinded: Blinded) -> None:
    cluster = blinded.cluster
    redis = blinded.inner.apart()[0]
    machine = cluster[redis]
    before = machine.environment["REDIS_URL"]
    password = cluster.passwords["REDIS_PASSWORD"]
    machine.kill("web")
    machine.environment["REDIS_URL"] = f"redis://:{password}@{machine.address}:6379/0"
    machine.start("web")
    assert machine.namespace is not None
    with blinded.inner.load(redis, where=machine.namespace) as load:
        load.wait(50)
        machine.namespace.cut()
        pause(CUT_S / 2)
        machine.namespace.mend()
        wait_until(lambda: cluster.redis_of(redis).role()[0] == b"slave", 40, "it follows another")
    machine.kill("web")
    machine.environment["REDIS_URL"] = before
    machine.start("web")
    acknowledged, lost = blinded.lost()
    CONTROLS.append(Control("a primary that is cut off, without waiting", str(acknowledged), str(lost)))
    assert lost


def test_with_one_confirmation_of_two_a_primary_that_wakes_amid_promotion_loses(
    blinded: Blinded, tmp_path: Path
) -> None:
    cluster = blinded.cluster
    blinded.restart_webs(without(tmp_path / "tree", ONE_OF_TWO, NOT_LACKING))
    try:
        for _ in range(ROUNDS_MAX):
            redis = blinded.inner.apart()[0]
            with blinded.inner.load() as load:
                load.wait(500)
                promoted = freeze_until_promotion(cluster, redis)
                wait_until(lambda: cluster.redis_primary() == promoted, 30, "the sentinels name it")  # noqa: B023
                cluster.wait_whole()
                load.wait(100)
            acknowledged, lost = blinded.lost()
            if lost:
                break
            for machine in cluster.machines.values():
                machine.stop("worker")
    finally:
        blinded.restart_webs(ROOT)
    CONTROLS.append(Control("one confirmation of two, freeze and wake", str(acknowledged), str(lost)))
    assert lost


def test_without_the_guard_an_empty_disk_empties_the_replicas(blinded: Blinded) -> None:
    cluster = blinded.cluster
    redis = blinded.inner.apart()[0]
    machine = cluster[redis]
    with blinded.inner.load() as load:
        load.wait(1000)
        machine.guarded = False
        machine.kill("redis")
        machine.wipe("redis")
        machine.start("redis")
        pause(5)
    acknowledged, lost = blinded.lost()
    CONTROLS.append(Control("an empty disk without the guard", str(acknowledged), str(lost)))
    assert cluster.redis_primary() == redis
    assert lost
