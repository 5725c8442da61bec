"""The units of three machines under systemd: each test goes on where the one before it has ended."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from dev.waiting import wait_until
from tests.compose.sending import Sender
from tests.units.three import SERVERS, Three, prepare

BACK_S = 180.0


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
