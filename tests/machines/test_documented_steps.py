"""What docs/machines.md has an operator do, by its own words and under load: nothing is lost or doubled."""

import pytest

from tests.faults.checker import check
from tests.machines import steps
from tests.machines.cluster import Cluster
from tests.machines.conftest import Stage
from tests.machines.machine import APPLICATION

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("cables")]


def test_what_is_asked_tells_that_all_is_whole(stage: Stage) -> None:
    stage.cluster.wait_whole()
    (asked,) = steps.blocks("Is it well?")
    told = steps.play(stage.cluster["m2"], asked)
    assert "\nflags\nmaster\n" in told
    assert told.count("state=online") == 2
    assert (told.count("Leader"), told.count("streaming")) == (1, 2)


def _take_down(cluster: Cluster, name: str) -> None:
    leads = cluster.postgres_standing()
    assert leads is not None
    left_out = ["^#"]
    if cluster.redis_primary() != name:
        left_out.append("sentinel failover")
    if leads.primary != name:
        left_out.append("switchover")
    (block,) = steps.blocks("Taking a machine down")
    steps.play(cluster[name], block, but="|".join(left_out))
    assert not cluster[name].processes


def test_machines_are_taken_down_one_after_the_other(stage: Stage) -> None:
    """As for maintenance, and for another version of what runs there."""
    cluster = stage.cluster
    redis, postgres = stage.apart()
    followers = set(cluster.machines) - {redis, postgres}
    with stage.scenario("each machine is taken down in turn, those that lead last") as load:
        for name in (*followers, postgres, redis):
            led = [store for store, leader in (("Redis", redis), ("PostgreSQL", postgres)) if leader == name]
            before, load.longest_gap_s = load.longest_gap_s, 0.0
            _take_down(cluster, name)
            load.wait(300)
            print(f"taken down, leads {led or 'neither'}: {load.longest_gap_s:.1f} s without a 200")
            load.longest_gap_s = max(before, load.longest_gap_s)
            steps.start_servers(cluster[name])
            steps.start_application(cluster[name])
            cluster.wait_whole()


def test_a_backup_of_both_stores_is_restored_on_all_three(stage: Stage) -> None:
    cluster = stage.cluster
    backup, empty, put_back = steps.blocks("Backup and restore")
    for machine in cluster.machines.values():
        machine.stop(*(name for name in APPLICATION[machine.name] if name != "web"))
    with stage.load(connections=4) as load:
        load.wait(500)
    steps.play(cluster["m1"], backup)

    for machine in cluster.machines.values():
        steps.play(machine, steps.blocks("Taking a machine down")[0], but="^#|sentinel failover|switchover")
    for machine in cluster.machines.values():
        steps.play(machine, empty)
    steps.play(cluster["m1"], put_back)
    for machine in cluster.machines.values():
        steps.start_servers(machine)
    cluster.wait_whole()
    cluster.make_database()
    steps.play(cluster["m1"], f". /etc/transactions/machine.env\n{steps.restoring()}\n")
    for machine in cluster.machines.values():
        steps.start_application(machine)
    cluster.wait_ready()
    cluster.wait_drained()

    verdict = check(cluster, stage.ledger.path)
    assert verdict.wrong == []
    assert verdict.acknowledged - stage.before.acknowledged >= 500
    assert cluster.alarms() == []
    stage.before = verdict
