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
# Of the handbook, word for word.
(DOWN,) = blocks("Taking a machine down")
STOPPED = [
    line.removeprefix("systemctl stop ") for line in DOWN.splitlines() if line.startswith("systemctl stop ")
]


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
    """What `systemctl` stops ends in good order; what it starts needs nothing else."""
    name = three.primary()
    guest = three.machines[name].guest
    leads = three.leader() == name
    assert len(STOPPED) == 2

    def take_down() -> None:
        guest.run("\n".join(line for line in DOWN.splitlines() if leads or "switchover" not in line))
        ended = set(guest.run(f"systemctl show -P ActiveState -P Result {' '.join(STOPPED)}").split())
        assert ended == {"inactive", "success"}
        wait_until(lambda: three.primary() != name, BACK_S, "another is primary")
        for units in reversed(STOPPED):
            # Where Beat is masked it says so, and starts the rest.
            guest.run(f"systemctl start {units}", check=False)
        three.wait_whole(with_web=True)

    sender.during("down", take_down)

    sender.nothing_is_lost()


@pytest.mark.parametrize("leads", ["primary", "leader"])
def test_a_machine_is_lost_others_take_over_and_it_comes_back_by_itself(
    three: Three, sender: Sender, leads: str
) -> None:
    """Without a word to anybody; back, it is only powered on."""
    name = three.primary() if leads == "primary" else three.leader()
    guest = three.machines[name].guest

    def lose() -> None:
        guest.power_off()
        wait_until(lambda: name not in (three.primary(), three.leader() or name), BACK_S, "others lead")
        sender.until_taken(f"without the {leads}")
        guest.boot()
        three.wait_whole(with_web=True)

    sender.during(f"lose the {leads}", lose)

    sender.nothing_is_lost()


def test_a_machine_that_leads_is_rebooted_and_nothing_is_lost(three: Three, sender: Sender) -> None:
    """In order, and nobody handed over before."""
    guest = three.machines[three.primary()].guest

    def reboot() -> None:
        guest.reboot()
        three.wait_whole(with_web=True)

    sender.during("reboot", reboot)

    sender.nothing_is_lost()


def test_no_unit_has_failed(three: Three) -> None:
    assert [guest.run("systemctl --failed --plain --no-legend").split() for guest in three.guests] == [[]] * 3
