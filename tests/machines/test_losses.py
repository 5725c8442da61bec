"""Machines that are lost, cut off, frozen and emptied under load: nothing is lost, nothing doubled."""

import time

import pytest

from dev.waiting import wait_until
from tests.faults.load import pause
from tests.machines.clients import CONNECTIONS, MachineLoad
from tests.machines.cluster import Cluster
from tests.machines.conftest import Stage
from tests.machines.machine import APPLICATION, SERVERS

pytestmark = pytest.mark.slow

# How long a machine stays away at least: by then its replica of Redis counts no more, which takes 12 s.
AWAY_S = 20.0
# The most that both stores may take to go on elsewhere. Some 30 s are usual, and more on a busy machine.
TAKE_OVER_S = 60.0
# Past the 21 s after which intake goes on without whom it cannot reach, and past the 20 s of Patroni's lease.
CUT_S = 25.0
# Past all of that and the 30 s for which storing pauses: both stores go on as if there were two machines.
GONE_S = 35.0


def _lose_and_take_back(cluster: Cluster, name: str, load: MachineLoad) -> None:
    machine = cluster[name]
    machine.lose()
    began = time.monotonic()
    load.wait(500)
    wait_until(lambda: _nobody_follows(cluster, name), TAKE_OVER_S, f"others do what {name} did")
    pause(max(0.0, AWAY_S - (time.monotonic() - began)))
    machine.come_back()
    machine.start(*SERVERS, *APPLICATION[name])


def _nobody_follows(cluster: Cluster, name: str) -> bool:
    """Whether both stores have a primary, elsewhere."""
    standings = (cluster.redis_standing(), cluster.postgres_standing())
    return all(standing and standing.primary != name for standing in standings)


def test_the_machine_of_the_redis_primary_is_lost(stage: Stage) -> None:
    redis, _ = stage.apart()
    with stage.scenario("the machine of Redis' primary is lost") as load:
        _lose_and_take_back(stage.cluster, redis, load)


def test_the_machine_of_the_postgresql_leader_is_lost(stage: Stage) -> None:
    _, postgres = stage.apart()
    with stage.scenario("the machine of PostgreSQL's leader is lost") as load:
        _lose_and_take_back(stage.cluster, postgres, load)


def test_a_machine_that_leads_neither_is_lost(stage: Stage) -> None:
    (neither,) = set(stage.cluster.machines) - set(stage.apart())
    with stage.scenario("a machine that leads neither is lost") as load:
        _lose_and_take_back(stage.cluster, neither, load)


@pytest.mark.usefixtures("cables")
def test_the_redis_primary_is_cut_off_with_a_client_on_its_side(stage: Stage) -> None:
    cluster = stage.cluster
    redis, _ = stage.apart()
    machine = cluster[redis]
    assert machine.namespace is not None
    with (
        stage.scenario("Redis' primary is cut off for 25 s, with clients on its side"),
        stage.load(redis, where=machine.namespace, connections=4) as beside,
    ):
        beside.wait(200)
        machine.namespace.cut()
        pause(CUT_S)
        machine.namespace.mend()
        assert cluster.redis_primary() != redis
        # They go on where they are, at a primary that is elsewhere now.
        beside.wait(100)


def freeze_until_promotion(cluster: Cluster, name: str) -> str:
    """Freezes the machine of Redis' primary, and wakes it when another is promoted; which one."""
    machine = cluster[name]
    others = [each for each in cluster.machines if each != name]
    clients = {each: cluster.redis_of(each) for each in others}
    deadline = time.monotonic() + 40
    machine.freeze()
    try:
        while time.monotonic() < deadline:
            for each, client in clients.items():
                if client.role()[0] == b"master":
                    return each
            # Sentinels take their next step a tenth of a second later.
            time.sleep(0.005)
    finally:
        machine.thaw()
    raise AssertionError("no other Redis is promoted within 40 s")


def test_the_redis_primary_is_frozen_and_wakes_when_another_is_promoted(stage: Stage) -> None:
    redis, _ = stage.apart()
    # Of many clients, some are told something at that very moment.
    with stage.scenario("Redis' primary is frozen, and wakes as another is promoted", CONNECTIONS):
        promoted = freeze_until_promotion(stage.cluster, redis)
        wait_until(lambda: stage.cluster.redis_primary() == promoted, 30, "the sentinels name it")


@pytest.mark.usefixtures("cables")
def test_the_postgresql_leader_is_cut_off_from_its_standbys_alone(stage: Stage) -> None:
    cluster = stage.cluster
    _, postgres = stage.apart()
    leader = cluster[postgres].namespace
    assert leader is not None
    others = [machine.namespace for name, machine in cluster.machines.items() if name != postgres]
    with stage.scenario("PostgreSQL's leader is cut off from its standbys alone"):
        leader.cut(*(each for each in others if each is not None), port=5432)
        pause(CUT_S)
        leader.mend()


@pytest.mark.usefixtures("cables")
def test_the_postgresql_leader_is_cut_off_from_everybody(stage: Stage) -> None:
    """From what Patronis agree on, too: it has to know by itself that it leads no more."""
    cluster = stage.cluster
    _, postgres = stage.apart()
    leader = cluster[postgres].namespace
    assert leader is not None
    with (
        stage.scenario("PostgreSQL's leader is cut off from everybody, with clients on its side") as load,
        stage.load(postgres, where=leader, connections=4) as beside,
    ):
        beside.wait(200)
        leader.cut()
        _storing_goes_on_without(cluster, postgres, load)
        leader.mend()
        beside.wait(100)


def test_the_postgresql_leader_is_frozen_and_wakes_when_another_leads(stage: Stage) -> None:
    cluster = stage.cluster
    _, postgres = stage.apart()
    machine = cluster[postgres]
    with stage.scenario("PostgreSQL's leader is frozen, and wakes once another leads") as load:
        machine.freeze()
        try:
            _storing_goes_on_without(cluster, postgres, load)
        finally:
            machine.thaw()


def _storing_goes_on_without(cluster: Cluster, name: str, load: MachineLoad) -> None:
    """Another one leads PostgreSQL, and what is acknowledged from now on is stored there."""

    def leads_elsewhere() -> bool:
        standing = cluster.postgres_standing()
        return standing is not None and standing.primary != name

    wait_until(leads_elsewhere, TAKE_OVER_S, f"another one than {name} leads")
    load.wait(500)
    # While PostgreSQL is silent the books are told without a number.
    told: list[int] = []

    def tells_more() -> bool:
        told.extend(filter(None, [cluster.books().get("stored")]))
        return bool(told) and told[-1] > told[0]

    wait_until(tells_more, TAKE_OVER_S, "it stores")


def test_a_primary_comes_back_at_once_with_an_empty_disk(stage: Stage) -> None:
    redis, _ = stage.apart()
    machine = stage.cluster[redis]
    with stage.scenario("Redis' primary is back at once, with an empty disk"):
        machine.kill("redis")
        machine.wipe("redis")
        machine.start("redis")
        wait_until(lambda: stage.cluster.redis_primary() != redis, 30, "another one is primary")


def test_a_machine_is_gone_for_long_and_joins_with_empty_disks(stage: Stage) -> None:
    cluster = stage.cluster
    redis, postgres = stage.apart()
    (gone,) = set(cluster.machines) - {redis, postgres}
    with stage.scenario("a machine is gone, and another with empty disks takes its place") as load:
        cluster[gone].lose()
        load.wait(500)
        pause(GONE_S)
        cluster.replace(gone)
