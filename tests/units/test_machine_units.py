"""The units of three machines under systemd: each test goes on where the one before it has ended."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.waiting import wait_until
from tests.compose.sending import Sender
from tests.machines.steps import blocks
from tests.units.three import SERVERS, Three, prepare

BACK_S = 180.0
DOWN = blocks("Taking a machine down")[0]


@pytest.fixture(scope="module")
def three(lower: Path) -> Iterator[Three]:
    with tempfile.TemporaryDirectory(prefix="units-", ignore_cleanup_errors=True) as name:
        prepared = Path(name) / "prepared"
        prepared.mkdir()
        made = Three(prepare(lower, prepared), Path(name))
        try:
            made.start()
            made.install()
            made.wait_whole(with_web=True)
            made.enroll()
            yield made
        finally:
            made.end()


@pytest.fixture(scope="module")
def sender(three: Three) -> Sender:
    return Sender(three)


@pytest.mark.parametrize("unit", SERVERS)
def test_a_server_whose_main_process_is_killed_comes_back_and_nothing_is_lost(
    three: Three, sender: Sender, unit: str
) -> None:
    """On the machine that leads with it."""
    name = three.leader() if unit in ("transactions-patroni", "etcd") else three.primary()
    guest = three.machines[name].guest
    before, pid = int(guest.shown(unit, "NRestarts")), guest.shown(unit, "MainPID")

    def kill() -> None:
        guest.run(f"kill -9 {pid}")
        wait_until(lambda: int(guest.shown(unit, "NRestarts")) > before, BACK_S, f"{unit} is started")
        wait_until(lambda: guest.shown(unit, "ActiveState") == "active", BACK_S, f"{unit} is back")

    sender.during(f"kill {unit}", kill)

    three.wait_whole(with_web=True)
    sender.nothing_is_lost()


def test_a_machine_that_leads_is_taken_down_as_documented_and_joins_again(
    three: Three, sender: Sender
) -> None:
    name = three.primary()
    guest = three.machines[name].guest
    leads = three.leader() == name
    down = [line for line in DOWN.splitlines() if leads or "switchover" not in line]
    stopped = [line.partition("systemctl stop ")[2] for line in down if line.startswith("systemctl stop ")]
    assert len(stopped) == 2

    def take_down() -> None:
        guest.run("\n".join(down))
        assert guest.shown("transactions-redis", "ActiveState") == "inactive"
        wait_until(lambda: three.primary() != name, BACK_S, "another is primary")
        for units in reversed(stopped):
            # Where Beat is masked it says so, and starts the rest.
            guest.run(f"systemctl start {units}", check=False)
        three.wait_whole(with_web=True)

    sender.during("down", take_down)

    sender.nothing_is_lost()


def test_a_machine_that_leads_goes_without_a_word_and_boots_again_by_itself(
    three: Three, sender: Sender
) -> None:
    guest = three.machines[three.primary()].guest

    def lose() -> None:
        guest.power_off()
        guest.boot()
        three.wait_whole(with_web=True)

    sender.during("lost", lose)

    sender.nothing_is_lost()
    for one in three.guests:
        assert one.run("systemctl --failed --plain --no-legend").split() == []
