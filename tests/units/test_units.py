"""The units under systemd: each test goes on where the one before it has ended."""

import itertools

import pytest

from dev.waiting import wait_until
from tests.compose.sending import Sender, until
from tests.support.tracebacks import errors
from tests.units.guest import Guest
from tests.units.installed import UNITS, Installed

# They post at once while something is stopped or killed.
CLIENTS = 4
BACK_S = 180.0
# In the order in which they stop.
ORDERED = ("web@8000", "beat", "worker")


@pytest.mark.parametrize("unit", UNITS)
def test_each_runs_without_root_without_capabilities_and_writes_to_nothing(
    installed: Installed, unit: str
) -> None:
    pid = installed.shown(unit, "MainPID")
    status = dict(
        line.split(":\t", 1)
        for line in installed.guest.run(f"cat /proc/{pid}/status").splitlines()
        if "\t" in line
    )

    account = installed.guest.run("id -u transactions").strip()
    assert set(status["Uid"].split()) == {account}
    assert int(account) > 0
    assert (status["CapEff"], status["CapBnd"], status["NoNewPrivs"]) == ("0" * 16, "0" * 16, "1")
    # Calls of the kernel pass a filter.
    assert status["Seccomp"] == "2"
    # Not even root, where that process is.
    for path in ("/opt/transactions/here", "/usr/here", "/etc/here"):
        said = installed.guest.run(f"nsenter --target={pid} --mount touch {path} 2>&1 || true")
        assert "Read-only file system" in said, path


def test_a_post_becomes_a_row(installed: Installed, sender: Sender) -> None:
    sender.until_taken("the first")

    until(lambda: installed.rows() == ["the first"], "the row is stored")
    sender.nothing_is_lost()


@pytest.mark.parametrize("unit", UNITS)
def test_one_whose_main_process_is_killed_comes_back_and_nothing_is_lost(
    installed: Installed, sender: Sender, unit: str
) -> None:
    before, pid = int(installed.shown(unit, "NRestarts")), installed.shown(unit, "MainPID")

    def kill() -> None:
        installed.guest.run(f"kill -9 {pid}")
        wait_until(lambda: is_back(installed, unit, before), BACK_S, f"{unit} is back")

    sender.during(f"kill {unit}", kill, CLIENTS)

    assert installed.shown(unit, "MainPID") != pid
    sender.nothing_is_lost()


def is_back(installed: Installed, unit: str, before: int) -> bool:
    return (
        int(installed.shown(unit, "NRestarts")) == before + 1
        and installed.shown(unit, "ActiveState") == "active"
    )


def test_they_are_stopped_in_order_under_load_and_nothing_is_lost(
    installed: Installed, sender: Sender
) -> None:
    def stop_and_start() -> None:
        installed.guest.run("systemctl stop transactions.target 'transactions-*'")
        try:
            stopped(installed, sender)
        finally:
            installed.guest.run("systemctl start transactions.target")
        installed.wait_until_up()

    sender.during("stop", stop_and_start, CLIENTS)

    sender.nothing_is_lost()


def stopped(installed: Installed, sender: Sender) -> None:
    """Each has ended in good order, and what is acknowledged is in PostgreSQL or waits in Redis."""
    assert {installed.shown(unit, "ActiveState") for unit in UNITS} == {"inactive"}
    assert {installed.shown(unit, "Result") for unit in UNITS} == {"success"}
    for earlier, later in itertools.pairwise(ORDERED):
        assert moment(installed, earlier, "InactiveEnter") <= moment(installed, later, "ActiveExit")
    books = installed.books()
    assert (books["balanced"], books["accepted"]) == (True, len(sender.acknowledged))


def test_the_target_alone_stops_them_all(installed: Installed, sender: Sender) -> None:
    """In the same order, but nobody waits for it."""

    def stop_and_start() -> None:
        installed.guest.run("systemctl stop transactions.target")
        ended = {"inactive"}
        wait_until(
            lambda: {installed.shown(unit, "ActiveState") for unit in UNITS} == ended, BACK_S, "all ended"
        )
        installed.guest.run("systemctl start transactions.target")
        installed.wait_until_up()

    sender.during("target", stop_and_start, CLIENTS)

    sender.nothing_is_lost()


def moment(installed: Installed, unit: str, name: str) -> int:
    """When it came to be so, in microseconds since the start."""
    return int(installed.shown(unit, f"{name}TimestampMonotonic"))


def test_stores_are_restarted_under_load_and_nothing_is_lost(installed: Installed, sender: Sender) -> None:
    def restart() -> None:
        for name in ("redis-server", "postgresql"):
            installed.guest.run(f"systemctl restart {name}")

    sender.during("stores", restart, CLIENTS)

    assert {installed.shown(unit, "ActiveState") for unit in UNITS} == {"active"}
    sender.nothing_is_lost()


def test_after_its_host_went_all_of_it_comes_up_by_itself(
    installed: Installed, sender: Sender, guest: Guest
) -> None:
    def cut() -> None:
        guest.power_off()
        guest.boot()
        installed.wait_until_up()

    sender.during("power", cut, CLIENTS)

    sender.nothing_is_lost()


def test_nothing_ended_by_an_error_and_no_unit_has_failed(installed: Installed) -> None:
    """Celery may say how it found out that Redis went away: no other traceback is in the journal."""
    told = installed.guest.run("journalctl --no-pager -o cat -u 'transactions-*'")
    assert len(told.splitlines()) > len(UNITS)
    wrong = errors(told)
    assert not wrong, "\n".join(wrong)
    assert installed.guest.run("systemctl --failed --plain --no-legend").split() == []
